//! Frames: what one write and one `fdatasync` make durable together.
//!
//! Only one frame is ever in flight, and the next one is written when it is durable. So a bad frame with a good one after it is damage, and
//! a bad frame with nothing after it is a write that was cut off, of which nobody was told that it happened.
//!
//! Layout, little endian: magic `CLF1`, CRC-32C of all that follows, length of the body (4 bytes), sequence number (8 bytes), body.

/// First bytes of a frame.
const MAGIC: [u8; 4] = *b"CLF1";
/// Bytes before the body.
pub const HEAD: usize = 20;

/// Starts a frame: room for the head, then records are appended to it.
#[must_use]
pub fn start() -> Vec<u8> {
    vec![0; HEAD]
}

/// Fills in the head of a frame that [`start`] began.
///
/// # Panics
/// Never: a frame holds one batch, whose size the writer bounds far below 4 GiB.
pub fn seal(frame: &mut [u8], sequence: u64) {
    let length = u32::try_from(frame.len() - HEAD).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&MAGIC);
    frame[8..12].copy_from_slice(&length.to_le_bytes());
    frame[12..HEAD].copy_from_slice(&sequence.to_le_bytes());
    let sum = crc32c::crc32c(&frame[8..]);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
}

/// A frame read back.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number: one more than that of the frame before it.
    pub sequence: u64,
    /// Its records.
    pub body: &'a [u8],
}

/// The frame at the start of `bytes`, when a whole and valid one is there.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if bytes.get(..4)? != MAGIC {
        return None;
    }
    let end = HEAD.checked_add(word(8)? as usize)?;
    let summed = bytes.get(8..end)?;
    if crc32c::crc32c(summed) != word(4)? {
        return None;
    }
    Some(Frame { sequence: u64::from_le_bytes(bytes.get(12..HEAD)?.try_into().ok()?), body: &bytes[HEAD..end] })
}

/// Whether a valid frame with a number above `sequence` starts anywhere in `bytes`.
#[must_use]
pub fn any_after(bytes: &[u8], sequence: u64) -> bool {
    bytes
        .windows(MAGIC.len())
        .enumerate()
        .filter(|(_, window)| *window == MAGIC)
        .any(|(at, _)| read(&bytes[at..]).is_some_and(|frame| frame.sequence > sequence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(body: &[u8], sequence: u64) -> Vec<u8> {
        let mut bytes = start();
        bytes.extend_from_slice(body);
        seal(&mut bytes, sequence);
        bytes
    }

    proptest! {
        #[test]
        fn reading_gives_back_what_was_sealed(body: Vec<u8>, sequence: u64, after: Vec<u8>) {
            let bytes = [frame(&body, sequence), after].concat();
            prop_assert_eq!(read(&bytes), Some(Frame { sequence, body: &body }));
        }

        #[test]
        fn no_flipped_bit_goes_unseen(body in proptest::collection::vec(any::<u8>(), 0..64), bit in 0_usize..8 * HEAD) {
            let mut bytes = frame(&body, 7);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(read(&bytes), None);
        }

        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = read(&[MAGIC.to_vec(), bytes].concat());
        }
    }

    #[test]
    fn a_later_frame_is_found_at_any_place() {
        let bytes = [b"junkCLF1CLF".to_vec(), frame(b"x", 9)].concat();
        assert!(any_after(&bytes, 8));
        assert!(!any_after(&bytes, 9));
    }
}
