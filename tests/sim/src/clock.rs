//! Clocks of machines, which may be wrong, and a process's reading of them, which never jumps while it lives.

use std::time::Duration;

use cluster_types::{Steady, Timestamp};

/// When every simulation begins: some moment after 1970, so that clocks can be set back.
const EPOCH: u64 = 1_700_000_000_000;

/// The wall clock of a machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WallClock {
    /// How wrong it is, in milliseconds.
    pub(crate) offset: i64,
}

impl WallClock {
    pub(crate) fn now(self, now: u64) -> Timestamp {
        Timestamp((EPOCH + now).saturating_add_signed(self.offset))
    }
}

/// What a process reads: the product's own clock, on this machine's time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlewedClock {
    read_at: u64,
    steady: Steady,
}

impl SlewedClock {
    /// Of a process that starts now.
    pub(crate) fn new(now: u64, wall: WallClock) -> Self {
        Self { read_at: now, steady: Steady::begin(Duration::from_millis(wall.now(now).0)) }
    }

    /// Of a process that others told a later time.
    pub(crate) fn reach(&mut self, at: Timestamp) {
        self.steady.reach(at);
    }

    pub(crate) fn read(&mut self, now: u64, wall: WallClock) -> Timestamp {
        let passed = Duration::from_millis(now - self.read_at);
        self.read_at = now;
        self.steady.follow(passed, Duration::from_millis(wall.now(now).0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often_a_clock_is_read_does_not_change_its_rate() {
        for offset in [-3_600_000, 3_600_000] {
            let wall = WallClock { offset };
            let mut often = SlewedClock::new(0, WallClock::default());
            let mut once = often;
            let readings: Vec<Timestamp> = (1..=1_000).map(|now| often.read(now, wall)).collect();
            assert_eq!(readings.last(), Some(&once.read(1_000, wall)));
        }
    }
}
