//! The managers' Raft group in one thread and virtual time, with faults by seed: the real openraft with the product's settings, the product's
//! log, recovery, snapshots and state machine on a simulated disk, and an in-process network in the place of gRPC.
//!
//! `cluster-sim` lives whole clusters on a model of Raft; this lives Raft itself. The same seed gives the same life.
//!
//! - [`life`]: one seed from its beginning to its end.
//! - `world`: the machines, the network between them, and what was seen.
//! - `manager`: one process; `machine`, `network`, `disk`, `platform`: what it is given in the place of the product's.
//! - `client`, `faults`, `weather`: what is asked of it, and what is done to it.
//! - `checks`, `durable`: what must hold.

mod chance;
mod checks;
mod client;
mod disk;
mod durable;
mod fault;
mod faults;
pub mod life;
mod machine;
mod manager;
mod network;
mod platform;
mod report;
mod trace;
mod weather;
mod world;

#[cfg(feature = "bugs")]
pub use cluster_types::bug;
pub use fault::Class;
pub use life::{Config, run};
pub use report::{Report, Table, Violation};
