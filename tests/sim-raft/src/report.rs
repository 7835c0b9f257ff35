//! What came of one seed, and of many.

use std::fmt;

use crate::fault::Class;

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// How.
    pub text: String,
}

/// What came of one seed.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Virtual milliseconds that passed.
    pub millis: u64,
    /// How often each class of faults did something.
    pub fired: [u64; Class::ALL.len()],
    /// Entries that were applied.
    pub entries: u64,
    /// Requests that were acknowledged.
    pub acknowledged: u64,
    /// Reads that were confirmed.
    pub reads: u64,
    /// Terms in which somebody was elected.
    pub terms: u64,
    /// Terms in which more than one was, which openraft allows.
    pub shared_terms: u64,
    /// Bytes that power cuts took.
    pub lost_bytes: u64,
    /// Virtual milliseconds from the last fault until everything was as it should be.
    pub healed_in: u64,
    /// Over all that happened.
    pub hash: u64,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// The last lines of the trace.
    pub lines: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let (seed, second) = (self.seed, self.millis / 1_000);
        writeln!(f, "seed {seed}, virtual second {second}, trace {:016x}", self.hash)?;
        if let Some(violation) = &self.violation {
            writeln!(f, "{} does not hold: {}", violation.invariant, violation.text)?;
        }
        write!(f, "repeat: cargo run -p cluster-sim-raft --release -- --start {seed} --seeds 1 --trace")
    }
}

/// What came of many seeds.
#[derive(Debug, Clone, Default)]
pub struct Table {
    seeds: u64,
    millis: u64,
    entries: u64,
    acknowledged: u64,
    reads: u64,
    terms: u64,
    shared_terms: u64,
    lost_bytes: u64,
    healed_in: u64,
    fired: [u64; Class::ALL.len()],
    /// Those with a violation.
    pub failed: Vec<Report>,
}

impl Table {
    /// Adds a seed.
    pub fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.millis += report.millis;
        self.entries += report.entries;
        self.acknowledged += report.acknowledged;
        self.reads += report.reads;
        self.terms += report.terms;
        self.shared_terms += report.shared_terms;
        self.lost_bytes += report.lost_bytes;
        self.healed_in = self.healed_in.max(report.healed_in);
        for (sum, fired) in self.fired.iter_mut().zip(report.fired) {
            *sum += fired;
        }
        if report.violation.is_some() {
            self.failed.push(report);
            self.failed.sort_by_key(|report| report.seed);
        }
    }

    /// The classes of faults that never did anything.
    #[must_use]
    pub fn silent(&self) -> Vec<Class> {
        Class::ALL.into_iter().filter(|class| self.fired[*class as usize] == 0).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            ("seeds", self.seeds),
            ("virtual minutes", self.millis / 60_000),
            ("entries", self.entries),
            ("acknowledged writes", self.acknowledged),
            ("confirmed reads", self.reads),
            ("terms with a leader", self.terms),
            ("terms with two elected", self.shared_terms),
            ("bytes lost to cuts", self.lost_bytes),
            ("longest to heal, ms", self.healed_in),
        ];
        let faults = Class::ALL.into_iter().map(|class| (class.word(), self.fired[class as usize]));
        for (word, number) in rows.into_iter().chain(faults) {
            writeln!(f, "{word:<24}{number:>12}")?;
        }
        write!(f, "{:<24}{:>12}", "violations", self.failed.len())
    }
}
