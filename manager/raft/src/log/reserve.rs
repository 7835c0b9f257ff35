//! The next segment, made ahead of need by a thread of its own.
//!
//! This is what keeps a full disk away from Raft: as long as the next segment can be made, there is room for a whole segment more. When it
//! cannot, [`Reserve::full`] says so, proposals are refused, and what is left of the running segment serves votes and what is under way.
//! The thread tries again each second, so all goes on by itself when space returns.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::segment::RESERVE;
use crate::disk::{Disk, DiskFile};

/// Time between two tries to make the reserve, while the disk is full.
const RETRY: Duration = Duration::from_secs(1);

/// The segment that is ready to be the next one.
pub struct Reserve {
    disk: Arc<dyn Disk>,
    size: u64,
    stage: Mutex<Stage>,
    changed: Condvar,
    full: watch::Sender<bool>,
    /// Whether there is no thread: a segment is made when it is wanted.
    is_inline: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Stage {
    Wanted,
    Ready(Box<dyn DiskFile>),
    Failed(io::ErrorKind, String),
    Stopped,
}

impl Reserve {
    /// Starts the thread; the first reserve is made at once.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(disk: Arc<dyn Disk>, size: u64) -> io::Result<Arc<Self>> {
        let reserve = Self::new(disk, size, false);
        let maker = reserve.clone();
        let thread = thread::Builder::new().name("raft-reserve".into()).spawn(move || maker.run())?;
        *reserve.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(reserve)
    }

    /// Without a thread, for a simulation: segments are made when they are wanted.
    #[must_use]
    pub fn without_thread(disk: Arc<dyn Disk>, size: u64) -> Arc<Self> {
        Self::new(disk, size, true)
    }

    fn new(disk: Arc<dyn Disk>, size: u64, is_inline: bool) -> Arc<Self> {
        Arc::new(Self {
            disk,
            size,
            stage: Mutex::new(Stage::Wanted),
            changed: Condvar::new(),
            full: watch::Sender::new(false),
            is_inline,
            thread: Mutex::default(),
        })
    }

    /// Whether the disk is too full for a further segment.
    pub fn full(&self) -> watch::Receiver<bool> {
        self.full.subscribe()
    }

    /// Size of the segments, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The disk would not take a write into space that it had promised.
    pub fn note_full(&self) {
        self.full.send_replace(true);
    }

    /// Takes the reserve as the segment `name`, and has the next one made. Waits while there is none.
    ///
    /// # Errors
    /// When the disk fails otherwise than by being full, or the log stops.
    pub fn take(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut stage = self.lock();
        loop {
            match std::mem::replace(&mut *stage, Stage::Wanted) {
                Stage::Ready(file) => {
                    self.disk.rename(RESERVE, name)?;
                    self.changed.notify_all();
                    return Ok(file);
                }
                Stage::Wanted if self.is_inline => {
                    let file = self.disk.create(RESERVE, self.size)?;
                    self.disk.rename(RESERVE, name)?;
                    return Ok(file);
                }
                Stage::Wanted => stage = self.changed.wait(stage).unwrap_or_else(PoisonError::into_inner),
                Stage::Failed(kind, text) => {
                    *stage = Stage::Failed(kind, text.clone());
                    return Err(io::Error::new(kind, text));
                }
                Stage::Stopped => {
                    *stage = Stage::Stopped;
                    return Err(io::Error::other("the log is stopping"));
                }
            }
        }
    }

    /// Ends whoever waits in [`Reserve::take`], and the thread; waits for its end, because it holds the directory.
    pub fn stop(&self) {
        *self.lock() = Stage::Stopped;
        self.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the maker of raft log segments panicked");
        }
    }

    fn run(&self) {
        let mut stage = self.lock();
        loop {
            match &*stage {
                Stage::Stopped | Stage::Failed(..) => return,
                Stage::Ready(_) => stage = self.changed.wait(stage).unwrap_or_else(PoisonError::into_inner),
                Stage::Wanted => {
                    drop(stage);
                    let made = self.disk.create(RESERVE, self.size);
                    stage = self.keep(made);
                }
            }
        }
    }

    fn keep(&self, made: io::Result<Box<dyn DiskFile>>) -> MutexGuard<'_, Stage> {
        let mut stage = self.lock();
        if matches!(*stage, Stage::Stopped) {
            return stage;
        }
        match made {
            Ok(file) => {
                *stage = Stage::Ready(file);
                self.changed.notify_all();
                if self.full.send_replace(false) {
                    tracing::info!("the disk has room for the raft log again");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                if !self.full.send_replace(true) {
                    tracing::warn!("the disk is full: no writes are taken until there is room for a further segment of the raft log");
                }
                stage = self.changed.wait_timeout(stage, RETRY).unwrap_or_else(PoisonError::into_inner).0;
            }
            Err(error) => {
                tracing::error!(%error, "a segment of the raft log cannot be made");
                *stage = Stage::Failed(error.kind(), error.to_string());
                self.changed.notify_all();
            }
        }
        stage
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
