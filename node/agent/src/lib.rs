//! The agent of a node: keeps a session with the managers, saves what it is told before it acts, runs it, and reports.
//!
//! Five parts: the session (who to obey, what was said), the ledger (what was said, on disk), the worker (steps every task with
//! `cluster-task` and lets the runtime act), the applier (hands the newest network view to the data path) and the reports (what the managers
//! do not know yet). It does not know how a container is run or how a packet finds its way, nor why either is wanted. Without managers the
//! worker goes on alone. The daemon starts it, and so does [`bench::FakeFleet`], by the thousand.

pub mod agent;
mod applier;
pub mod bench;
pub mod clock;
pub mod data_path;
pub mod dial;
mod ledger;
mod logs;
mod reports;
mod session;
mod worker;

pub use agent::{Agent, AgentConfig, AgentStatus, Presence};
pub use bench::FakeFleet;
pub use clock::{Clock, SystemClock};
pub use data_path::{DataPath, NoDataPath};
pub use dial::{Dial, DialError};
pub use ledger::LedgerError;
