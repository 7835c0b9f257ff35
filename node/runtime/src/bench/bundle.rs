//! The same container as a bundle for another runtime.

use std::path::{Path, PathBuf};

use super::{StartBench, embedded};
use crate::record::{Record, private_dir};
use crate::spec::{self, Accounts, HostPaths};

/// A directory with `config.json` and the pieces of an overlay.
pub(super) struct Bundle {
    pub(super) dir: PathBuf,
    /// Options of the overlay that is to be mounted on `rootfs`.
    pub(super) overlay: String,
}

impl Bundle {
    /// Makes the bundle of one worker.
    pub(super) async fn make(bench: &StartBench, dir: &Path, worker: u32) -> Result<Self, String> {
        let record = record(bench, worker).await?;
        let dir = dir.join(worker.to_string());
        for part in ["rootfs", "upper", "work"] {
            private_dir(&dir.join(part)).map_err(|error| error.to_string())?;
        }
        for file in ["hosts", "hostname", "resolv.conf"] {
            std::fs::write(dir.join(file), "").map_err(|error| error.to_string())?;
        }
        let (root, hosts, hostname, resolv_conf) = (dir.join("rootfs"), dir.join("hosts"), dir.join("hostname"), dir.join("resolv.conf"));
        let paths = HostPaths { root: &root, hosts: &hosts, hostname: &hostname, resolv_conf: &resolv_conf };
        let spec = spec::build(&record, paths, &Accounts::default()).map_err(|error| error.to_string())?;
        spec.save(dir.join("config.json")).map_err(|error| error.to_string())?;
        let lower: Vec<String> = record.layers.iter().rev().map(|layer| layer.display().to_string()).collect();
        let overlay = format!("lowerdir={},upperdir={d}/upper,workdir={d}/work,volatile", lower.join(":"), d = dir.display());
        Ok(Self { dir, overlay })
    }
}

async fn record(bench: &StartBench, worker: u32) -> Result<Record, String> {
    let config = embedded::config(bench, worker);
    let mut record = bench.runtime.record_of(&config).await.map_err(|error| error.to_string())?;
    record.cgroup = format!("{}/other-{worker}", bench.runtime.cgroup_parent());
    Ok(record)
}
