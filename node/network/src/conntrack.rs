//! Forgets connections of containers that are gone: a UDP client that keeps its port would else be led to them for ever.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use crate::NetworkError;
use crate::netfilter::Netfilter;
use crate::netfilter::message::{ACK, DUMP, REQUEST, attribute, find, nested, number};

const GET: u16 = (1 << 8) | 1;
const DELETE: u16 = (1 << 8) | 2;
const GET_STATISTICS: u16 = (1 << 8) | 5;
/// `CTA_STATS_GLOBAL_ENTRIES`.
const ENTRIES: u16 = 1;
const TUPLE_ORIG: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const PROTOCOL_INFO: u16 = 4;
/// Within it, of TCP, and within that.
const TCP_INFO: u16 = 1;
const TCP_STATE: u16 = 1;
/// `TIME_WAIT` and `CLOSE`: the states of TCP connections that have ended.
const ENDED: [u8; 2] = [7, 8];
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTO: u16 = 2;
const IP_SRC: u16 = 1;
const IP_DST: u16 = 2;
const PROTO_NUM: u16 = 1;
/// The bit of a filter that compares the source address.
const FILTER_SOURCE: u32 = 1;
const UDP: u8 = 17;
/// Reading so many connections costs about as much as one look of the kernel's own through its whole table.
const ONE_LOOK: usize = 10_000;
/// How many entries one call forgets at most; what is left ends by its own timeout.
const MOST: usize = 20_000;

/// Which connections of an address are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// All that begin or end there, but those that have ended.
    Ongoing,
    /// UDP flows that were led there from another address: of a service, or a published port.
    LedByUdp,
}

/// Forgets connections of addresses. Says how many. Blocks: reads the kernel's table of connections.
pub(crate) fn flush(netfilter: &Netfilter, addresses: &BTreeSet<Ipv4Addr>, which: Which) -> Result<usize, NetworkError> {
    let mut entries = Vec::new();
    let mut take = |body: &[u8]| {
        if entries.len() < MOST {
            entries.extend(Connection::read(body).filter(|found| found.is_meant(addresses, which)).map(|found| found.name));
        }
    };
    // Who is led there answers from there.
    let sides: &[u16] = if which == Which::LedByUdp { &[TUPLE_REPLY] } else { &[TUPLE_ORIG, TUPLE_REPLY] };
    let looks: Vec<Vec<u8>> = addresses.iter().flat_map(|address| sides.iter().map(|side| filter(*address, *side))).collect();
    let is_cheaper = read_cheaper(netfilter, looks.len())?;
    let looked = !is_cheaper && looks.iter().try_for_each(|look| netfilter.exchange(GET, REQUEST | DUMP, look, &mut take)).is_ok();
    if !looked {
        netfilter.exchange(GET, REQUEST | DUMP, &[], &mut take)?;
    }
    // One that ended by itself meanwhile is no failure.
    Ok(entries.iter().filter(|name| netfilter.exchange(DELETE, REQUEST | ACK, name, |_| {}).is_ok()).count())
}

/// Whether reading the whole table once is cheaper than some looks for single addresses: each look walks over the whole table too, and takes
/// some ten milliseconds of a processor for 262,144 empty buckets.
fn read_cheaper(netfilter: &Netfilter, looks: usize) -> Result<bool, NetworkError> {
    if looks < 2 {
        return Ok(false);
    }
    let mut entries = None;
    netfilter.exchange(GET_STATISTICS, REQUEST | ACK, &[], |body| entries = number(body, ENTRIES))?;
    let entries = entries.map_or(usize::MAX, |entries| usize::try_from(entries).unwrap_or(usize::MAX));
    Ok(entries <= (looks - 1).saturating_mul(ONE_LOOK))
}

/// A dump's wish for the connections whose source, as first sent or in answers, is an address.
fn filter(address: Ipv4Addr, side: u16) -> Vec<u8> {
    let flags = attribute(side, &FILTER_SOURCE.to_ne_bytes());
    let tuple = nested(side, &[nested(TUPLE_IP, &[attribute(IP_SRC, &address.octets())])]);
    [nested(FILTER, &[flags]), tuple].concat()
}

/// What is read of a connection.
#[derive(Debug, PartialEq, Eq)]
struct Connection {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    /// Who answers.
    answers: Ipv4Addr,
    protocol: u8,
    /// Whether it is one of TCP that has ended. Such an entry is left to its timeout. The same client may open a connection anew from the same
    /// port at any time: the kernel then puts a new entry in the place of the old one, often with the same id, since it has the same address
    /// in memory. To delete the old one, looked up a moment ago, would delete that.
    has_ended: bool,
    /// The attributes that name it.
    name: Vec<u8>,
}

impl Connection {
    fn read(body: &[u8]) -> Option<Self> {
        let (orig, reply) = (find(body, TUPLE_ORIG)?, find(body, TUPLE_REPLY)?);
        let address = |tuple, side| Some(Ipv4Addr::from(<[u8; 4]>::try_from(find(find(tuple, TUPLE_IP)?, side)?).ok()?));
        let protocol = *find(find(orig, TUPLE_PROTO)?, PROTO_NUM)?.first()?;
        let info = find(body, PROTOCOL_INFO).and_then(|info| find(find(info, TCP_INFO)?, TCP_STATE));
        let has_ended = info.and_then(<[u8]>::first).is_some_and(|state| ENDED.contains(state));
        let mut name = attribute(TUPLE_ORIG | 0x8000, orig);
        name.extend([ID, ZONE].into_iter().filter_map(|kind| Some(attribute(kind, find(body, kind)?))).flatten());
        let (source, destination, answers) = (address(orig, IP_SRC)?, address(orig, IP_DST)?, address(reply, IP_SRC)?);
        Some(Self { source, destination, answers, protocol, has_ended, name })
    }

    fn is_meant(&self, addresses: &BTreeSet<Ipv4Addr>, which: Which) -> bool {
        let answered = addresses.contains(&self.answers);
        match which {
            Which::Ongoing => !self.has_ended && (answered || addresses.contains(&self.source)),
            Which::LedByUdp => answered && self.protocol == UDP && self.destination != self.answers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel tells of a connection that was led to a container.
    fn told(state: Option<u8>) -> Vec<u8> {
        let tuple = |kind, from: [u8; 4], to: [u8; 4], protocol| {
            let address = nested(TUPLE_IP, &[attribute(IP_SRC, &from), attribute(IP_DST, &to)]);
            nested(kind, &[address, nested(TUPLE_PROTO, &[attribute(PROTO_NUM, &[protocol])])])
        };
        let protocol = if state.is_some() { 6 } else { UDP };
        let (client, host, container) = ([192, 0, 2, 9], [192, 0, 2, 1], [10, 196, 1, 3]);
        let state = state.map(|state| nested(PROTOCOL_INFO, &[nested(TCP_INFO, &[attribute(TCP_STATE, &[state])])]));
        let tuples = [tuple(TUPLE_ORIG, client, host, protocol), tuple(TUPLE_REPLY, container, client, protocol)];
        [tuples.concat(), state.unwrap_or_default(), attribute(ID, &[1, 2, 3, 4])].concat()
    }

    fn is_meant(state: Option<u8>, which: Which) -> bool {
        Connection::read(&told(state)).unwrap().is_meant(&BTreeSet::from([Ipv4Addr::new(10, 196, 1, 3)]), which)
    }

    #[test]
    fn connections_that_go_on_are_forgotten_and_those_that_have_ended_are_left() {
        // SYN_SENT to LAST_ACK, then TIME_WAIT and CLOSE.
        assert!((1..=6).all(|state| is_meant(Some(state), Which::Ongoing)));
        assert!((7..=8).all(|state| !is_meant(Some(state), Which::Ongoing)));
        assert!(is_meant(None, Which::Ongoing));
    }

    #[test]
    fn of_those_that_were_led_only_udp_is_forgotten() {
        assert!(is_meant(None, Which::LedByUdp) && !is_meant(Some(3), Which::LedByUdp));
    }
}
