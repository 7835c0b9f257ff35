//! What to do with a query: reply, pass it on, or nothing. Pure; `resolver` asks, with what it knows of the asker.
//!
//! A name of the cluster is never passed on, whatever the type asked for: otherwise each question for its IPv6 address would tell the
//! world. From a container that is in internal networks only, nothing is passed on at all.

use std::net::Ipv4Addr;

use cluster_types::NetworkId;
use hickory_proto::op::{Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType};
use hickory_proto::serialize::binary::BinDecodable as _;

use super::directory::{Directory, Owner, WayOut};
use super::reply::Reply;

/// A container that asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Its networks, in its service's order.
    pub networks: &'a [NetworkId],
    /// All names that its node knows.
    pub directory: &'a Directory,
}

/// What to do with a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Send this.
    Reply(Reply),
    /// Ask the host's resolvers; send this when they say nothing.
    Forward(Reply),
    /// It is no query.
    Ignore,
}

/// What to do with bytes from a container, or from somebody else.
#[must_use]
pub fn judge(bytes: &[u8], asker: Option<Asker<'_>>) -> Verdict {
    let Ok(Header { metadata, counts }) = Header::from_bytes(bytes) else { return Verdict::Ignore };
    if metadata.message_type == MessageType::Response {
        return Verdict::Ignore;
    }
    let refusal = |code| Verdict::Reply(Reply::to_header(&metadata, code));
    let Some(asker) = asker else { return refusal(ResponseCode::Refused) };
    if metadata.op_code != OpCode::Query {
        return refusal(ResponseCode::NotImp);
    }
    // Counted before the rest is read: many questions in one message are an attack, and cost memory.
    if counts.queries != 1 {
        return refusal(ResponseCode::FormErr);
    }
    match Message::from_vec(bytes) {
        Ok(query) => answer(&query, asker),
        Err(_) => refusal(ResponseCode::FormErr),
    }
}

fn answer(query: &Message, asker: Asker<'_>) -> Verdict {
    let say = |code| Verdict::Reply(Reply::to(query, code));
    let [question] = query.queries.as_slice() else { return say(ResponseCode::FormErr) };
    if query.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return say(ResponseCode::BADVERS);
    }
    if question.query_class != DNSClass::IN || matches!(question.query_type, RecordType::AXFR | RecordType::IXFR) {
        return say(ResponseCode::Refused);
    }
    let Some(name) = text(&question.name) else { return elsewhere(query, asker) };
    if let Some(address) = reversed(&name) {
        return match asker.directory.owner(address, asker.networks) {
            Owner::Name(host) => Verdict::Reply(host_reply(query, question, host)),
            Owner::Hidden => Verdict::Reply(Reply::to(query, ResponseCode::NXDomain).authoritative()),
            Owner::Foreign => elsewhere(query, asker),
        };
    }
    match asker.directory.addresses(&name, asker.networks) {
        Some(addresses) => Verdict::Reply(address_reply(query, question, addresses)),
        None => elsewhere(query, asker),
    }
}

/// Addresses in an order that differs from query to query, so that clients that take the first spread.
fn address_reply(query: &Message, question: &Query, addresses: &[Ipv4Addr]) -> Reply {
    let reply = Reply::to(query, ResponseCode::NoError).authoritative();
    if addresses.is_empty() || !matches!(question.query_type, RecordType::A | RecordType::ANY) {
        return reply;
    }
    let first = usize::from(query.metadata.id) % addresses.len();
    let turned = addresses[first..].iter().chain(&addresses[..first]);
    reply.with_addresses(&question.name, turned.copied())
}

fn host_reply(query: &Message, question: &Query, host: &str) -> Reply {
    let reply = Reply::to(query, ResponseCode::NoError).authoritative();
    let host = Name::from_labels(host.split('.').map(str::as_bytes));
    match host {
        Ok(host) if matches!(question.query_type, RecordType::PTR | RecordType::ANY) => reply.with_host(&question.name, host),
        _ => reply,
    }
}

/// The world's names.
fn elsewhere(query: &Message, asker: Asker<'_>) -> Verdict {
    match asker.directory.way_out(asker.networks) {
        WayOut::Open => Verdict::Forward(Reply::to(query, ResponseCode::ServFail)),
        WayOut::Closed => Verdict::Reply(Reply::to(query, ResponseCode::NXDomain)),
        WayOut::Unknown => Verdict::Reply(Reply::to(query, ResponseCode::ServFail)),
    }
}

/// A name in lower case, with dots between its labels. None when a label has bytes that no name of the cluster has.
fn text(name: &Name) -> Option<String> {
    let plain = |label: &[u8]| std::str::from_utf8(label).ok().filter(|label| !label.contains('.')).map(str::to_ascii_lowercase);
    let labels: Option<Vec<String>> = name.iter().map(plain).collect();
    labels.map(|labels| labels.join("."))
}

/// The address that a name such as `4.3.2.10.in-addr.arpa` asks for.
fn reversed(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = name.strip_suffix(".in-addr.arpa")?.rsplit('.').collect();
    parts.join(".").parse().ok()
}
