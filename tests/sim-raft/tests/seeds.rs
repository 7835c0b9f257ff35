//! Some seeds in every run of the tests; many more with the program.

use cluster_sim_raft::{Config, Table, run};

/// Seeds, two at a time.
const SEEDS: u64 = 24;

#[test]
fn nothing_is_violated_and_every_fault_fires() {
    let config = Config { seconds: 30, ..Config::default() };
    let lives = |first: u64| move || (first..=SEEDS).step_by(2).map(|seed| run(seed, &config)).collect::<Vec<_>>();
    let mut table = Table::default();
    std::thread::scope(|scope| {
        let threads = [scope.spawn(lives(1)), scope.spawn(lives(2))];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).for_each(|report| table.add(report));
    });
    let failed: Vec<String> = table.failed.iter().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(table.silent().is_empty(), "{table}\nnever fired: {:?}", table.silent());
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let config = Config { seconds: 20, ..Config::default() };
    let twice = |seed| (run(seed, &config).hash, run(seed, &config).hash);
    let mut hashes = Vec::new();
    for seed in 1..=3 {
        let (first, second) = twice(seed);
        assert_eq!(first, second, "seed {seed}");
        hashes.push(first);
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 3, "different seeds give different lives");
}
