//! Every decision of the managers, as pure functions: a view of the replicated state, the time and a seed in; changes, reasons and the
//! moment to look again out. No I/O, no clock, no randomness of its own, ordered collections only.
//!
//! Begin with [`pass()`]: twelve steps in order, the whole product on one screen. The leader loop of `cluster-manager` calls it and proposes
//! what it returns.

pub mod admission;
mod allocate;
mod ascending;
pub mod assignment;
pub mod constraint;
pub mod cron;
pub mod dirty;
mod draft;
pub mod drain;
mod enforce;
mod job;
pub mod liveness;
pub mod membership;
mod moving;
pub mod network;
pub mod network_view;
mod orchestrate;
mod pass;
pub mod plan;
pub mod progress;
pub mod reap;
pub mod rebalance;
mod restart;
mod rollout;
pub mod schedule;
mod slots;
mod stopping;
pub mod validate;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod testbed;

pub use dirty::Dirty;
pub use job::{JobProgress, job_progress};
pub use moving::{DrainProgress, drain_progress};
pub use pass::{Note, Plan, pass};
