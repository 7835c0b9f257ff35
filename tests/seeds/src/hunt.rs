//! Planted bugs: most must be found within a fixed number of seeds, or a simulation proves little.

#![expect(clippy::print_stdout, reason = "the table is for who reads the test's output")]

use std::sync::{Mutex, PoisonError};

use cluster_types::bug::{Bug, plant};

use crate::many::share;
use crate::{Config, Simulator};

/// The bug of this name.
pub(crate) fn bug(name: &str) -> Option<Bug> {
    Bug::ALL.iter().chain(Bug::LOG).copied().find(|bug| format!("{bug:?}") == name)
}

impl Simulator {
    /// Fails unless `least` of the bugs at least are found within so many seeds, of so many seconds each.
    pub fn hunt(&self, bugs: &[Bug], seeds: u64, seconds: u64, least: usize) {
        let missed = Mutex::new(Vec::new());
        share(bugs.iter(), |bug| match self.find(*bug, seeds, Config { seconds, aloud: false }) {
            Some(found) => println!("{bug:?}: {found}"),
            None => missed.lock().unwrap_or_else(PoisonError::into_inner).push(bug),
        });
        let missed = missed.into_inner().unwrap_or_default();
        println!("not found within {seeds} seeds: {missed:?}");
        let found = bugs.len() - missed.len();
        assert!(found >= least, "{found} of {} bugs were found within {seeds} seeds, not: {missed:?}", bugs.len());
    }

    /// The first seed that finds a bug, and finds nothing without it.
    fn find(&self, bug: Bug, seeds: u64, config: Config) -> Option<String> {
        (1..=seeds).find_map(|seed| {
            plant(Some(bug));
            let report = (self.run)(seed, config);
            plant(None);
            let violation = report.violation?;
            (self.run)(seed, config).violation.is_none().then(|| format!("seed {seed}, {}, {violation}", report.end))
        })
    }
}
