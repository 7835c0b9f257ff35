//! The control group of one probe, below its container's: whatever the probe starts is in it, so all of it can be killed.
//!
//! With v1 only one hierarchy gets a group of its own, the freezer where there is one; in the others a probe is in its container's group,
//! and so held to the container's limits everywhere.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::poll::poll;

use super::{Layout, ROOT, child_groups, kill_tree};

/// Its name below the container's group begins so, and the prober's PID follows.
const PREFIX: &str = "probe-";
/// How long killed processes may take to go.
const TRIES: u32 = 200;
const PAUSE_MS: u8 = 10;

/// A group for one probe.
pub(crate) struct ProbeGroup {
    folder: PathBuf,
    /// The files that a process joins its groups by. Opened here: inside the container they cannot be.
    joins: Vec<File>,
}

impl Layout {
    /// Makes the group of a probe. There is one at a time: what an earlier one left, or still does for an agent that is gone, is killed.
    ///
    /// # Errors
    /// The container's group is not there: it has ended.
    pub(crate) fn probe_group(&self, container: &str) -> io::Result<ProbeGroup> {
        let own = self.own_hierarchy().join(container.trim_start_matches('/'));
        for earlier in child_groups(&own).into_iter().filter(|folder| is_probe(folder)) {
            ProbeGroup { folder: earlier, joins: Vec::new() }.end();
        }
        let folder = own.join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&folder)?;
        let others = self.folders(container).into_iter().filter(|other| *other != own);
        let joins = [folder.clone()].into_iter().chain(others).map(|dir| File::options().write(true).open(dir.join("cgroup.procs")));
        Ok(ProbeGroup { joins: joins.collect::<io::Result<_>>()?, folder })
    }

    fn own_hierarchy(&self) -> PathBuf {
        let has = |name: &&String, wanted: &str| name.split(',').any(|part| part == wanted);
        match self {
            Self::Unified => PathBuf::from(ROOT),
            Self::Split { controllers } => {
                let found = ["freezer", "pids"].iter().find_map(|wanted| controllers.iter().find(|name| has(name, wanted)));
                // A group of cpuset takes no process before it is given processors, so that one is the last choice.
                let any = || controllers.iter().find(|name| !has(name, "cpuset"));
                found.or_else(any).map_or_else(|| PathBuf::from(ROOT), |name| Path::new(ROOT).join(name))
            }
        }
    }
}

impl ProbeGroup {
    /// Moves the calling process into it.
    pub(crate) fn join(&self) -> io::Result<()> {
        // 0 is the writer itself, also where it is not known by the number that it has here.
        self.joins.iter().try_for_each(|mut file| file.write_all(b"0"))
    }

    /// Kills what is in it now.
    pub(crate) fn kill(&self) {
        kill_at_once(&self.folder);
    }

    /// Kills whatever is in it and takes it away. False when something does not end: then it goes with the container.
    pub(crate) fn end(self) -> bool {
        let cleared = clear(&self.folder);
        for _ in 0..TRIES {
            match fs::remove_dir(&self.folder) {
                Err(error) if cleared && error.raw_os_error() == Some(libc::EBUSY) => pause(),
                Ok(()) | Err(_) => break,
            }
        }
        cleared
    }
}

fn is_probe(folder: &Path) -> bool {
    folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
}

/// Kills until nothing is left.
fn clear(folder: &Path) -> bool {
    for _ in 0..TRIES {
        if fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().is_empty() {
            return true;
        }
        kill_at_once(folder);
        pause();
    }
    false
}

/// Only the prober waits here, a process without an async runtime.
fn pause() {
    let _ = poll(&mut [], PAUSE_MS);
}

/// One blow for all of them where the kernel has it (v2, 5.14). Elsewhere they are frozen meanwhile, so that none forks away from it.
fn kill_at_once(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let freezer = folder.join("freezer.state");
    let set = |state: &str| freezer.exists() && fs::write(&freezer, state).is_ok();
    let frozen = set("FROZEN");
    kill_tree(folder);
    if frozen {
        set("THAWED");
    }
}
