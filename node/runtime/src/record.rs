//! What is kept on disk of one container, in a folder of its own below the runtime's: enough to start it, and to find it again after the
//! agent died. The agent writes `container.json`, the shim `state.json` and `exit.json`.
//!
//! Only `exit.json` is forced to the disk: after a power loss every container has ended, and all that can be told of it is that.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cluster_types::{Checks, PublishedPort};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ContainerConfig;
use crate::cgroup::Layout;
use crate::grant::Edits;
use crate::log::LogLimits;
use crate::process_id::ProcessId;
use crate::spec::ImageSettings;

/// Everything that a start needs.
///
/// Read again by later versions of the agent, which must find its containers: a new field needs a serde default, and none is ever renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What the agent asked for.
    pub config: ContainerConfig,
    /// Names the image in the node's store.
    pub image_id: String,
    /// The image's own settings.
    pub image: ImageSettings,
    /// Unpacked layers, lowest first.
    pub layers: Vec<PathBuf>,
    /// Network namespace to join; the host's, or a new one, when absent (see the spec's network mode).
    pub netns: Option<PathBuf>,
    /// Its first address.
    pub address: Option<String>,
    /// Its control group, from the root of each hierarchy.
    pub cgroup: String,
    /// How control groups are laid out here.
    pub layout: Layout,
    /// Host name in the container.
    pub hostname: String,
    /// How much log is kept.
    pub log: LogLimits,
    /// Host-mode ports, with their real numbers.
    pub ports: Vec<PublishedPort>,
    /// The boot that it was prepared in.
    pub boot: String,
    /// Its checks, the image's part included.
    #[serde(default)]
    pub checks: Checks,
    /// What its generic resources add to it.
    #[serde(default)]
    pub edits: Edits,
}

/// A container that was started: written by the shim before the start is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    /// The process that waits for it and keeps its log.
    pub(crate) keeper: ProcessId,
    /// PID 1 of the container.
    pub(crate) init: ProcessId,
    /// When, in milliseconds since the epoch.
    pub(crate) at: u64,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    /// 0 to 255; 128 + signal when a signal ended it.
    pub(crate) code: i32,
    /// Whether the kernel killed a process of it for want of memory.
    pub(crate) oom: bool,
    /// When, in milliseconds since the epoch.
    pub(crate) at: u64,
    /// What there is to say beyond the code.
    pub(crate) error: Option<String>,
}

/// The paths inside a container's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn container(&self) -> PathBuf {
        self.0.join("container.json")
    }
    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }
    pub(crate) fn exit(&self) -> PathBuf {
        self.0.join("exit.json")
    }
    /// Locked while a start is under way.
    pub(crate) fn lock(&self) -> PathBuf {
        self.container()
    }
    /// Where the launcher mounts a file system in memory that only it and the container's beginnings see.
    pub(crate) fn stage(&self) -> PathBuf {
        self.0.join("stage")
    }
    /// Mount point of the root file system, on the stage.
    pub(crate) fn root(&self) -> PathBuf {
        self.stage().join("root")
    }
    pub(crate) fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }
    pub(crate) fn work(&self) -> PathBuf {
        self.0.join("work")
    }
    pub(crate) fn hosts(&self) -> PathBuf {
        self.0.join("hosts")
    }
    pub(crate) fn hostname(&self) -> PathBuf {
        self.0.join("hostname")
    }
    pub(crate) fn resolv_conf(&self) -> PathBuf {
        self.0.join("resolv.conf")
    }
}

/// Makes a folder that only root may enter; one that is there is fine.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Replaces a JSON file in one step. With `durable` it also survives a power loss.
pub(crate) fn save<T: Serialize>(path: &Path, value: &T, durable: bool) -> io::Result<()> {
    let next = path.with_extension("next");
    let mut file = File::options().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
    file.write_all(&serde_json::to_vec(value).map_err(io::Error::other)?)?;
    if durable {
        file.sync_data()?;
    }
    std::fs::rename(&next, path)?;
    match path.parent() {
        Some(parent) if durable => File::open(parent)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

/// Reads a JSON file; none when it is not there.
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).map_err(io::Error::other)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names this boot of the host.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}
