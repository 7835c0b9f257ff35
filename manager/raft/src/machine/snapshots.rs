//! A disk's snapshots: one current file, replaced by renaming, and temporary ones that never survive a restart.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cluster_state::State;
use cluster_types::bug;

use super::snapshot::{SnapshotFile, Temporary, compose};
use crate::disk::{Disk, DiskFile};
use crate::types::SnapshotMeta;

const CURRENT: &str = "snapshot";
/// Prefix of files that are being written.
const TEMPORARY: &str = "snapshot.";
/// Time between two tries to write a snapshot, while the disk is full.
const RETRY: Duration = Duration::from_secs(1);

/// The snapshots of one manager.
pub struct Snapshots {
    disk: Arc<dyn Disk>,
    current: Mutex<Option<(SnapshotMeta, SnapshotFile)>>,
    counter: AtomicU64,
}

impl Snapshots {
    /// Opens the current snapshot and removes what a crash left half-written.
    ///
    /// # Errors
    /// When the directory cannot be read or the snapshot is damaged.
    pub fn open(disk: Arc<dyn Disk>) -> io::Result<Self> {
        for name in disk.names()?.iter().filter(|name| name.starts_with(TEMPORARY)) {
            disk.remove(name)?;
        }
        let current = match disk.open(CURRENT) {
            Ok(file) => {
                let file = SnapshotFile::new(file, None)?;
                Some((file.meta()?, file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { disk, current: Mutex::new(current), counter: AtomicU64::new(0) })
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
    pub fn temporary(&self) -> io::Result<(Box<dyn DiskFile>, Temporary)> {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let name = format!("{TEMPORARY}{number}");
        let file = self.disk.create(&name, 0)?;
        Ok((file, Temporary { disk: self.disk.clone(), name }))
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
        let ours = snapshot.temporary.as_ref().is_some_and(|temporary| Arc::ptr_eq(&temporary.disk, &self.disk));
        let file = if ours { snapshot.clone() } else { self.write(&snapshot.bytes()?)? };
        self.make_current(meta, &file)?;
        Ok(state)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<SnapshotFile> {
        let (file, temporary) = self.temporary()?;
        file.write_at(0, bytes)?;
        if !bug!(SnapshotNotSynced) {
            file.sync()?;
        }
        SnapshotFile::new(file, Some(temporary))
    }

    fn make_current(&self, meta: &SnapshotMeta, file: &SnapshotFile) -> io::Result<()> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was received while this one was built is newer.
        if current.as_ref().is_some_and(|(newest, _)| newest.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        if let Some(temporary) = &file.temporary {
            self.disk.rename(&temporary.name, CURRENT)?;
        }
        *current = Some((meta.clone(), file.kept()));
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "it runs on a thread that may block")]
fn wait() {
    thread::sleep(RETRY);
}
