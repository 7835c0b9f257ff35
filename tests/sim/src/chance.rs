//! Chance, all of it from the seed: the same seed draws the same numbers.

use std::ops::RangeInclusive;

use cluster_types::{Id, IdStream};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Chance(IdStream);

impl Chance {
    pub(crate) fn new(seed: u64, salt: u128) -> Self {
        Self(IdStream::new(seed, salt))
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0.word()
    }

    pub(crate) fn id<K>(&mut self) -> Id<K> {
        self.0.next_id()
    }

    /// Below `count`; 0 when that is 0.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        if count == 0 { 0 } else { self.word() % count }
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// An index of a list of `length`; 0 when it is empty.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.index(from.len());
        from.get(index)
    }
}
