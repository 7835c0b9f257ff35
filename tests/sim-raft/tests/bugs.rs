//! Planted bugs of the log: most must be found within a fixed number of seeds, or the simulation proves little.
//!
//!     cargo test -p cluster-sim-raft --release --features bugs --test bugs -- --nocapture

#![cfg(feature = "bugs")]

use cluster_sim_raft::SIMULATOR;
use cluster_types::bug::Bug;

#[test]
fn planted_bugs_are_found() {
    SIMULATOR.hunt(Bug::LOG, 10, 40, 8);
}
