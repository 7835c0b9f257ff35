//! Hears the other host's probes, whoever has the port.

use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrV4, SocketFlags, SocketType, bind, connect, ipproto, socket_with};
use tokio::net::UdpSocket;

use super::datagram::{Size, read};
use super::{Arrived, Way};
use crate::NetworkError;

/// The largest packet.
const PACKET: usize = 1 << 16;

/// A raw socket for UDP. Bound and connected, so that the kernel gives it the other host's packets alone: a node's traffic is not copied.
pub(super) struct Receiver {
    way: Way,
    /// Raw, whatever its type says: what it receives begins with the IP header.
    socket: UdpSocket,
}

impl Receiver {
    pub(super) fn open(way: Way) -> Result<Self, NetworkError> {
        let step = "listening for probes";
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, SocketType::RAW, flags, Some(ipproto::UDP)).map_err(NetworkError::kernel(step))?;
        bind(&socket, &SocketAddrV4::new(way.own, 0)).map_err(NetworkError::kernel(step))?;
        connect(&socket, &SocketAddrV4::new(way.peer, 0)).map_err(NetworkError::kernel(step))?;
        Ok(Self { way, socket: UdpSocket::from_std(socket.into()).map_err(NetworkError::kernel(step))? })
    }

    /// What arrived when all has, or when the time is over.
    pub(super) async fn arrived(&self, patience: Duration) -> Arrived {
        let mut arrived = Arrived::default();
        // What came before the end counts, also when it came late to it.
        drop(tokio::time::timeout(patience, self.listen(&mut arrived)).await);
        arrived
    }

    async fn listen(&self, arrived: &mut Arrived) {
        let mut packet = vec![0; PACKET];
        while !arrived.all() {
            match self.socket.recv(&mut packet).await {
                Ok(length) => match packet.get(..length).and_then(|packet| read(packet, &self.way)) {
                    Some(Size::Small) => arrived.small = true,
                    Some(Size::Full) => arrived.full = true,
                    None => {}
                },
                // Errors of a connected socket, such as a refusal of the other host, say nothing of what will come.
                Err(error) => tracing::debug!(%error, "while listening for probes"),
            }
        }
    }
}
