//! The managers' shell: what is I/O around the pure deciders of `cluster-decide` and the replicated state.
//!
//! - [`manager`]: one manager, what a daemon starts; how a cluster begins.
//! - [`ca`]: certificates and join tokens; `prober` probes the network of nodes that join.
//! - `control`: what users ask; `forward` brings it to the leader.
//! - `leader`: the loop that decides, and what else a leader does.
//! - `dispatcher`: the sessions with the agents; `logs` the log broker.
//! - `seat`: managers that come and go.
//! - `core`: what all of them share.
//!
//! It decides nothing and keeps nothing that must survive it: the state is in Raft.

pub mod ca;
pub mod clock;
mod control;
mod core;
mod dial;
mod dispatcher;
mod forward;
mod leader;
mod logs;
pub mod manager;
mod prober;
mod request;
mod seat;

pub use clock::{Clock, SystemClock};
pub use control::STALE;
pub use core::LEADER;
pub use dial::TlsDial;
pub use manager::{Birth, FIRST_RAFT_ID, Manager, ManagerConfig, NewCluster};
pub use prober::{Heard, Probe, Prober, Stand};
