//! What a simulator's tests prove: nothing is violated whatever happens, everything happens, and the same seed gives the same life.

#![expect(clippy::print_stdout, reason = "the table is for who reads the test's output")]

use std::collections::BTreeSet;

use crate::many::many;
use crate::{Config, Simulator};

impl Simulator {
    /// Fails unless nothing is violated in so many seeds, of so many seconds each, and every class of faults does something.
    pub fn prove(&self, seeds: u64, seconds: u64) {
        let table = many(1..seeds + 1, |seed| (self.run)(seed, Config { seconds, aloud: false }));
        println!("{table}");
        let failed: Vec<String> = table.failed.iter().map(ToString::to_string).collect();
        assert!(failed.is_empty(), "{}\n\n{} of {seeds} seeds were violated", failed.join("\n\n"), failed.len());
        assert!(table.silent().is_empty(), "never fired: {:?}", table.silent());
    }

    /// Fails unless each of so many seeds, of so many seconds each, has the same life twice and another than the others.
    pub fn prove_sameness(&self, seeds: u64, seconds: u64) {
        let live = |seed| (self.run)(seed, Config { seconds, aloud: false }).trace.hash();
        let mut lives = BTreeSet::new();
        for seed in 1..=seeds {
            let hash = live(seed);
            assert_eq!(hash, live(seed), "seed {seed} has another life the second time");
            assert!(lives.insert(hash), "seed {seed} has the life of another");
        }
    }
}
