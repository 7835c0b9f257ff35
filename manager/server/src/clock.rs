//! The managers' clock, as a trait: tests and simulations bring their own.
//!
//! Deciders count on time that only moves forward at the rate of real time. The wall clock does not: an operator or NTP may set it back or
//! forward by hours (failures C9). So [`SystemClock::now`] runs on the monotonic clock and only slews towards the wall clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cluster_types::{Steady, Timestamp};

/// Where the shell takes the time from.
pub trait Clock: Send + Sync + 'static {
    /// Time for stamps and decisions: never goes back, never jumps.
    fn now(&self) -> Timestamp;
    /// Goes on from a time that another manager has stamped, when that is later: time of the cluster does not go back with a change of leader.
    fn reach(&self, at: Timestamp);
    /// The wall clock, for certificates.
    fn wall(&self) -> Timestamp;
}

/// The machine's clock: the last reading, and when it was made.
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

    fn reach(&self, at: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.reach(at);
    }

    fn wall(&self) -> Timestamp {
        Timestamp::of(wall())
    }
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_never_go_back() {
        let clock = SystemClock::default();
        let readings: Vec<Timestamp> = (0..1000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
    }
}
