//! Whole clusters in one thread and virtual time: the real state, deciders and task machine, with managers, agents, clients, a network and
//! disks around them that fail by chance. The same seed gives the same life.
//!
//! [`SIMULATOR`] lives seeds: faults for a while, then none, and everything must heal. After every step the invariants are checked
//! (`src/invariants`). The shells of the product (`cluster-manager`, `cluster-raft`, `cluster-agent`) are modelled, step by step, since
//! they are bound to real time and sockets; what they call is the product itself. It knows no containers and no processes.
//!
//! [`play`] tells stories without faults and chance, for people: `scripts/`.

use cluster_seeds::Simulator;

mod client;
mod clock;
mod context;
mod event;
mod fault;
mod host;
mod invariants;
mod leader;
mod link;
mod manager;
mod queue;
mod script;
mod world;

pub use script::play;

/// Lives whole clusters.
pub const SIMULATOR: Simulator = Simulator {
    name: env!("CARGO_PKG_NAME"),
    usage: "[--seeds N] [--start S] [--minutes M] [--trace] [--bug NAME, with the feature bugs]",
    seconds: 8 * 60,
    run: |seed, config| world::World::new(seed, config).live(),
};
