//! The classes of faults.

cluster_seeds::classes! {
    Loss => "messages lost",
    /// Messages are late, and so out of order.
    Delay => "messages late",
    Duplicate => "messages doubled",
    /// One manager no longer hears another.
    OneWayCut => "one-way cuts",
    /// Some managers and the others hear nothing of each other.
    Partition => "partitions",
    LeaderKill => "leaders killed",
    Kill => "managers killed",
    PowerCut => "power cuts",
    /// All machines lose power.
    Blackout => "blackouts",
    /// A process is killed in the middle of what it does on the disk.
    KillInWrite => "kills in a write",
    /// A machine loses power in the middle of what it does on the disk.
    PowerCutInWrite => "power cuts in a write",
    /// Syncs take long.
    SlowDisk => "slow disks",
    Transfer => "leaders asked to go",
    /// A proposer's clock jumps.
    ClockJump => "clock jumps",
    Snapshot => "snapshots installed",
}
