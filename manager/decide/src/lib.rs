//! Every decision of the managers, as pure functions: a view of the replicated state, the time and a seed in; changes, reasons and the
//! moment to look again out. No I/O, no clock, no randomness of its own, ordered collections only.

pub mod assignment;
pub mod liveness;
pub mod membership;
pub mod reap;
pub mod validate;

#[cfg(test)]
mod samples;
