//! Segment files: named by the first frame in them, so that a missing one is noticed.

/// Size of a segment, in bytes. The next one is made before this one is full, so disk use is at least twice this.
pub const SEGMENT_BYTES: u64 = 8 << 20;

/// Name of the segment that is ready to be the next one.
pub const RESERVE: &str = "reserve";

/// Ending of a segment's name.
const ENDING: &str = ".log";

/// Name of the segment whose first frame is `sequence`. Names order as numbers do.
#[must_use]
pub fn name(sequence: u64) -> String {
    format!("{sequence:020}{ENDING}")
}

/// The first frame of the segment with this name; none when it is not a segment's name.
#[must_use]
pub fn first_frame(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(ENDING)?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_their_number_back_and_others_none() {
        assert_eq!(first_frame(&name(42)), Some(42));
        assert!(name(9) < name(10));
        for other in [RESERVE, "42.log", "snapshot", "0000000000000000004x.log"] {
            assert_eq!(first_frame(other), None, "{other}");
        }
    }
}
