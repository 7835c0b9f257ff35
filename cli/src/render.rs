//! What is printed, and how: pure functions from what is known to text, tested by snapshots.

pub(crate) mod age;
pub(crate) mod error;
pub(crate) mod inspect;
pub(crate) mod output;
pub(crate) mod paint;
pub(crate) mod plain;
pub(crate) mod pretty;
pub(crate) mod preview;
pub(crate) mod row;
pub(crate) mod table;
pub(crate) mod why;

#[cfg(test)]
pub(crate) mod tests;
