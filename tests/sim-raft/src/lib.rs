//! The managers' Raft group in one thread and virtual time, with faults by seed: the real openraft with the product's settings, the product's
//! log, recovery, snapshots and state machine on a simulated disk, and an in-process network in the place of gRPC.
//!
//! `cluster-sim` lives whole clusters on a model of Raft; this lives Raft itself. The same seed gives the same life.
//!
//! - `life`: one seed from its beginning to its end.
//! - `world`: the machines, the network between them, and what was seen.
//! - `manager`: one process; `machine`, `network`, `disk`, `platform`: what it is given in the place of the product's.
//! - `client`, `faults`, `weather`: what is asked of it, and what is done to it.
//! - `checks`, `durable`: what must hold.

mod checks;
mod client;
mod disk;
mod durable;
mod fault;
mod faults;
mod life;
mod machine;
mod manager;
mod network;
mod platform;
mod weather;
mod world;

use cluster_seeds::Simulator;

/// Lives the group.
pub const SIMULATOR: Simulator = Simulator {
    name: env!("CARGO_PKG_NAME"),
    usage: "[--seeds N] [--start S] [--seconds S] [--trace] [--twice] [--bug NAME, with the feature bugs]",
    seconds: 60,
    run: life::run,
};
