//! From what was asked for and what the image says to an OCI runtime spec. Pure: everything that is read from the host or the root file
//! system comes in as a value.
//!
//! Defaults are Docker's (capabilities, masked and read-only paths, devices, mounts); `docs/differences.md` lists where they are not.

pub mod capabilities;
mod devices;
mod mounts;
mod process;
mod resources;
mod user;

use std::path::Path;

use oci_spec::runtime::{Process, Spec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use cluster_types::{HealthSpec, NetworkMode};

use crate::record::Record;

pub use user::Accounts;

/// What an image says of how to run it (the `config` object of an OCI image configuration).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageSettings {
    /// Program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Arguments, replaced by the spec's.
    pub cmd: Vec<String>,
    /// `KEY=VALUE`.
    pub env: Vec<String>,
    /// Working directory; empty is `/`.
    pub workdir: String,
    /// `user[:group]`; empty is root.
    pub user: String,
    /// Such as `SIGQUIT` or `3`; empty is SIGTERM.
    pub stop_signal: String,
    /// The check that its author wants.
    #[serde(default)]
    pub health: Option<HealthSpec>,
}

/// Why no spec could be made: it would fail again, so the task is rejected with this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub String);

/// Paths on the host that are shown inside the container.
#[derive(Debug, Clone, Copy)]
pub struct HostPaths<'a> {
    /// Root file system.
    pub root: &'a Path,
    /// Becomes `/etc/hosts`.
    pub hosts: &'a Path,
    /// Becomes `/etc/hostname`.
    pub hostname: &'a Path,
    /// Becomes `/etc/resolv.conf`.
    pub resolv_conf: &'a Path,
}

/// Builds the runtime spec of a container.
///
/// # Errors
/// An unknown user, group, capability, limit or kernel parameter; nothing to run.
pub fn build(record: &Record, paths: HostPaths<'_>, accounts: &Accounts) -> Result<Spec, SpecError> {
    let spec = json!({
        "ociVersion": "1.0.2",
        "root": { "path": paths.root, "readonly": record.config.spec.container.read_only },
        "hostname": record.hostname,
        "process": process::process(record, accounts)?,
        "mounts": mounts::mounts(record, paths)?,
        "linux": linux(record)?,
    });
    serde_json::from_value(spec).map_err(|error| SpecError(format!("the container's spec cannot be expressed: {error}")))
}

/// The process alone: what a probe runs as, with another command.
///
/// # Errors
/// As [`build`].
pub fn process_of(record: &Record, accounts: &Accounts) -> Result<Process, SpecError> {
    let process = process::process(record, accounts)?;
    serde_json::from_value(process).map_err(|error| SpecError(format!("the container's process cannot be expressed: {error}")))
}

fn linux(record: &Record) -> Result<Value, SpecError> {
    let capabilities = capabilities::of(&record.config.spec.container, &record.layout)?;
    Ok(json!({
        "namespaces": namespaces(record),
        "cgroupsPath": record.cgroup,
        "resources": resources::resources(&record.config.spec.limits, &record.edits.devices),
        "devices": devices::nodes(&record.edits.devices),
        "sysctl": resources::sysctls(&record.config.spec)?,
        "maskedPaths": mounts::MASKED_PATHS,
        "readonlyPaths": mounts::READ_ONLY_PATHS,
        "seccomp": crate::seccomp::oci_section(&capabilities),
        "rootfsPropagation": "private",
    }))
}

fn namespaces(record: &Record) -> Value {
    let mut all: Vec<Value> = ["mount", "pid", "ipc", "uts", "cgroup"].iter().map(|kind| json!({ "type": kind })).collect();
    match (record.config.spec.network, &record.netns) {
        (NetworkMode::Host, _) => {}
        (NetworkMode::Default, Some(path)) => all.push(json!({ "type": "network", "path": path })),
        (NetworkMode::Default | NetworkMode::None, _) => all.push(json!({ "type": "network" })),
    }
    Value::Array(all)
}

#[cfg(test)]
mod tests;
