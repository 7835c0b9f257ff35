//! Whatever bytes come, there is a verdict, and what it says can be read and fits.

use super::*;
use crate::names::{Asker, Directory, Reply, Verdict, judge};
use proptest::prelude::*;

fn sound(reply: Reply, bytes: &[u8]) -> Result<(), TestCaseError> {
    let payload = usize::from(reply.payload);
    for (written, limit) in [(reply.clone().datagram(), payload), (reply.stream(), 65_535)] {
        prop_assert!(!written.is_empty() && written.len() <= limit);
        prop_assert_eq!(&written[..2], &bytes[..2]);
        let read = Message::from_vec(&written).unwrap();
        prop_assert_eq!(read.metadata.message_type, MessageType::Response);
    }
    Ok(())
}

fn survive(bytes: &[u8]) -> Result<(), TestCaseError> {
    let directory = Directory::of(&view());
    for networks in [&[FRONT, BACK][..], &[VAULT], &[]] {
        match judge(bytes, Some(Asker { networks, directory: &directory })) {
            Verdict::Reply(reply) => sound(reply, bytes)?,
            Verdict::Forward(failure) => {
                prop_assert_ne!(networks, &[VAULT][..]);
                sound(failure, bytes)?;
            }
            Verdict::Ignore => prop_assert!(bytes.len() < 12 || bytes[2] & 0x80 != 0),
        }
    }
    if let Verdict::Reply(reply) = judge(bytes, None) {
        sound(reply, bytes)?;
    }
    Ok(())
}

fn some_query() -> impl Strategy<Value = Message> {
    let label = prop_oneof![Just("web"), Just("many"), Just("tasks"), Just("front"), Just("x"), Just("in-addr"), Just("arpa"), Just("3")];
    let kind = prop_oneof![Just(RecordType::A), Just(RecordType::AAAA), Just(RecordType::PTR), any::<u16>().prop_map(RecordType::from)];
    let name = prop::collection::vec(label, 1..5).prop_map(|labels| labels.join("."));
    (name, kind, any::<u16>(), any::<Option<u16>>()).prop_map(|(name, kind, id, payload)| {
        let mut message = payload.map_or_else(|| query(&name, kind, id), |payload| query_with_payload(&name, kind, payload));
        message.metadata.id = id;
        message
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn garbage_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        survive(&bytes)?;
    }

    #[test]
    fn garbage_behind_a_header_of_a_query_is_survived(id: u16, counts in prop::array::uniform3(0_u16..3), rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let [answers, authorities, additionals] = counts;
        let header = [id, 0x0100, 1, answers, authorities, additionals];
        let bytes: Vec<u8> = header.into_iter().flat_map(u16::to_be_bytes).chain(rest).collect();
        survive(&bytes)?;
    }

    #[test]
    fn damaged_queries_are_survived(message in some_query(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), cut in any::<Option<prop::sample::Index>>()) {
        let mut bytes = message.to_vec().unwrap();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        survive(&bytes)?;
    }
}
