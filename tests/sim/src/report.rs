//! What came of one seed, and of many.

use std::fmt;

use crate::fault::Class;
use crate::invariants::Violation;

/// What came of one seed.
#[derive(Debug, Clone)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Steps that were taken.
    pub steps: u64,
    /// Virtual milliseconds that passed.
    pub millis: u64,
    /// How often each class of faults did something.
    pub fired: [u64; Class::ALL.len()],
    /// Entries that were committed.
    pub entries: u64,
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
        writeln!(f, "seed {seed}, step {}, virtual second {second}, trace {:016x}", self.steps, self.hash)?;
        if let Some(violation) = &self.violation {
            writeln!(f, "{} does not hold: {}", violation.invariant, violation.text)?;
        }
        write!(f, "repeat: cargo run -p cluster-sim --release -- --start {seed} --seeds 1 --trace")
    }
}

/// What came of many seeds.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// How many.
    pub seeds: u64,
    /// Their steps.
    pub steps: u64,
    /// Their virtual milliseconds.
    pub millis: u64,
    /// Their committed entries.
    pub entries: u64,
    /// How often each class of faults did something.
    pub fired: [u64; Class::ALL.len()],
    /// The longest time that one took to heal.
    pub healed_in: u64,
    /// Those with a violation.
    pub failed: Vec<Report>,
}

impl Table {
    /// Adds a seed.
    pub fn add(&mut self, report: Report) {
        self.seeds += 1;
        self.steps += report.steps;
        self.millis += report.millis;
        self.entries += report.entries;
        self.healed_in = self.healed_in.max(report.healed_in);
        for (sum, fired) in self.fired.iter_mut().zip(report.fired) {
            *sum += fired;
        }
        if report.violation.is_some() {
            self.failed.push(report);
        }
    }

    /// Adds the seeds of another table.
    pub fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.millis += other.millis;
        self.entries += other.entries;
        self.healed_in = self.healed_in.max(other.healed_in);
        for (sum, fired) in self.fired.iter_mut().zip(other.fired) {
            *sum += fired;
        }
        self.failed.extend(other.failed);
        self.failed.sort_by_key(|report| report.seed);
    }

    /// The classes of faults that never did anything.
    #[must_use]
    pub fn silent(&self) -> Vec<Class> {
        Class::ALL.into_iter().filter(|class| self.fired[*class as usize] == 0).collect()
    }

    /// Whether nothing was violated and every class of faults fired.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.silent().is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.millis / 60_000;
        writeln!(f, "{:<24}{:>12}", "seeds", self.seeds)?;
        writeln!(f, "{:<24}{:>12}", "virtual minutes", minutes)?;
        writeln!(f, "{:<24}{:>12}", "steps", self.steps)?;
        writeln!(f, "{:<24}{:>12}", "entries", self.entries)?;
        writeln!(f, "{:<24}{:>12}", "longest to heal, s", self.healed_in / 1_000)?;
        for class in Class::ALL {
            writeln!(f, "{:<24}{:>12}", class.word(), self.fired[class as usize])?;
        }
        write!(f, "{:<24}{:>12}", "violations", self.failed.len())
    }
}
