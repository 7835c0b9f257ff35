//! The agent's clock, as a trait, so that a simulation can turn it.

use std::time::{SystemTime, UNIX_EPOCH};

use cluster_types::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now, by the host's clock.
    fn now(&self) -> Timestamp;
}

/// The host's real clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
