//! A moment, in milliseconds since the Unix epoch. Never read here: shells read a clock and pass it in.

mod steady;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use steady::Steady;

/// Milliseconds since 1970-01-01T00:00:00Z. Zero means "not known".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The moment so long after 1970; saturates.
    #[must_use]
    pub fn of(since_1970: Duration) -> Self {
        Self(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment `after` this one; saturates.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This moment by another clock, which says `to` while the one that it was read from says `from`: as long ago by both. What is not known
    /// stays so.
    #[must_use]
    pub fn shifted(self, from: Self, to: Self) -> Self {
        if self == Self::default() { self } else { Self(to.0.saturating_add(self.0).saturating_sub(from.0)) }
    }

    /// How long this moment is after `earlier`; zero when it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
