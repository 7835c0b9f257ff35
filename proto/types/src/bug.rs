//! Planted bugs: what a simulation must find, to show that it can. Only with the feature `bugs`, which no product build has; without it the
//! macro [`bug!`](crate::bug!) is the word `false`.

use std::cell::Cell;

/// Declares the bugs, with what each does: first those of the model of a cluster, then those of the log and the group on it.
macro_rules! bugs {
    ($($(#[doc = $text:literal])+ $name:ident,)*; $($(#[doc = $log_text:literal])+ $log_name:ident,)*) => {
        /// A planted bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $($(#[doc = $text])+ $name,)*
            $($(#[doc = $log_text])+ $log_name,)*
        }

        impl Bug {
            /// Those that a simulated cluster on a model of Raft can find.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
            /// Those that the simulated Raft group can find.
            pub const LOG: &[Self] = &[$(Self::$log_name,)*];
        }
    };
}

bugs! {
    /// A manager counts half of the managers as a majority.
    FalseQuorum,
    /// A follower acknowledges entries that are not on its disk yet.
    AckBeforeSync,
    /// A new leader goes by its own clock, however far the last one had come.
    TimeGoesBack,
    /// The leader loop decides again while the fate of its last plan is not known.
    DecidesAgain,
    /// The leader loop drops events when many come at once.
    ForgetsEvents,
    /// The leader loop forgets running timers when a plan was applied.
    CarryForgotten,
    /// Now and then an event is not told.
    EventMissing,
    /// A report may take a task back.
    TaskGoesBack,
    /// Addresses that are given back stay taken.
    AddressLeak,
    /// An address that is taken is given again.
    AddressTwice,
    /// A port that is taken is given again.
    PortTwice,
    /// The number of a node is given to another.
    NumberTwice,
    /// A task's record is removed while it runs.
    ReaperRunning,
    /// Ended tasks are kept for ever.
    HistoryUnbounded,
    /// A slot that lost its task gets two.
    DoubleSlot,
    /// What is reserved on a node is not counted.
    OverCommit,
    /// A node is told to run the tasks of another.
    WrongNode,
    /// A task is told to stop before the others know.
    DrainSkipped,
    /// A restart does not wait for its delay.
    RestartDelayLost,
    /// A pass does not look at services whose tasks ended.
    ForgetsService,
    /// An update takes on all places at once.
    ParallelismIgnored,
    /// A task that ends while it is monitored is no failure of its update.
    MonitorNotCounted,
    /// A session does not look when the traffic to a task begins or ends.
    ViewForgotten,
    /// A task that is to stop stays in the views.
    EndpointStays,
    /// A container that is lost, or ended with its host, is made and started again.
    StartsAgain,
    /// An agent acts before it has saved what it was told.
    ActsBeforeSaved,
    /// An agent keeps tasks that the full set no longer has.
    SupersededKept,
    ;
    /// The log says that entries are durable before it has written them.
    LogAckBeforeSync,
    /// The log is written and not synced.
    LogSyncSkipped,
    /// A vote is not written.
    VoteNotWritten,
    /// Votes are not read back after a restart.
    VoteForgotten,
    /// A snapshot gets its name before it is synced.
    SnapshotNotSynced,
    /// A new segment does not repeat the vote of the one before.
    MarksNotRepeated,
    /// What a killed process wrote counts after the restart without a sync.
    ReadNotSynced,
    /// A torn end of the log is not wiped.
    TornEndStays,
    /// Entries are known as committed that are not.
    CommittedTooFar,
    /// A snapshot that was received is kept, and the state stays as it was.
    SnapshotNotTaken,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in this thread, or none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether a bug is planted in this thread.
#[must_use]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
