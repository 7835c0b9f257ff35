//! Faults: what may go wrong, by class, and what goes wrong now.

use std::collections::BTreeSet;

cluster_seeds::classes! {
    /// A message is lost; in a session, sent again late.
    Loss => "message lost",
    Delay => "message late",
    /// A message between managers arrives twice.
    Duplicate => "message doubled",
    /// A message between managers is overtaken by later ones.
    Reorder => "message overtaken",
    /// One machine no longer hears another.
    OneWayCut => "one-way cut",
    /// Machines are cut off from all others.
    Partition => "partition",
    /// The leader's process is killed, and its machine's disk forgets what was not synced.
    LeaderCrash => "leader killed",
    /// The same with any manager.
    ManagerCrash => "manager killed",
    /// A crash lost entries that were written and not synced.
    LostTail => "unsynced tail lost",
    /// A leader gives up its leadership between two steps.
    StepDown => "leader stepped down",
    /// A manager's disk syncs slowly.
    SlowDisk => "slow disk",
    /// Everything that an agent does takes long.
    SlowAgent => "slow agent",
    AgentRestart => "agent restarted",
    /// A machine loses its power for a moment.
    Reboot => "machine rebooted",
    /// A machine loses its power for longer than the cluster waits for it.
    NodeLoss => "machine lost",
    /// A machine's clock jumps by up to an hour, forward or back.
    ClockJump => "clock jumped",
    /// A container ends by itself.
    ContainerCrash => "container crashed",
    Unhealthy => "container unhealthy",
    /// No registry answers a machine.
    ImageMissing => "image missing",
    /// A machine that was removed joins again, as another node.
    Rejoin => "node joined anew",
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
