//! What came of many seeds.

use std::fmt;

use crate::report::Report;

/// A number of one seed or of many, and how those of many become one.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    word: &'static str,
    number: u64,
    join: fn(u64, u64) -> u64,
    unit: u64,
}

impl Row {
    /// The sum of all.
    #[must_use]
    pub fn sum(word: &'static str, number: u64) -> Self {
        Self { word, number, join: std::ops::Add::add, unit: 1 }
    }

    /// The largest of all.
    #[must_use]
    pub fn most(word: &'static str, number: u64) -> Self {
        Self { join: Ord::max, ..Self::sum(word, number) }
    }

    /// Printed in a larger unit than it is counted in.
    #[must_use]
    pub fn per(self, unit: u64) -> Self {
        Self { unit, ..self }
    }

    /// One for each class of faults, in their order.
    #[must_use]
    pub fn faults(words: &[&'static str], fired: &[u64]) -> Vec<Self> {
        words.iter().zip(fired).map(|(word, fired)| Self::sum(word, *fired)).collect()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Table {
    seeds: u64,
    rows: Vec<Row>,
    faults: Vec<Row>,
    /// Those with a violation.
    pub(crate) failed: Vec<Report>,
}

impl Table {
    /// Adds a seed.
    pub(crate) fn add(&mut self, report: Report) {
        self.seeds += 1;
        join(&mut self.rows, &report.rows);
        join(&mut self.faults, &report.faults);
        if report.violation.is_some() {
            self.failed.push(report);
            self.failed.sort_by_key(|report| report.seed);
        }
    }

    /// The classes of faults that never did anything.
    pub(crate) fn silent(&self) -> Vec<&'static str> {
        self.faults.iter().filter(|row| row.number == 0).map(|row| row.word).collect()
    }
}

fn join(all: &mut Vec<Row>, rows: &[Row]) {
    if all.is_empty() {
        return all.extend(rows);
    }
    for (all, row) in all.iter_mut().zip(rows) {
        all.number = (all.join)(all.number, row.number);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<24}{:>12}", "seeds", self.seeds)?;
        for row in self.rows.iter().chain(&self.faults) {
            writeln!(f, "{:<24}{:>12}", row.word, row.number / row.unit)?;
        }
        write!(f, "{:<24}{:>12}", "violations", self.failed.len())
    }
}
