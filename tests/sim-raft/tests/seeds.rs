//! Some seeds in every run of the tests, and the same seed twice; many more with the program.

use cluster_sim_raft::SIMULATOR;

#[test]
fn nothing_is_violated_and_every_fault_fires() {
    SIMULATOR.prove(20, 30);
}

#[test]
fn the_same_seed_gives_the_same_life() {
    SIMULATOR.prove_sameness(3, 20);
}
