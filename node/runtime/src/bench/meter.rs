//! CPU time of this process, its children and the containers: they are in two control groups whose clocks are read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StartBench;
use crate::cgroup::Layout;

/// Holds this process in a group of its own until it is dropped.
pub(super) struct CpuMeter {
    /// Of this process and the tools that it starts.
    own: PathBuf,
    /// Of the containers of this node.
    containers: PathBuf,
    /// Where this process was before.
    home: PathBuf,
    layout: Layout,
}

impl CpuMeter {
    pub(super) fn start(bench: &StartBench) -> io::Result<Self> {
        let layout = Layout::detect()?;
        let root = PathBuf::from(match &layout {
            Layout::Unified => "/sys/fs/cgroup".to_owned(),
            Layout::Split { controllers } => {
                let clock = controllers.iter().find(|name| name.split(',').any(|part| part == "cpuacct"));
                format!("/sys/fs/cgroup/{}", clock.ok_or_else(|| io::Error::other("there is no cpuacct controller"))?)
            }
        });
        let parent = bench.runtime.cgroup_parent();
        let name = parent.trim_start_matches('/');
        let (own, containers) = (root.join(format!("{name}-bench")), root.join(name));
        std::fs::create_dir_all(&own)?;
        std::fs::create_dir_all(&containers)?;
        std::fs::write(own.join("cgroup.procs"), std::process::id().to_string())?;
        Ok(Self { own, containers, home: root, layout })
    }

    /// CPU time of everything so far.
    pub(super) fn used(&self) -> io::Result<Duration> {
        Ok(self.clock(&self.own)? + self.clock(&self.containers)?)
    }

    fn clock(&self, group: &Path) -> io::Result<Duration> {
        let invalid = || io::Error::other("unreadable clock of a control group");
        match &self.layout {
            Layout::Unified => {
                let text = std::fs::read_to_string(group.join("cpu.stat"))?;
                let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).ok_or_else(invalid)?;
                usage.parse().map(Duration::from_micros).map_err(|_| invalid())
            }
            Layout::Split { .. } => {
                let text = std::fs::read_to_string(group.join("cpuacct.usage"))?;
                text.trim().parse().map(Duration::from_nanos).map_err(|_| invalid())
            }
        }
    }
}

impl Drop for CpuMeter {
    fn drop(&mut self) {
        // A child that was just forked may appear after a look at the list, so the group is emptied until it can be removed.
        for _ in 0..100 {
            let processes = std::fs::read_to_string(self.own.join("cgroup.procs")).unwrap_or_default();
            for pid in processes.lines() {
                let _ = std::fs::write(self.home.join("cgroup.procs"), pid);
            }
            if std::fs::remove_dir(&self.own).is_ok() {
                break;
            }
        }
        remove_everywhere(&self.containers);
    }
}

/// Removes an empty group from all hierarchies: other runtimes also make it where the embedded one does not look.
pub(super) fn remove_everywhere(group: &Path) {
    let name = group.file_name().unwrap_or_default();
    for root in std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten() {
        let _ = std::fs::remove_dir(root.path().join(name));
    }
    let _ = std::fs::remove_dir(group);
}
