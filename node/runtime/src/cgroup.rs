//! The control groups of containers: where the host has them, what the kernel says of one, and taking it away.
//!
//! Making a group and setting its limits is libcontainer's task. This module knows the layout (v2, v1, or the hybrid of v1 controllers with
//! an empty v2 tree), reads out-of-memory kills, kills what is left in a group and removes it. Called by the keeper and the agent.

mod probe;

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::fs::statfs;
use serde::{Deserialize, Serialize};

pub(crate) use probe::ProbeGroup;

/// Where distributions mount the hierarchies.
const ROOT: &str = "/sys/fs/cgroup";

/// Magic number of a cgroup2 file system (`CGROUP2_SUPER_MAGIC` in `linux/magic.h`).
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// How the host's hierarchies are laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// One tree with every controller.
    Unified,
    /// A tree for each v1 controller (the hybrid layout is this one too: its v2 tree has no controller that is used here).
    Split {
        /// Names of the mounted controllers' folders below `/sys/fs/cgroup`, such as `memory` or `cpu,cpuacct`.
        controllers: Vec<String>,
    },
}

/// Controllers that libcontainer makes groups in.
const CONTROLLERS: [&str; 10] = ["cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "pids", "perf_event", "blkio"];

impl Layout {
    /// Looks at the host.
    pub fn detect() -> io::Result<Self> {
        if u64::try_from(statfs(ROOT)?.f_type) == Ok(CGROUP2_MAGIC) {
            return Ok(Self::Unified);
        }
        let mut controllers = Vec::new();
        for entry in std::fs::read_dir(ROOT)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() && name.split(',').any(|part| CONTROLLERS.contains(&part)) {
                controllers.push(name);
            }
        }
        controllers.sort();
        Ok(Self::Split { controllers })
    }

    /// The folders of a group in every hierarchy that has one.
    pub(crate) fn folders(&self, group: &str) -> Vec<PathBuf> {
        let relative = group.trim_start_matches('/');
        match self {
            Self::Unified => vec![Path::new(ROOT).join(relative)],
            Self::Split { controllers } => controllers.iter().map(|name| Path::new(ROOT).join(name).join(relative)).collect(),
        }
    }

    /// How many processes of a group the kernel killed for want of memory.
    pub(crate) fn oom_kills(&self, group: &str) -> u64 {
        let relative = group.trim_start_matches('/');
        let file = match self {
            Self::Unified => Path::new(ROOT).join(relative).join("memory.events"),
            Self::Split { .. } => Path::new(ROOT).join("memory").join(relative).join("memory.oom_control"),
        };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")).and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    /// SIGKILL to every process of a group and of the groups below it.
    pub(crate) fn kill(&self, group: &str) {
        // The v1 freezer and the v2 tree both list every process; one hierarchy is enough.
        for folder in self.folders(group) {
            kill_tree(&folder);
        }
    }

    /// Removes a group and the groups below it. A group that is not there is fine.
    ///
    /// # Errors
    /// The first folder that could not be removed, usually because a process is still in it.
    pub(crate) fn remove(&self, group: &str) -> io::Result<()> {
        let mut outcome = Ok(());
        for folder in self.folders(group) {
            let removed = remove_tree(&folder);
            if outcome.is_ok() {
                outcome = removed;
            }
        }
        outcome
    }

    /// Removes a parent group when nothing is in it.
    pub(crate) fn remove_if_empty(&self, group: &str) {
        for folder in self.folders(group) {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn kill_tree(folder: &Path) {
    for child in child_groups(folder) {
        kill_tree(&child);
    }
    let processes = std::fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 1) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn remove_tree(folder: &Path) -> io::Result<()> {
    for child in child_groups(folder) {
        remove_tree(&child)?;
    }
    match std::fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn child_groups(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}
