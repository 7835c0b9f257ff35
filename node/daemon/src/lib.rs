//! The daemon: the composition root of a host.
//!
//! It reads the configuration, keeps the node's identity, starts the agent always and the manager when the node's role says so, and serves
//! the unix socket that the command line talks to. What it starts lives in other crates; here is only the wiring and the life cycle:
//! init, join, leave, promotion, demotion, renewal of the certificate, shutdown.

pub mod address;
pub mod config;
mod containers;
mod daemon;
mod data_path;
mod dial;
pub mod error;
mod gate;
mod generic;
mod host;
pub mod identity_store;
mod images;
mod init;
mod join;
mod leave;
mod local;
pub mod machine;
mod manager_side;
mod managers;
mod member;
mod names;
mod pool;
mod prober;
mod renewal;
pub mod socket;

pub use config::{ConfigError, DaemonConfig, Settings};
pub use daemon::run;
pub use error::DaemonError;
