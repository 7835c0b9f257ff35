//! Many seeds, and the same seed twice.

#![expect(clippy::print_stdout, reason = "the table is for who reads the test's output")]

use std::sync::atomic::{AtomicU64, Ordering};

use cluster_sim::{Config, Table, run};

/// How many seeds every run of the tests lives: 3 virtual minutes of faults each, then as long as it takes to heal. The command lives 8.
const SEEDS: u64 = 300;

#[test]
fn whole_clusters_survive_their_faults() {
    let seeds = std::env::var("CLUSTER_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    let config = Config { minutes: 3, ..Config::default() };
    let next = AtomicU64::new(1);
    let work = || {
        let mut table = Table::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                return table;
            }
            table.add(run(seed, &config));
        }
    };
    let mut table = Table::default();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|worker| table.join(worker.join().unwrap()));
    });
    println!("{table}");
    table.failed.iter().for_each(|report| println!("{report}"));
    assert!(table.failed.is_empty(), "{} of {} seeds were violated", table.failed.len(), table.seeds);
    assert!(table.silent().is_empty(), "never fired: {:?}", table.silent());
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let config = Config { minutes: 1, ..Config::default() };
    for seed in 1..=4 {
        let (one, other) = (run(seed, &config), run(seed, &config));
        assert_eq!((one.hash, one.steps), (other.hash, other.steps), "seed {seed}");
        assert_ne!(one.hash, run(seed + 100, &config).hash);
    }
}
