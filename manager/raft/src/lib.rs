//! The managers' Raft group: a segment log, the state machine around `cluster-state`, the network over gRPC, and the handle on all of it.
//!
//! It replicates and applies entries and says who leads; what an entry should say is decided elsewhere (`cluster-decide`) and proposed by
//! `cluster-manager`, the only crate that uses this one. It knows nothing of certificates: a [`Dial`] brings connections that have them.
//!
//! - [`raft`]: the handle: propose, view, barrier, subscribe, membership, status.
//! - [`machine`]: applies entries, publishes views and events, keeps snapshots.
//! - [`network`]: messages between managers, both ends.
//! - [`log`]: entries and votes on disk.
//! - [`disk`]: what the log and the snapshots ask of a disk.
//! - [`platform`]: what it runs on: threads and real time, or a simulation.

pub mod disk;
pub mod log;
pub mod machine;
pub mod network;
pub mod platform;
pub mod raft;
pub mod types;

pub use machine::feed::{Feed, Subscription};
pub use network::dial::{Dial, PlainDial};
pub use network::service::Seats;
pub use raft::Raft;
pub use raft::config::{RaftConfig, Timing};
pub use raft::error::{MembershipError, ProposeError, StartError};
pub use raft::leadership::Leadership;
pub use raft::membership::{Member, Membership};
pub use raft::propose::Committed;
pub use raft::status::Progress;
