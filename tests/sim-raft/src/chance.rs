//! Chance, all of it from the seed: the same seed draws the same numbers.

use std::ops::RangeInclusive;
use std::time::Duration;

use cluster_types::{Id, IdStream};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Chance(IdStream);

impl Chance {
    pub(crate) fn new(seed: u64, salt: u128) -> Self {
        Self(IdStream::new(seed, salt))
    }

    pub(crate) fn id<K>(&mut self) -> Id<K> {
        self.0.next_id()
    }

    /// Below `count`; 0 when that is 0.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        let word = self.0.word();
        if count == 0 { 0 } else { word % count }
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn millis(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    pub(crate) fn micros(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_micros(self.within(range))
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let index = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from.get(index).copied()
    }
}
