//! Clocks of machines, which may be wrong, and the managers' reading of them, which never jumps while the process lives.

use cluster_types::Timestamp;

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

/// What a manager reads: it follows the wall clock at between 0.9 and 1.1 times the rate of real time, as `SystemClock` does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlewedClock {
    read_at: u64,
    reading: u64,
}

impl SlewedClock {
    /// Of a process that starts now.
    pub(crate) fn new(now: u64, wall: WallClock) -> Self {
        Self { read_at: now, reading: wall.now(now).0 }
    }

    pub(crate) fn read(&mut self, now: u64, wall: WallClock) -> Timestamp {
        let passed = now - self.read_at;
        let (least, most) = (self.reading + passed * 9 / 10, self.reading + passed * 11 / 10);
        *self = Self { read_at: now, reading: wall.now(now).0.clamp(least, most) };
        Timestamp(self.reading)
    }
}
