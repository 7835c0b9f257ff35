//! The directory's snapshots: one current file, replaced by renaming, and temporary ones that never survive a restart.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cluster_state::State;

use super::snapshot::{SnapshotFile, Temporary, compose};
use crate::types::SnapshotMeta;

const CURRENT: &str = "snapshot";
/// Prefix of files that are being written.
const TEMPORARY: &str = "snapshot.";
/// Time between two tries to write a snapshot, while the disk is full.
const RETRY: Duration = Duration::from_secs(1);

/// The snapshots of one manager.
pub struct Snapshots {
    directory: PathBuf,
    current: Mutex<Option<(SnapshotMeta, SnapshotFile)>>,
    counter: AtomicU64,
}

impl Snapshots {
    /// Opens the current snapshot and removes what a crash left half-written.
    ///
    /// # Errors
    /// When the directory cannot be read or the snapshot is damaged.
    pub fn open(directory: &Path) -> io::Result<Self> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY)) {
                fs::remove_file(&path)?;
            }
        }
        let current = match File::open(directory.join(CURRENT)) {
            Ok(file) => {
                let file = SnapshotFile::new(file, None)?;
                Some((file.meta()?, file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { directory: directory.to_owned(), current: Mutex::new(current), counter: AtomicU64::new(0) })
    }

    /// The newest snapshot.
    #[must_use]
    pub fn current(&self) -> Option<(SnapshotMeta, SnapshotFile)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new empty file for a snapshot that is written or received.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn temporary(&self) -> io::Result<(File, Temporary)> {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.join(format!("{TEMPORARY}{number}"));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((file, Temporary(path)))
    }

    /// Writes a snapshot and makes it the current one, unless a newer one is there. Waits while the disk is full: a snapshot that comes
    /// late only means that the log grows, within its own reserve.
    ///
    /// # Errors
    /// Whatever the system says, except that the disk is full.
    pub fn build(&self, meta: &SnapshotMeta, state: &State) -> io::Result<SnapshotFile> {
        let bytes = compose(meta, state)?;
        let mut told = false;
        loop {
            match self.write(&bytes) {
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(bytes = bytes.len(), "the disk is full: the snapshot waits for room");
                    }
                    wait();
                }
                written => {
                    let file = written?;
                    self.make_current(meta, &file)?;
                    return Ok(file);
                }
            }
        }
    }

    /// Checks a snapshot, makes it the current one and gives its state.
    ///
    /// # Errors
    /// When it is damaged, is not what `meta` says, or cannot be kept.
    pub fn install(&self, meta: &SnapshotMeta, snapshot: &SnapshotFile) -> io::Result<State> {
        if snapshot.meta()? != *meta {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the snapshot covers other entries than its sender says"));
        }
        let state = snapshot.state()?;
        let ours = snapshot.temporary.as_ref().is_some_and(|temporary| temporary.0.parent() == Some(&*self.directory));
        let file = if ours { snapshot.clone() } else { self.write(&snapshot.bytes()?)? };
        self.make_current(meta, &file)?;
        Ok(state)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<SnapshotFile> {
        let (mut file, temporary) = self.temporary()?;
        file.write_all(bytes)?;
        file.sync_all()?;
        SnapshotFile::new(file, Some(temporary))
    }

    fn make_current(&self, meta: &SnapshotMeta, file: &SnapshotFile) -> io::Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was received while this one was built is newer.
        if current.as_ref().is_some_and(|(newest, _)| newest.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        if let Some(temporary) = &file.temporary {
            fs::rename(&temporary.0, self.directory.join(CURRENT))?;
            File::open(&self.directory)?.sync_all()?;
        }
        *current = Some((meta.clone(), file.kept()));
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "it runs on a thread that may block")]
fn wait() {
    thread::sleep(RETRY);
}
