//! Faults: what may go wrong, by class, and what goes wrong now.

use std::collections::BTreeSet;

/// The classes. Each must have fired at least once in a run of many seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A message is lost; in a session, sent again late.
    Loss,
    /// A message takes long.
    Delay,
    /// A message between managers arrives twice.
    Duplicate,
    /// A message between managers is overtaken by later ones.
    Reorder,
    /// One machine no longer hears another.
    OneWayCut,
    /// Machines are cut off from all others.
    Partition,
    /// The leader's process is killed, and its machine's disk forgets what was not synced.
    LeaderCrash,
    /// The same with any manager.
    ManagerCrash,
    /// A crash lost entries that were written and not synced.
    LostTail,
    /// A leader gives up its leadership between two steps.
    StepDown,
    /// A manager's disk syncs slowly.
    SlowDisk,
    /// Everything that an agent does takes long.
    SlowAgent,
    /// An agent is killed and starts again.
    AgentRestart,
    /// A machine loses its power for a moment.
    Reboot,
    /// A machine loses its power for longer than the cluster waits for it.
    NodeLoss,
    /// A machine's clock jumps by up to an hour, forward or back.
    ClockJump,
    /// A container ends by itself.
    ContainerCrash,
    /// A container fails its checks.
    Unhealthy,
    /// No registry answers a machine.
    ImageMissing,
    /// A machine that was removed joins again, as another node.
    Rejoin,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Loss,
        Self::Delay,
        Self::Duplicate,
        Self::Reorder,
        Self::OneWayCut,
        Self::Partition,
        Self::LeaderCrash,
        Self::ManagerCrash,
        Self::LostTail,
        Self::StepDown,
        Self::SlowDisk,
        Self::SlowAgent,
        Self::AgentRestart,
        Self::Reboot,
        Self::NodeLoss,
        Self::ClockJump,
        Self::ContainerCrash,
        Self::Unhealthy,
        Self::ImageMissing,
        Self::Rejoin,
    ];

    /// In words, for tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Loss => "message lost",
            Self::Delay => "message late",
            Self::Duplicate => "message doubled",
            Self::Reorder => "message overtaken",
            Self::OneWayCut => "one-way cut",
            Self::Partition => "partition",
            Self::LeaderCrash => "leader killed",
            Self::ManagerCrash => "manager killed",
            Self::LostTail => "unsynced tail lost",
            Self::StepDown => "leader stepped down",
            Self::SlowDisk => "slow disk",
            Self::SlowAgent => "slow agent",
            Self::AgentRestart => "agent restarted",
            Self::Reboot => "machine rebooted",
            Self::NodeLoss => "machine lost",
            Self::ClockJump => "clock jumped",
            Self::ContainerCrash => "container crashed",
            Self::Unhealthy => "container unhealthy",
            Self::ImageMissing => "image missing",
            Self::Rejoin => "node joined anew",
        }
    }
}

/// What a fault leaves to be put right when it ends.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// These ways are mended.
    Mend(Vec<(usize, usize)>),
    /// The weather between machines clears.
    Clear(Storm),
    Disk(usize),
    Agent(usize),
    Registry(usize),
}

/// Messages fare badly, in one way, between some machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Storm {
    pub(crate) class: Class,
    /// Only what comes from or goes to this machine; everything if none.
    pub(crate) around: Option<usize>,
}

/// The storms there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weather {
    pub(crate) storms: BTreeSet<Storm>,
    /// Faults have ended: nothing goes wrong any more.
    pub(crate) is_fair: bool,
}

impl Weather {
    pub(crate) fn hits(&self, class: Class, from: usize, to: usize) -> bool {
        from != to && self.storms.iter().any(|storm| storm.class == class && storm.around.is_none_or(|it| it == from || it == to))
    }
}
