//! The task machine of a node: what is wanted, what is observed and what is remembered become the next action and a status.
//!
//! Pure: it reads no clock and touches nothing. The agent's worker carries the actions out and hands their outcomes back; the simulation
//! drives the same functions. It does not know managers, sessions or runtimes.

pub mod action;
pub mod fence;
pub mod memory;
pub mod probe;
pub mod slot;
pub mod step;

#[cfg(test)]
mod samples;

pub use action::{Action, Outcome};
pub use fence::{Fence, Refused, Sequence};
pub use memory::TaskMemory;
pub use probe::Verdict;
pub use slot::{Busy, Slot, Turn};
pub use step::{Step, step};
