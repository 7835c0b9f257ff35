//! What happened: a hash over all of it, and the last lines for a reader.

use std::collections::VecDeque;
use std::time::Duration;

/// Lines that a report of a violation shows.
const LINES: usize = 40;

/// See the module.
#[derive(Debug, Clone)]
pub struct Trace {
    hash: u64,
    lines: VecDeque<String>,
    aloud: bool,
}

impl Trace {
    /// One that prints each line at once, for a reader who repeats a seed, if `aloud`.
    #[must_use]
    pub fn new(aloud: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: VecDeque::new(), aloud }
    }

    /// A number that is part of what happened, though no line tells of it.
    pub fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.hash ^= self.hash >> 29;
    }

    /// A line, at a virtual time.
    pub fn say(&mut self, now: Duration, text: &str) {
        for chunk in text.as_bytes().chunks(8) {
            self.mix(chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        let line = format!("{:>5}.{:03} {text}", now.as_secs(), now.subsec_millis());
        if self.aloud {
            tell(&line);
        }
        self.lines.push_back(line);
        if self.lines.len() > LINES {
            self.lines.pop_front();
        }
    }

    /// Over all that happened.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The last ones.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &String> {
        self.lines.iter()
    }
}

#[expect(clippy::print_stderr, reason = "asked for by who repeats a seed")]
fn tell(line: &str) {
    eprintln!("{line}");
}
