//! Who is told what.

use std::collections::BTreeSet;

use super::*;
use crate::names::{Asker, Directory, Verdict, judge};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::DNSClass;

fn ask(message: &Message, networks: &[NetworkId]) -> Verdict {
    let directory = Directory::of(&view());
    judge(&message.to_vec().unwrap(), Some(Asker { networks, directory: &directory }))
}

/// The verdict in a few words: the answers in order, a response code, or what else is done.
fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Forward(failure) => {
            assert_eq!(failure.message.metadata.response_code, ResponseCode::ServFail);
            "forward".to_owned()
        }
        Verdict::Ignore => "ignore".to_owned(),
        Verdict::Reply(reply) => {
            let metadata = reply.message.metadata;
            assert_eq!((metadata.message_type, metadata.recursion_available), (MessageType::Response, true));
            assert!(reply.message.answers.iter().all(|record| record.ttl <= 5));
            match metadata.response_code {
                ResponseCode::NoError => told(&reply.message).join(" "),
                code => format!("{code:?}"),
            }
        }
    }
}

fn check(rows: &[(&str, RecordType, &[NetworkId], &str)]) {
    for (name, kind, networks, expected) in rows {
        let found = said(&ask(&query(name, *kind, 0), networks));
        assert_eq!(found, *expected, "{name} {kind} from {networks:?}");
    }
}

#[test]
fn names_stand_for_addresses_in_the_askers_networks() {
    use RecordType::A;
    check(&[
        ("web", A, &[FRONT], "10.200.9.1"),
        ("web.", A, &[FRONT], "10.200.9.1"),
        ("WeB.", A, &[FRONT], "10.200.9.1"),
        ("web", A, &[FRONT, BACK], "10.200.9.1"),
        ("web", A, &[BACK, FRONT], "172.20.9.1"),
        ("web.back", A, &[FRONT, BACK], "172.20.9.1"),
        ("web.FRONT.", A, &[BACK, FRONT], "10.200.9.1"),
        ("tasks.web", A, &[FRONT], "10.200.0.1 10.200.0.2 10.200.0.3"),
        ("Tasks.Web.Back", A, &[FRONT, BACK], "172.20.0.1 172.20.0.2"),
        ("data", A, &[BACK], "172.20.1.1 172.20.1.2 172.20.1.3"),
        ("tasks.data", A, &[BACK], "172.20.1.1 172.20.1.2 172.20.1.3"),
        ("www", A, &[FRONT], "10.200.9.1"),
        ("tasks.www.front", A, &[FRONT], "10.200.0.1 10.200.0.2 10.200.0.3"),
        ("sql.back", A, &[BACK], "172.20.1.1 172.20.1.2 172.20.1.3"),
        ("web.3", A, &[FRONT], "10.200.0.3"),
        ("web.1.back", A, &[FRONT, BACK], "172.20.0.1"),
        ("DATA.2", A, &[BACK], "172.20.1.2"),
        // No VIP yet: its tasks. Two services share an alias.
        ("new", A, &[FRONT], "10.200.2.1"),
        ("shared", A, &[FRONT], "10.200.9.1 10.200.2.1"),
        ("shared", A, &[VAULT], "10.202.9.1"),
        ("safe", A, &[VAULT, FRONT], "10.202.9.1"),
        ("web", RecordType::ANY, &[FRONT], "10.200.9.1"),
    ]);
}

#[test]
fn names_of_other_networks_are_not_known() {
    use RecordType::A;
    check(&[
        ("data", A, &[FRONT], "forward"),
        ("web.back", A, &[FRONT], "forward"),
        ("sql", A, &[FRONT], "forward"),
        ("www", A, &[BACK], "forward"),
        ("data.1", A, &[FRONT], "forward"),
        ("tasks.data", A, &[FRONT], "forward"),
        ("web.front", A, &[VAULT], "NXDomain"),
        ("tasks.web.3", A, &[FRONT], "forward"),
        ("web.4", A, &[FRONT], "forward"),
        ("front", A, &[FRONT], "forward"),
        ("tasks", A, &[FRONT], "forward"),
        (r"web\.3", A, &[FRONT], "forward"),
        (".", A, &[FRONT], "forward"),
    ]);
}

#[test]
fn a_known_name_never_leaves() {
    check(&[
        ("web", RecordType::AAAA, &[FRONT], ""),
        ("tasks.web.front", RecordType::AAAA, &[FRONT], ""),
        ("web.2", RecordType::AAAA, &[FRONT], ""),
        ("web", RecordType::MX, &[FRONT], ""),
        ("web", RecordType::HTTPS, &[FRONT], ""),
        ("idle", RecordType::A, &[FRONT], ""),
        ("tasks.idle", RecordType::A, &[FRONT], ""),
    ]);
}

#[test]
fn nothing_leaves_an_internal_network() {
    use RecordType::A;
    check(&[
        ("example.org", A, &[VAULT], "NXDomain"),
        ("example.org", RecordType::TXT, &[VAULT], "NXDomain"),
        ("1.2.0.192.in-addr.arpa", RecordType::PTR, &[VAULT], "NXDomain"),
        ("example.org", A, &[VAULT, FRONT], "forward"),
        ("example.org", A, &[FRONT], "forward"),
        ("localhost", A, &[], "forward"),
        // The view does not have the network yet: nobody can say whether it is internal.
        ("example.org", A, &[VAULT, UNKNOWN], "ServFail"),
        ("example.org", A, &[UNKNOWN], "ServFail"),
        ("example.org", A, &[FRONT, UNKNOWN], "forward"),
    ]);
}

#[test]
fn addresses_stand_for_names() {
    use RecordType::PTR;
    check(&[
        ("3.0.200.10.in-addr.arpa", PTR, &[FRONT], "web.3."),
        ("3.0.200.10.IN-ADDR.ARPA.", PTR, &[FRONT], "web.3."),
        ("1.9.200.10.in-addr.arpa", PTR, &[FRONT], "web."),
        ("1.1.20.172.in-addr.arpa", PTR, &[BACK], "Data.1."),
        // Of the cluster, but not for this asker; of nobody; asked for something else.
        ("1.1.20.172.in-addr.arpa", PTR, &[FRONT], "NXDomain"),
        ("1.0.202.10.in-addr.arpa", PTR, &[FRONT, BACK], "NXDomain"),
        ("77.77.200.10.in-addr.arpa", PTR, &[FRONT], "NXDomain"),
        ("1.0.192.10.in-addr.arpa", PTR, &[FRONT], "NXDomain"),
        ("3.0.200.10.in-addr.arpa", RecordType::AAAA, &[FRONT], ""),
        ("1.2.0.192.in-addr.arpa", PTR, &[FRONT], "forward"),
        ("0.200.10.in-addr.arpa", PTR, &[FRONT], "forward"),
        ("x.0.200.10.in-addr.arpa", PTR, &[FRONT], "forward"),
    ]);
}

#[test]
fn the_first_address_differs_from_query_to_query() {
    let lists: Vec<String> = (0..6).map(|id| said(&ask(&query("tasks.web", RecordType::A, id), &[FRONT]))).collect();
    assert_eq!(lists.iter().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(lists[1], "10.200.0.2 10.200.0.3 10.200.0.1");
    assert_eq!(lists[..3], lists[3..]);
}

#[test]
fn what_is_no_plain_question_is_refused() {
    let mut chaos = query("web", RecordType::TXT, 1);
    chaos.queries[0].set_query_class(DNSClass::CH);
    let mut update = query("web", RecordType::SOA, 1);
    update.metadata.op_code = OpCode::Update;
    let mut two = query("web", RecordType::A, 1);
    two.add_query(two.queries[0].clone());
    let mut answer = query("web", RecordType::A, 1);
    answer.metadata.message_type = MessageType::Response;
    let mut later = query_with_payload("web", RecordType::A, 1232);
    later.edns.as_mut().unwrap().set_version(1);
    let rows = [
        (chaos, "Refused"),
        (query("web", RecordType::AXFR, 1), "Refused"),
        (update, "NotImp"),
        (two, "FormErr"),
        (answer, "ignore"),
        (later, "BADVERS"),
    ];
    for (message, expected) in rows {
        assert_eq!(said(&ask(&message, &[FRONT])), expected, "{message}");
    }
    let stranger = judge(&query("web", RecordType::A, 1).to_vec().unwrap(), None);
    assert_eq!(said(&stranger), "Refused");
}

#[test]
fn the_reply_repeats_the_question_as_it_was_written() {
    let Verdict::Reply(reply) = ask(&query_with_payload("wEb.FrOnT.", RecordType::A, 4096), &[FRONT]) else { panic!("no reply") };
    let read = Message::from_vec(&reply.datagram()).unwrap();
    assert_eq!((read.metadata.id, read.metadata.authoritative, read.metadata.truncation), (7, true, false));
    assert!(read.metadata.recursion_desired);
    assert_eq!(read.queries[0].name().to_ascii(), "wEb.FrOnT.");
    assert_eq!(read.answers[0].name.to_ascii(), "wEb.FrOnT.");
    assert_eq!(read.edns.map(|edns| edns.max_payload()), Some(1232));
}

#[test]
fn a_datagram_has_as_many_answers_as_fit() {
    let size = |message: &Message| {
        let Verdict::Reply(reply) = ask(message, &[FRONT]) else { panic!("no reply") };
        let whole = Message::from_vec(&reply.clone().stream()).unwrap();
        assert_eq!((whole.answers.len(), whole.metadata.truncation), (200, false));
        let bytes = reply.datagram();
        let read = Message::from_vec(&bytes).unwrap();
        assert!(read.metadata.truncation);
        assert_eq!(read.edns.is_some(), message.edns.is_some());
        (bytes.len(), read.answers.len())
    };
    for (message, limit) in [
        (query("many", RecordType::A, 7), 512),
        (query_with_payload("many", RecordType::A, 100), 512),
        (query_with_payload("many", RecordType::A, 900), 900),
        (query_with_payload("many", RecordType::A, 65_000), 1232),
    ] {
        let (length, answers) = size(&message);
        assert!(length <= limit && length + 16 > limit, "{length} bytes of {limit}");
        assert!(answers >= (limit - 64) / 16, "{answers} answers");
    }
}

#[test]
fn more_addresses_than_a_message_can_have_are_cut_on_a_stream_too() {
    let huge = service(7, "huge", EndpointMode::Dnsrr, vec![part(FRONT, "huge", "10.200.16.0", 6000, None, &[])]);
    let mut items = view();
    items.insert(huge.key(), Arc::new(huge));
    let asker = Asker { networks: &[FRONT], directory: &Directory::of(&items) };
    let Verdict::Reply(reply) = judge(&query("huge", RecordType::A, 7).to_vec().unwrap(), Some(asker)) else { panic!("no reply") };
    let read = Message::from_vec(&reply.stream()).unwrap();
    assert!(read.metadata.truncation && read.answers.len() > 2000);
}
