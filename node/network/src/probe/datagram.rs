//! A probe in bytes: what is sent, and how one is told from everything else that a raw socket hears. Pure.

use super::{Nonce, Way};
use crate::places::PROBE_MAGIC;

/// Bytes of the headers of IP and UDP.
const HEADERS: usize = 28;
/// Bytes of a small probe without headers.
const SMALL: usize = 64;
/// The largest datagram without headers.
const LARGEST: usize = 65_507;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Full,
}

impl Size {
    fn word(self) -> u8 {
        match self {
            Self::Small => b's',
            Self::Full => b'f',
        }
    }
}

/// The payload of a probe: a full one fills a packet of `mtu` bytes.
pub(super) fn payload(size: Size, nonce: &Nonce, mtu: u32) -> Vec<u8> {
    let mut payload = [PROBE_MAGIC.as_slice(), nonce, &[size.word()]].concat();
    let length = match size {
        Size::Small => SMALL,
        Size::Full => usize::try_from(mtu).unwrap_or(LARGEST).saturating_sub(HEADERS).min(LARGEST),
    };
    payload.resize(length.max(payload.len()), 0);
    payload
}

/// Which probe of the way a packet is, its IP header included; none when it is no such probe.
pub(super) fn read(packet: &[u8], way: &Way) -> Option<Size> {
    /// UDP's number in IP headers.
    const UDP: u8 = 17;
    let first = *packet.first()?;
    if first >> 4 != 4 || *packet.get(9)? != UDP || packet.get(12..16)? != way.peer.octets() || packet.get(16..20)? != way.own.octets() {
        return None;
    }
    let datagram = packet.get(usize::from(first & 0xf) * 4..)?;
    let (header, payload) = datagram.split_at_checked(8)?;
    if header.get(2..4)? != way.port.to_be_bytes() {
        return None;
    }
    let rest = payload.strip_prefix(PROBE_MAGIC.as_slice())?.strip_prefix(way.nonce.as_slice())?;
    [Size::Small, Size::Full].into_iter().find(|size| rest.first() == Some(&size.word()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    /// As `way`'s host hears it.
    fn packet(way: &Way, options: usize, payload: &[u8]) -> Vec<u8> {
        let words = 5 + options;
        let mut packet = vec![0; words * 4];
        packet[0] = 0x40 | u8::try_from(words).unwrap();
        packet[9] = 17;
        packet[12..16].copy_from_slice(&way.peer.octets());
        packet[16..20].copy_from_slice(&way.own.octets());
        packet.extend([0x80, 0x01]);
        packet.extend(way.port.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(payload);
        packet
    }

    fn way() -> impl Strategy<Value = Way> {
        (any::<Ipv4Addr>(), any::<Ipv4Addr>(), any::<u16>(), any::<Nonce>()).prop_map(|(own, peer, port, nonce)| Way {
            own,
            peer,
            port,
            nonce,
        })
    }

    proptest! {
        #[test]
        fn a_probe_is_read_back_and_fills_its_packet(way in way(), mtu in 576u32..9001, options in 0usize..11) {
            for size in [Size::Small, Size::Full] {
                prop_assert_eq!(read(&packet(&way, options, &payload(size, &way.nonce, mtu)), &way), Some(size));
            }
            prop_assert_eq!(packet(&way, 0, &payload(Size::Full, &way.nonce, mtu)).len(), mtu as usize);
            prop_assert!(payload(Size::Small, &way.nonce, mtu).len() < 500);
        }

        #[test]
        fn a_probe_of_another_way_does_not_count(way in way(), other in way()) {
            let sent = packet(&way, 0, &payload(Size::Small, &way.nonce, 1500));
            for wrong in [
                Way { own: other.own, ..way },
                Way { peer: other.peer, ..way },
                Way { port: other.port, ..way },
                Way { nonce: other.nonce, ..way },
            ] {
                prop_assert_eq!(read(&sent, &wrong).is_some(), wrong == way);
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(way in way(), bytes in proptest::collection::vec(any::<u8>(), 0..80), cut in 0usize..90) {
            let _ = read(&bytes, &way);
            let sent = packet(&way, 0, &payload(Size::Small, &way.nonce, 1500));
            let cut = cut.min(sent.len());
            prop_assert_eq!(read(&sent[..cut], &way).is_some(), cut >= 28 + 25);
        }
    }

    #[test]
    fn the_full_size_has_bounds() {
        assert_eq!(payload(Size::Full, &[0; 16], 65_536).len(), 65_507);
        assert_eq!(payload(Size::Full, &[0; 16], 0).len(), 25);
    }
}
