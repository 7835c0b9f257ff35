//! What came of one seed.

use std::fmt;

use crate::table::Row;
use crate::trace::Trace;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which, such as `I8`.
    pub invariant: &'static str,
    /// What was seen.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not hold: {}", self.invariant, self.text)
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Report {
    /// The package of the simulator.
    pub simulator: &'static str,
    /// The seed.
    pub seed: u64,
    /// When it ended, such as `virtual second 8`.
    pub end: String,
    /// What the simulator counts.
    pub rows: Vec<Row>,
    /// How often each class of faults did something.
    pub faults: Vec<Row>,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// What happened.
    pub trace: Trace,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { simulator, seed, end, .. } = self;
        for line in self.trace.lines() {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "seed {seed}, {end}, trace {:016x}", self.trace.hash())?;
        if let Some(violation) = &self.violation {
            writeln!(f, "{violation}")?;
        }
        write!(f, "repeat: cargo run -p {simulator} --release -- --start {seed} --seeds 1 --trace")
    }
}
