//! The steps of a simulation. Between any two of them anything may fail.

use std::sync::Arc;

use cluster_task::{Action, Outcome};
use cluster_types::{Check, TaskId};

use crate::client::{Answer, Request};
use crate::fault::Ending;
use crate::link::{Down, Up};
use crate::manager::RaftMessage;

/// Which session of which agent: counted over the whole simulation.
pub(crate) type Stream = u64;

/// See the module. `life` counts the starts of a process: what was meant for an earlier one is lost.
pub(crate) enum Event {
    /// A message between managers arrives.
    Raft { from: usize, to: usize, message: RaftMessage },
    /// A manager looks at its timers.
    ManagerTick { manager: usize, life: u64 },
    /// What a manager wrote is on its disk.
    Synced { manager: usize, life: u64, epoch: u64, upto: u64 },
    /// The leader loop wakes.
    Decide { manager: usize, life: u64, lead: u64 },
    /// What nodes reported is proposed.
    Flush { manager: usize, life: u64, lead: u64 },
    /// A session looks at the state.
    Look { manager: usize, life: u64, stream: Stream },
    /// A manager starts again.
    ManagerStart { manager: usize, life: u64 },
    /// A manager's message in a session arrives.
    Down { stream: Stream, message: Arc<Down> },
    /// An agent's message in a session arrives.
    Up { stream: Stream, message: Up },
    /// An agent looks at its timers.
    AgentTick { host: usize, life: u64 },
    /// An agent's worker goes its round.
    Work { host: usize, life: u64 },
    /// What the worker wrote is saved.
    Saved { host: usize, life: u64 },
    /// The runtime does something; the agent that asked may be gone by then.
    Effect { host: usize, boot: u64, life: u64, task: TaskId, action: Action },
    /// The agent hears how an action went, or what a look at the container showed.
    Finished { host: usize, life: u64, task: TaskId, acted: Option<(Action, Outcome)> },
    /// A check of a container ends.
    Probed { host: usize, life: u64, task: TaskId, check: Check },
    /// A container ends by itself, unless it has been started anew since.
    Exit { host: usize, boot: u64, task: TaskId, started: u64, code: i32 },
    /// The agent hears that a container changed.
    Notice { host: usize, life: u64, task: TaskId },
    /// The data path has taken a network view in.
    Viewed { host: usize, life: u64 },
    /// The agent sends what it has to report.
    Report { host: usize, life: u64 },
    /// An agent starts again, after a reboot of its machine or not.
    AgentStart { host: usize, life: u64, boots: bool },
    /// A client thinks of something, or loses patience.
    Client { client: usize, attempt: u64 },
    /// A client's request arrives at a manager.
    Request { manager: usize, client: usize, attempt: u64, request: Arc<Request> },
    /// Its answer arrives.
    Answer { client: usize, attempt: u64, answer: Answer },
    /// The next fault.
    Fault,
    /// A fault ends.
    Ends { ending: Ending },
}
