//! Planted bugs: most must be found within a fixed number of seeds, or the simulation proves little.
//!
//!     cargo test -p cluster-sim --features bugs --test bugs

#![cfg(feature = "bugs")]
#![expect(clippy::print_stdout, reason = "the table is for who reads the test's output")]

use std::sync::Mutex;

use cluster_sim::bug::{Bug, plant};
use cluster_sim::{Config, Report, run};

/// Seeds within which a bug must show itself.
const SEEDS: u64 = 25;

/// So many of them at least must be found.
const FOUND: usize = 20;

/// The first seed that finds a bug, and finds nothing without it.
fn find(bug: Bug) -> Option<Report> {
    let config = Config { minutes: 3, ..Config::default() };
    (1..=SEEDS).find_map(|seed| {
        plant(Some(bug));
        let report = run(seed, &config);
        plant(None);
        (report.violation.is_some() && run(seed, &config).violation.is_none()).then_some(report)
    })
}

#[test]
fn planted_bugs_are_found() {
    let waiting = Mutex::new(Bug::ALL.to_vec());
    let missed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = waiting.lock().unwrap().pop();
            let Some(bug) = next else { return };
            match find(bug) {
                Some(report) => {
                    let violation = report.violation.unwrap();
                    println!(
                        "{bug:?}: seed {}, virtual second {}, {}: {}",
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
    println!("not found within {SEEDS} seeds: {missed:?}");
    let found = Bug::ALL.len() - missed.len();
    assert!(found >= FOUND, "{found} of {} bugs were found within {SEEDS} seeds, not: {missed:?}", Bug::ALL.len());
}
