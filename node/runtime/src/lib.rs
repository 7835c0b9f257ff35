//! Runs the containers of a node.
//!
//! [`Runtime`] is what the agent sees; it knows nothing of services, managers or desired states. Two things implement it: the
//! [`fake`] for simulations and benchmarks, and the embedded runtime (libcontainer in a shim process for each container). Both pass the same conformance suite.

mod async_fd;
pub mod bench;
mod cgroup;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod embedded;
pub mod fake;
pub mod grant;
pub mod log;
mod process_id;
pub mod record;
pub mod runtime;
mod seccomp;
pub mod shim;
mod signal;
pub mod spec;

pub use embedded::{EmbeddedConfig, EmbeddedRuntime, ImageHold, ImageSource, LocalImage, ShimCommand};
pub use fake::{FakeProbe, FakeRuntime};
pub use log::LogLimits;
pub use runtime::{ContainerConfig, ContainerEvent, LogLine, LogOptions, LogStream, ProbeOutcome, Runtime, RuntimeError};
