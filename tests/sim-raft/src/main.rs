//! Lives many seeds, and prints what came of them.

use std::process::ExitCode;

fn main() -> ExitCode {
    cluster_sim_raft::SIMULATOR.command()
}
