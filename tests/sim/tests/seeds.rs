//! Many seeds, and the same seed twice.

use cluster_sim::SIMULATOR;

/// How many seeds every run of the tests lives: 3 virtual minutes of faults each, then as long as it takes to heal. The command lives 8.
const SEEDS: u64 = 300;

#[test]
fn whole_clusters_survive_their_faults() {
    let seeds = std::env::var("CLUSTER_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    SIMULATOR.prove(seeds, 3 * 60);
}

#[test]
fn the_same_seed_gives_the_same_life() {
    SIMULATOR.prove_sameness(4, 60);
}
