//! Planted bugs: most must be found within a fixed number of seeds, or the simulation proves little.
//!
//!     cargo test -p cluster-sim --features bugs --test bugs

#![cfg(feature = "bugs")]

use cluster_sim::SIMULATOR;
use cluster_types::bug::Bug;

#[test]
fn planted_bugs_are_found() {
    SIMULATOR.hunt(Bug::ALL, 25, 3 * 60, 20);
}
