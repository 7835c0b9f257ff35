//! The agent's clock, as a trait, so that a simulation can turn it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cluster_types::{Steady, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now: never goes back, never jumps, so that no delay is held up by somebody who sets the host's clock.
    fn now(&self) -> Timestamp;
    /// The host's clock, which the runtime's times are of and somebody may set.
    fn wall(&self) -> Timestamp;
}

/// The host's real clock: the last reading, and when it was made.
#[derive(Debug)]
pub struct SystemClock(Mutex<(Steady, Instant)>);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Mutex::new((Steady::begin(wall()), Instant::now())))
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut last.1, Instant::now());
        let passed = last.1.duration_since(before);
        last.0.follow(passed, wall())
    }

    fn wall(&self) -> Timestamp {
        Timestamp::of(wall())
    }
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
