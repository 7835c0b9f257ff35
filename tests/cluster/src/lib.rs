//! Real daemons on several hosts of one machine, for the tests beside it. Hosts are namespaces (`deploy/lab`); a host can lose its power,
//! a daemon can be killed, a cable pulled. Everything is removed when the [`Lab`] is dropped, also after a failed test.
//!
//! Times are printed, never asserted: limits here only end a test that hangs.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test harness: what goes wrong must end the test with words"
)]

pub mod chance;
pub mod container;
pub mod kernel;
pub mod lab;
pub mod report;
pub mod traffic;
pub mod wrk;

pub use chance::Chance;
pub use container::{Container, containers, processes, processes_anywhere, serving};
pub use lab::{Answer, Lab};
pub use report::Report;
pub use wrk::Wrk;
