//! Chance, all of it from the seed: the same seed draws the same numbers.

use std::ops::RangeInclusive;
use std::time::Duration;

use cluster_types::{Id, IdStream};

/// See the module.
#[derive(Debug, Clone)]
pub struct Chance(IdStream);

impl Chance {
    /// Each salt gives a seed another sequence.
    #[must_use]
    pub fn new(seed: u64, salt: u128) -> Self {
        Self(IdStream::new(seed, salt))
    }

    /// Any number.
    pub fn word(&mut self) -> u64 {
        self.0.word()
    }

    /// An id that was not drawn before.
    pub fn id<K>(&mut self) -> Id<K> {
        self.0.next_id()
    }

    /// Below `count`; 0, and nothing is drawn, when that is 0.
    pub fn below(&mut self, count: u64) -> u64 {
        if count == 0 { 0 } else { self.word() % count }
    }

    /// Within the range.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// True so often of a hundred times.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// So many milliseconds.
    pub fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// So many microseconds.
    pub fn micros(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_micros(self.within(range))
    }

    /// An index of a list of `length`; 0 when it is empty.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of the list; none when it is empty.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let index = self.index(from.len());
        from.get(index).copied()
    }
}
