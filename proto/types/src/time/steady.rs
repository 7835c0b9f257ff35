//! A time that only moves forward, at nearly the rate of real time, whatever is done to the wall clock. Pure: clocks of managers and agents
//! feed it with what they read.

use std::time::Duration;

use super::Timestamp;

/// A time that is further ahead than this is not followed.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

/// The last reading of a clock that slews towards the wall clock and never jumps (failures C9), as the time since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steady(Duration);

impl Steady {
    /// Begins at what the wall clock says, given as the time since 1970.
    #[must_use]
    pub fn begin(wall: Duration) -> Self {
        Self(wall)
    }

    /// Goes on from `at` when that is later: the time that others have counted on already. What is a day or more ahead comes from a clock that
    /// was set wrong, and is not followed.
    pub fn reach(&mut self, at: Timestamp) {
        let at = Duration::from_millis(at.0);
        if at < self.0 + BELIEVED {
            self.0 = self.0.max(at);
        }
    }

    /// The next reading after real time `passed`: it follows the wall clock at between 0.9 and 1.1 times the rate of real time.
    pub fn follow(&mut self, passed: Duration, wall: Duration) -> Timestamp {
        self.0 = wall.clamp(self.0 + passed * 9 / 10, self.0 + passed * 11 / 10);
        Timestamp::of(self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_jump_of_the_wall_clock_is_taken_slowly() {
        let after_a_second = |wall| Steady::begin(HOUR).follow(Duration::from_secs(1), wall).since(Timestamp::of(HOUR));
        assert_eq!(after_a_second(2 * HOUR), Duration::from_millis(1100));
        assert_eq!(after_a_second(Duration::ZERO), Duration::from_millis(900));
        assert_eq!(after_a_second(HOUR + Duration::from_millis(1001)), Duration::from_millis(1001));
    }

    #[test]
    fn it_goes_on_from_a_later_time_but_not_from_an_absurd_one() {
        let reached = |at| {
            let mut steady = Steady::begin(10 * HOUR);
            steady.reach(Timestamp::of(at));
            steady.follow(Duration::ZERO, 10 * HOUR)
        };
        assert_eq!(reached(11 * HOUR), Timestamp::of(11 * HOUR));
        assert_eq!(reached(9 * HOUR), Timestamp::of(10 * HOUR));
        assert_eq!(reached(34 * HOUR), Timestamp::of(10 * HOUR));
    }

    proptest! {
        #[test]
        fn it_keeps_nearly_the_rate_of_real_time(steps in prop::collection::vec((0u64..10_000, 0u64..100_000_000), 1..100)) {
            let mut steady = Steady::begin(HOUR);
            let (mut last, mut real) = (Timestamp::of(HOUR), Duration::ZERO);
            for (passed, wall) in steps {
                real += Duration::from_millis(passed);
                let now = steady.follow(Duration::from_millis(passed), Duration::from_millis(wall));
                prop_assert!(now >= last, "{last:?}, then {now:?}");
                last = now;
            }
            let read = last.since(Timestamp::of(HOUR)).as_secs_f64();
            let real = real.as_secs_f64();
            prop_assert!((0.9 * real - 0.002..=1.1 * real + 0.002).contains(&read), "{read} s in {real} s");
        }
    }
}
