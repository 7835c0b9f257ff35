//! Passes a query on to the host's resolvers, byte for byte but for its id, one resolver after the other.
//!
//! Each query has a random id and a socket of its own, and only an answer with that id and the same question counts: nobody who cannot
//! read the traffic can slip an answer in.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Header, MessageType, Query, ResponseCode};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::frame;

/// How long each resolver has.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a query came, and so is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// As a datagram.
    Udp,
    /// On a stream.
    Tcp,
}

/// The answer of the first resolver that settles the question; else what another said; none when none answers.
pub(super) async fn forward(query: &[u8], question: &Query, upstreams: &[SocketAddr], transport: Transport) -> Option<Vec<u8>> {
    let mut unsettled = None;
    for upstream in upstreams {
        match timeout(PATIENCE, ask(query, question, *upstream, transport)).await {
            Ok(Ok(answer)) if settles(&answer) => return Some(answer),
            Ok(Ok(answer)) => unsettled = unsettled.or(Some(answer)),
            Ok(Err(error)) => tracing::debug!(%error, %upstream, "a resolver of the host failed"),
            Err(_) => tracing::debug!(%upstream, "a resolver of the host did not answer in time"),
        }
    }
    unsettled
}

/// Another resolver may know what this one could not or would not say.
fn settles(answer: &[u8]) -> bool {
    let code = Header::from_bytes(answer).map(|header| header.metadata.response_code);
    !matches!(code, Ok(ResponseCode::ServFail | ResponseCode::Refused | ResponseCode::NotImp))
}

async fn ask(query: &[u8], question: &Query, upstream: SocketAddr, transport: Transport) -> io::Result<Vec<u8>> {
    let id = rand::random();
    let sent = with_id(query.to_vec(), id);
    let answer = match transport {
        Transport::Udp => ask_udp(&sent, |answer| answers(answer, id, question), upstream).await?,
        Transport::Tcp => ask_tcp(&sent, |answer| answers(answer, id, question), upstream).await?,
    };
    let asked = query.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
    Ok(with_id(answer, asked))
}

async fn ask_udp(query: &[u8], fits: impl Fn(&[u8]) -> bool, upstream: SocketAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr = if upstream.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(upstream).await?;
    socket.send(query).await?;
    let mut answer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut answer).await?;
        if fits(&answer[..length]) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn ask_tcp(query: &[u8], fits: impl Fn(&[u8]) -> bool, upstream: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(upstream).await?;
    frame::write(&mut stream, query).await?;
    loop {
        let answer = frame::read(&mut stream).await?;
        if fits(&answer) {
            return Ok(answer);
        }
    }
}

/// Whether these bytes answer the question. Some servers leave it out when they refuse.
fn answers(bytes: &[u8], id: u16, question: &Query) -> bool {
    let mut decoder = BinDecoder::new(bytes);
    let Ok(Header { metadata, counts }) = Header::read(&mut decoder) else { return false };
    if metadata.message_type != MessageType::Response || metadata.id != id {
        return false;
    }
    match counts.queries {
        0 => !matches!(metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain),
        1 => Query::read(&mut decoder).is_ok_and(|answered| answered == *question),
        _ => false,
    }
}

/// The message with another id.
fn with_id(mut message: Vec<u8>, id: u16) -> Vec<u8> {
    if let Some(place) = message.first_chunk_mut() {
        *place = id.to_be_bytes();
    }
    message
}
