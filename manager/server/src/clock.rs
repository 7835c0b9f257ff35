//! The managers' clock, as a trait: tests and simulations bring their own.
//!
//! Deciders count on time that only moves forward at the rate of real time. The wall clock does not: an operator or NTP may set it back or
//! forward by hours (failures C9). So [`SystemClock::now`] runs on the monotonic clock and only slews towards the wall clock.

use std::sync::Mutex;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cluster_types::Timestamp;

/// Where the shell takes the time from.
pub trait Clock: Send + Sync + 'static {
    /// Time for stamps and decisions: never goes back, never jumps.
    fn now(&self) -> Timestamp;
    /// The wall clock, for certificates.
    fn wall(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    slewed: Mutex<Slewed>,
}

/// A reading of the slewed clock and when it was made.
#[derive(Debug, Clone, Copy)]
struct Slewed {
    at: Instant,
    milliseconds: f64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { slewed: Mutex::new(Slewed { at: Instant::now(), milliseconds: wall_milliseconds() }) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let mut slewed = self.slewed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = Instant::now();
        let passed = at.duration_since(slewed.at).as_secs_f64() * 1000.0;
        *slewed = Slewed { at, milliseconds: slew(slewed.milliseconds, passed, wall_milliseconds()) };
        Timestamp(to_u64(slewed.milliseconds))
    }

    fn wall(&self) -> Timestamp {
        Timestamp(to_u64(wall_milliseconds()))
    }
}

/// The next reading after `passed` milliseconds: it follows the wall clock at between 0.9 and 1.1 times the rate of real time.
fn slew(last: f64, passed: f64, wall: f64) -> f64 {
    wall.clamp(last + 0.9 * passed, last + 1.1 * passed)
}

fn wall_milliseconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970 fit, and are not negative")]
fn to_u64(milliseconds: f64) -> u64 {
    milliseconds as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_of_the_wall_clock_is_taken_slowly() {
        let hour = 3_600_000.0;
        assert!((slew(hour, 1000.0, 2.0 * hour) - (hour + 1100.0)).abs() < 1e-6);
        assert!((slew(hour, 1000.0, 0.0) - (hour + 900.0)).abs() < 1e-6);
        assert!((slew(hour, 1000.0, hour + 1001.0) - (hour + 1001.0)).abs() < 1e-6);
    }

    #[test]
    fn readings_never_go_back() {
        let clock = SystemClock::default();
        let readings: Vec<Timestamp> = (0..1000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
    }
}
