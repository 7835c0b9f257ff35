//! Runs the containers of a node.
//!
//! [`Runtime`] is what the agent sees; it knows nothing of services, managers or desired states. Two things implement it: the
//! [`fake`] for simulations and benchmarks, and the embedded runtime (libcontainer in a shim process for each container). Both pass the same conformance suite.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod fake;
pub mod runtime;

pub use fake::FakeRuntime;
pub use runtime::{ContainerConfig, ContainerEvent, LogLine, LogOptions, LogStream, Runtime, RuntimeError};
