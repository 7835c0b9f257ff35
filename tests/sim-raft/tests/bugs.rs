//! Planted bugs of the log: each must be found within a fixed number of seeds, or the simulation proves little.
//!
//!     cargo test -p cluster-sim-raft --release --features bugs --test bugs -- --nocapture

#![cfg(feature = "bugs")]
#![expect(clippy::print_stdout, reason = "the table is for who reads the test's output")]

use std::sync::Mutex;

use cluster_sim_raft::bug::{Bug, plant};
use cluster_sim_raft::{Config, Report, run};

/// Seeds within which a bug must show itself.
const SEEDS: u64 = 40;

/// The first seed that finds a bug, and finds nothing without it.
fn find(bug: Bug) -> Option<Report> {
    let config = Config { seconds: 40, ..Config::default() };
    (1..=SEEDS).find_map(|seed| {
        plant(Some(bug));
        let report = run(seed, &config);
        plant(None);
        (report.violation.is_some() && run(seed, &config).violation.is_none()).then_some(report)
    })
}

#[test]
fn planted_bugs_are_found() {
    let waiting = Mutex::new(Bug::LOG.to_vec());
    let missed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = waiting.lock().unwrap().pop();
            let Some(bug) = next else { return };
            match find(bug) {
                Some(report) => {
                    let violation = report.violation.unwrap();
                    println!(
                        "{bug:?}: seed {}, second {}, {}: {}",
                        report.seed,
                        report.millis / 1_000,
                        violation.invariant,
                        violation.text
                    );
                }
                None => missed.lock().unwrap().push(bug),
            }
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "not found within {SEEDS} seeds: {missed:?}");
}
