//! Whole clusters in one thread and virtual time: the real state, deciders and task machine, with managers, agents, clients, a network and
//! disks around them that fail by chance. The same seed gives the same life.
//!
//! [`run`] lives one seed: faults for a while, then none, and everything must heal. After every step the invariants are checked
//! (`src/invariants`). The shells of the product (`cluster-manager`, `cluster-raft`, `cluster-agent`) are modelled, step by step, since
//! they are bound to real time and sockets; what they call is the product itself. It knows no containers and no processes.
//!
//! [`play`] tells stories without faults and chance, for people: `scripts/`.

#[cfg(feature = "bugs")]
pub use cluster_types::bug;

mod chance;
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
mod report;
mod script;
mod trace;
mod world;

pub use fault::Class;
pub use invariants::Violation;
pub use report::{Report, Table};
pub use script::play;
pub use world::Config;

/// Lives one seed.
#[must_use]
pub fn run(seed: u64, config: &Config) -> Report {
    world::World::new(seed, config).live()
}
