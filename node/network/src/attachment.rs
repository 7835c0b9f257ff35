//! What a container was given, as a file for each task: an agent that starts again finds what its containers use.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use cluster_types::{PublishedPort, TaskAddress, TaskId};
use serde::{Deserialize, Serialize};

use crate::NetworkError;

/// What a container was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// File of its network namespace.
    pub netns: PathBuf,
    /// Its address in each of its networks.
    pub addresses: Vec<TaskAddress>,
    /// Its host-mode ports, with their real numbers.
    pub ports: Vec<PublishedPort>,
}

/// An attachment with the number that its link and its namespace are named after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) index: u32,
    pub(crate) attachment: Attachment,
}

/// The attachments of a host on disk.
#[derive(Debug)]
pub(crate) struct Ledger {
    dir: PathBuf,
}

impl Ledger {
    pub(crate) fn open(dir: PathBuf) -> Result<Self, NetworkError> {
        fs::create_dir_all(&dir).map_err(NetworkError::file("making the directory of attachments"))?;
        Ok(Self { dir })
    }

    /// Everything that is recorded; what cannot be read is dropped, its namespace is then unknown and goes.
    pub(crate) fn load(&self) -> Result<BTreeMap<TaskId, Record>, NetworkError> {
        let entries = fs::read_dir(&self.dir).map_err(NetworkError::file("reading the attachments"))?;
        Ok(entries.flatten().filter_map(|entry| load(&entry.path())).collect())
    }

    pub(crate) fn save(&self, task: TaskId, record: &Record) -> Result<(), NetworkError> {
        let step = "saving an attachment";
        let text = serde_json::to_vec(record).map_err(NetworkError::kernel(step))?;
        let (path, fresh) = (self.path(task), self.dir.join(format!(".{task}")));
        let write = || -> std::io::Result<()> {
            fs::File::create(&fresh)?.write_all(&text)?;
            fs::rename(&fresh, &path)
        };
        write().map_err(NetworkError::file(step))
    }

    pub(crate) fn forget(&self, task: TaskId) {
        let _ = fs::remove_file(self.path(task));
    }

    fn path(&self, task: TaskId) -> PathBuf {
        self.dir.join(task.to_string())
    }
}

fn load(path: &Path) -> Option<(TaskId, Record)> {
    let task = path.file_name()?.to_str()?.parse().ok()?;
    Some((task, serde_json::from_slice(&fs::read(path).ok()?).ok()?))
}
