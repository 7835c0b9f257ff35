//! Netfilter's netlink messages as bytes. Pure.

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 1;
/// `NLM_F_ACK`.
pub(crate) const ACK: u16 = 4;
/// `NLM_F_DUMP`.
pub(crate) const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const HEADER: usize = 16;
/// Family, version and a number: what each netfilter message has before its attributes.
const PREFIX: usize = 4;
const AF_INET: u8 = 2;
/// The bits of an attribute's type that are flags.
const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;

/// One message of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// The attributes of a message.
    Body(&'a [u8]),
    /// The end, with an error's number or 0.
    End(i32),
}

/// A whole message about IPv4.
pub(crate) fn request(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + PREFIX + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + PREFIX + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend([AF_INET, 0, 0, 0]);
    bytes.extend(body);
    bytes
}

/// An attribute.
pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(4 + value.len() + 3);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// An attribute that holds others.
pub(crate) fn nested(kind: u16, inner: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | NESTED, &inner.concat())
}

/// The messages of a datagram that answer the request with that sequence number.
pub(crate) fn answers(mut bytes: &[u8], sequence: u32) -> Vec<Answer<'_>> {
    let mut found = Vec::new();
    while let Some((length, kind, number)) = header(bytes) {
        let Some(message) = bytes.get(HEADER..length) else { break };
        if number == sequence {
            match kind {
                ERROR => found.push(Answer::End(code(message).saturating_neg())),
                DONE => found.push(Answer::End(0)),
                _ => found.extend(message.get(PREFIX..).map(Answer::Body)),
            }
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn header(bytes: &[u8]) -> Option<(usize, u16, u32)> {
    let length = u32::from_ne_bytes(bytes.get(0..4)?.try_into().ok()?);
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let sequence = u32::from_ne_bytes(bytes.get(8..12)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    (length >= HEADER).then_some((length, kind, sequence))
}

fn code(message: &[u8]) -> i32 {
    message.get(0..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_ne_bytes)
}

/// The value of the first attribute of a type.
pub(crate) fn find(mut bytes: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(bytes.get(0..2)?.try_into().ok()?));
        let found = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?) & TYPE_MASK;
        let value = bytes.get(4..length)?;
        if found == kind {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

/// The number in an attribute, as netfilter writes them.
pub(crate) fn number(bytes: &[u8], kind: u16) -> Option<u32> {
    Some(u32::from_be_bytes(find(bytes, kind)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn attributes_are_found_again(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 1..6)) {
            let body: Vec<u8> = values.iter().zip(1_u16..).flat_map(|(value, kind)| attribute(kind, value)).collect();
            for (value, kind) in values.iter().zip(1_u16..) {
                prop_assert_eq!(find(&body, kind), Some(value.as_slice()));
            }
            prop_assert_eq!(find(&body, 100), None);
            let message = request(7, REQUEST, 3, &body);
            prop_assert_eq!(answers(&message, 3), vec![Answer::Body(body.as_slice())]);
            prop_assert_eq!(answers(&message, 4), vec![]);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _ = (answers(&bytes, 0), find(&bytes, 1));
        }
    }
}
