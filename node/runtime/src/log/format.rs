//! One record of a log: `NANOSECONDS o|e F|P TEXT\n`. Text never holds a line end, so a torn record spoils itself only.

use std::io::Write;

use crate::LogLine;

/// Adds a record to `out`.
pub(crate) fn encode(out: &mut Vec<u8>, line: &LogLine) {
    let stream = if line.stderr { 'e' } else { 'o' };
    let rest = if line.partial { 'P' } else { 'F' };
    // Writing to a vector cannot fail.
    let _ = write!(out, "{} {stream} {rest} ", line.at_ns);
    out.extend_from_slice(&line.text);
    out.push(b'\n');
}

/// Reads a record without its line end; none when it is torn.
pub(crate) fn decode(record: &[u8]) -> Option<LogLine> {
    let mut fields = record.splitn(4, |byte| *byte == b' ');
    let at_ns = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let stderr = flag(fields.next()?, b"o", b"e")?;
    let partial = flag(fields.next()?, b"F", b"P")?;
    Some(LogLine { at_ns, stderr, partial, text: fields.next()?.to_vec() })
}

fn flag(field: &[u8], no: &[u8], yes: &[u8]) -> Option<bool> {
    if field == yes { Some(true) } else { (field == no).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_is_read_back(at_ns: u64, stderr: bool, partial: bool, text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text: Vec<u8> = text.into_iter().filter(|byte| *byte != b'\n').collect();
            let line = LogLine { at_ns, stderr, text, partial };
            let mut out = Vec::new();
            encode(&mut out, &line);
            prop_assert_eq!(out.pop(), Some(b'\n'));
            prop_assert_eq!(decode(&out), Some(line));
        }

        #[test]
        fn garbage_never_panics(record: Vec<u8>) {
            let _ = decode(&record);
        }
    }
}
