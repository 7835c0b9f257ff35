//! The kinds of faults, for the table.

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Messages are lost.
    Loss,
    /// Messages are late, and so out of order.
    Delay,
    /// Messages are doubled.
    Duplicate,
    /// One manager no longer hears another.
    OneWayCut,
    /// Some managers and the others hear nothing of each other.
    Partition,
    /// The leader's process is killed.
    LeaderKill,
    /// Another process is killed.
    Kill,
    /// A machine loses power.
    PowerCut,
    /// All machines lose power.
    Blackout,
    /// A process is killed in the middle of what it does on the disk.
    KillInWrite,
    /// A machine loses power in the middle of what it does on the disk.
    PowerCutInWrite,
    /// Syncs take long.
    SlowDisk,
    /// The leader is asked to hand the lead on.
    Transfer,
    /// A proposer's clock jumps.
    ClockJump,
    /// A snapshot was sent and installed.
    Snapshot,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Loss,
        Self::Delay,
        Self::Duplicate,
        Self::OneWayCut,
        Self::Partition,
        Self::LeaderKill,
        Self::Kill,
        Self::PowerCut,
        Self::Blackout,
        Self::KillInWrite,
        Self::PowerCutInWrite,
        Self::SlowDisk,
        Self::Transfer,
        Self::ClockJump,
        Self::Snapshot,
    ];

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Loss => "messages lost",
            Self::Delay => "messages late",
            Self::Duplicate => "messages doubled",
            Self::OneWayCut => "one-way cuts",
            Self::Partition => "partitions",
            Self::LeaderKill => "leaders killed",
            Self::Kill => "managers killed",
            Self::PowerCut => "power cuts",
            Self::Blackout => "blackouts",
            Self::KillInWrite => "kills in a write",
            Self::PowerCutInWrite => "power cuts in a write",
            Self::SlowDisk => "slow disks",
            Self::Transfer => "leaders asked to go",
            Self::ClockJump => "clock jumps",
            Self::Snapshot => "snapshots installed",
        }
    }
}
