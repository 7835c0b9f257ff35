//! What the simulators share: chance by seed, a trace of what happened, reports and tables of many seeds, the command that lives them, and
//! what a simulator's tests prove. What is simulated, what may go wrong and what must hold is each simulator's own (`cluster-sim`,
//! `cluster-sim-raft`).

mod chance;
mod class;
mod command;
#[cfg(feature = "bugs")]
mod hunt;
mod many;
mod proof;
mod report;
mod table;
mod trace;

pub use chance::Chance;
pub use report::{Report, Violation};
pub use table::Row;
pub use trace::Trace;

/// A simulator, as its command and its tests see it.
#[derive(Debug, Clone, Copy)]
pub struct Simulator {
    /// Its package, which is also its program.
    pub name: &'static str,
    /// The options that its command takes, for who gives another.
    pub usage: &'static str,
    /// Virtual seconds with faults, unless the command says otherwise.
    pub seconds: u64,
    /// Lives one seed.
    pub run: fn(u64, Config) -> Report,
}

/// How a seed is lived.
#[derive(Debug, Clone, Copy, Default)]
pub struct Config {
    /// Virtual seconds with faults.
    pub seconds: u64,
    /// Whether each line of the trace is printed at once.
    pub aloud: bool,
}
