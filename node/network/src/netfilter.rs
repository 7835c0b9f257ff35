//! Netfilter's own netlink: the generation of the rules, and the table of connections. A socket belongs to the namespace where it was
//! opened, so that any thread may use it.

pub(crate) mod message;

use std::sync::{Mutex, PoisonError};

use rtnetlink::sys::protocols::NETLINK_NETFILTER;
use rtnetlink::sys::{Socket, SocketAddr};

use crate::NetworkError;
use message::{ACK, Answer, REQUEST, answers, request};

/// `NFNL_SUBSYS_NFTABLES` and `NFT_MSG_GETGEN`.
const GET_GENERATION: u16 = (10 << 8) | 16;
/// `NFTA_GEN_ID`.
const GENERATION_ID: u16 = 1;

/// A socket. Calls block, but only as long as the kernel works on them.
#[derive(Debug)]
pub(crate) struct Netfilter {
    socket: Mutex<(Socket, u32)>,
}

impl Netfilter {
    /// Opens one in the namespace of the calling thread.
    pub(crate) fn open() -> Result<Self, NetworkError> {
        let step = "opening netfilter's netlink";
        let mut socket = Socket::new(NETLINK_NETFILTER).map_err(NetworkError::file(step))?;
        socket.bind_auto().map_err(NetworkError::file(step))?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(NetworkError::file(step))?;
        Ok(Self { socket: Mutex::new((socket, 0)) })
    }

    /// A number that grows by one with every transaction on the rules of this namespace, of whomever.
    pub(crate) fn generation(&self) -> Result<u32, NetworkError> {
        let mut generation = None;
        self.exchange(GET_GENERATION, REQUEST | ACK, &[], |body| generation = message::number(body, GENERATION_ID))?;
        generation.ok_or_else(|| NetworkError::kernel("reading the generation of the rules")("the kernel gave none"))
    }

    /// Sends a request and hands out the body of each answer.
    pub(crate) fn exchange(&self, kind: u16, flags: u16, body: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), NetworkError> {
        let step = "talking to netfilter";
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.1 = socket.1.wrapping_add(1);
        let (socket, sequence) = (&socket.0, socket.1);
        socket.send(&request(kind, flags, sequence, body), 0).map_err(NetworkError::file(step))?;
        loop {
            let (bytes, _) = socket.recv_from_full().map_err(NetworkError::file(step))?;
            for answer in answers(&bytes, sequence) {
                match answer {
                    Answer::Body(body) => each(body),
                    Answer::End(0) => return Ok(()),
                    Answer::End(code) => return Err(NetworkError::file(step)(std::io::Error::from_raw_os_error(code))),
                }
            }
        }
    }
}
