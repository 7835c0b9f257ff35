//! A reply on its way: what it says, and how much of it fits. Pure; `verdict` makes them, the loops send them.

use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, Metadata, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, PTR};
use hickory_proto::rr::{Name, RData, Record};

/// How long a container may keep an answer, in seconds: a service's tasks change.
const TTL: u32 = 2;
/// The least and the largest datagram that is sent to who names its size; the largest crosses any link in one piece.
const SIZES: (u16, u16) = (512, 1232);
/// Size of an address record whose name is a pointer to the question's.
const RECORD: usize = 16;

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What it says.
    pub message: Message,
    /// How many bytes a datagram to the asker may have.
    pub payload: u16,
}

impl Reply {
    /// To a query of which no more than its header is known.
    pub(super) fn to_header(query: &Metadata, code: ResponseCode) -> Self {
        let mut message = Message::response(query.id, query.op_code);
        message.metadata = Metadata::response_from_request(query);
        message.metadata.recursion_available = true;
        message.metadata.response_code = code;
        Self { message, payload: SIZES.0 }
    }

    /// To a query, without answers.
    pub(super) fn to(query: &Message, code: ResponseCode) -> Self {
        let mut reply = Self::to_header(&query.metadata, code);
        reply.message.queries.clone_from(&query.queries);
        if query.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(SIZES.1).set_version(0);
            reply.message.edns = Some(edns);
            reply.payload = query.max_payload().clamp(SIZES.0, SIZES.1);
        }
        reply
    }

    /// From who knows: the view has all names of the cluster.
    pub(super) fn authoritative(mut self) -> Self {
        self.message.metadata.authoritative = true;
        self
    }

    /// With these addresses as answers.
    pub(super) fn with_addresses(mut self, name: &Name, addresses: impl Iterator<Item = Ipv4Addr>) -> Self {
        self.message.answers.extend(addresses.map(|address| Record::from_rdata(name.clone(), TTL, RData::A(A(address)))));
        self
    }

    /// With a host's name as answer.
    pub(super) fn with_host(mut self, name: &Name, host: Name) -> Self {
        self.message.answers.push(Record::from_rdata(name.clone(), TTL, RData::PTR(PTR(host))));
        self
    }

    /// The question that it repeats.
    pub(super) fn question(&self) -> Option<&Query> {
        self.message.queries.first()
    }

    /// Its bytes as a datagram: with as many answers as fit, and the mark that there are more. Empty when it cannot be written.
    pub(super) fn datagram(self) -> Vec<u8> {
        let limit = usize::from(self.payload);
        encode(self.message, limit)
    }

    /// Its bytes on a stream.
    pub(super) fn stream(self) -> Vec<u8> {
        encode(self.message, usize::from(u16::MAX))
    }
}

/// Answers that do not fit are left out, but as many as fit stay: some resolvers do not ask again over TCP and use what there is.
fn encode(mut message: Message, limit: usize) -> Vec<u8> {
    cut(&mut message, limit / RECORD);
    loop {
        let Ok(bytes) = message.to_vec() else { return Vec::new() };
        if bytes.len() <= limit {
            return bytes;
        }
        if message.answers.is_empty() {
            return Vec::new();
        }
        let excess = (bytes.len() - limit).div_ceil(RECORD);
        let most = message.answers.len().saturating_sub(excess);
        cut(&mut message, most);
    }
}

fn cut(message: &mut Message, most: usize) {
    if message.answers.len() > most {
        message.answers.truncate(most);
        message.metadata.truncation = true;
    }
}
