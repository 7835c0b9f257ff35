//! The ledger: what the node was told and what it knows of its tasks, on disk before anything is done about it.
//!
//! An append-only file of records, each with its length and checksum; now and then rewritten as a checkpoint. A torn tail, left by a crash,
//! is dropped. Damage before intact records makes the whole file untrustworthy: an old wish could start a task that has ended since. It is
//! put aside, and the agent goes on with what runs until the managers tell it everything again.
//!
//! Blocking I/O: the worker, its only writer, calls it from a blocking thread.

mod file;
mod record;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use record::{Contents, Record};

use file::LogFile;

/// A log is rewritten when it is this many times the size of the last checkpoint …
const GROWTH: u64 = 4;
/// … and larger than this, in bytes.
const SMALL: u64 = 1 << 20;

/// Why the ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("the ledger {path} cannot be {what}: {source}")]
    Io {
        /// Its file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A record does not fit the format; a defect.
    #[error("a record of the ledger cannot be encoded: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

/// The ledger of one agent.
#[derive(Debug)]
pub(crate) struct Ledger {
    contents: Contents,
    /// None in memory only: fake agents.
    log: Option<LogFile>,
    checkpoint_size: u64,
    /// What was asked of it.
    #[cfg(test)]
    pub(crate) asked: Asked,
}

/// Counts, for tests.
#[cfg(test)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) writes: u64,
    pub(crate) durable: u64,
    pub(crate) failed: u64,
}

/// A ledger as it was found.
pub(crate) struct Opened {
    pub(crate) ledger: Ledger,
    /// Where a damaged file was put, when there was one.
    pub(crate) damaged: Option<PathBuf>,
}

impl Ledger {
    /// A ledger that lives as long as the agent. For fakes.
    pub(crate) fn in_memory() -> Self {
        Self::over(None)
    }

    fn over(log: Option<LogFile>) -> Self {
        Self {
            contents: Contents::default(),
            log,
            checkpoint_size: 0,
            #[cfg(test)]
            asked: Asked::default(),
        }
    }

    /// Opens or makes the ledger in a folder.
    pub(crate) fn open(folder: &Path) -> Result<Opened, LedgerError> {
        let (log, found) = LogFile::open(folder)?;
        let mut ledger = Self::over(Some(log));
        let damaged = match found {
            file::Found::Records(records) => {
                records.into_iter().for_each(|record| ledger.contents.apply(record));
                None
            }
            file::Found::Damaged(aside) => Some(aside),
        };
        if let Err(error) = ledger.checkpoint() {
            // A full disk must not keep a restarted agent from its containers; a ledger that never was, must.
            if ledger.log.as_ref().is_none_or(|log| log.size() == 0) {
                return Err(error);
            }
            tracing::warn!(%error, "the ledger could not be made smaller");
        }
        Ok(Opened { ledger, damaged })
    }

    /// Whether it never touches a disk.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.log.is_none()
    }

    /// What it says.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Writes records, and waits until they are on the disk when `durable`. All of them or none are in the ledger afterwards.
    pub(crate) fn append(&mut self, records: &[Record], durable: bool) -> Result<(), LedgerError> {
        let Some(log) = &mut self.log else { return Ok(()) };
        let written = log.append(records, durable);
        #[cfg(test)]
        {
            self.asked.writes += 1;
            self.asked.durable += u64::from(durable);
            self.asked.failed += u64::from(written.is_err());
        }
        written?;
        records.iter().cloned().for_each(|record| self.contents.apply(record));
        if log.size() > SMALL.max(self.checkpoint_size.saturating_mul(GROWTH)) {
            // What was appended is safe; the next append tries again.
            self.checkpoint().unwrap_or_else(|error| tracing::warn!(%error, "the ledger could not be made smaller"));
        }
        Ok(())
    }

    /// Puts another file under the log, such as one that is full, and returns the one before.
    #[cfg(test)]
    pub(crate) fn swap_file(&mut self, file: std::fs::File) -> Option<std::fs::File> {
        self.log.as_mut().map(|log| std::mem::replace(&mut log.file, file))
    }

    /// Rewrites the file so that it holds only what counts.
    fn checkpoint(&mut self) -> Result<(), LedgerError> {
        if let Some(log) = &mut self.log {
            log.replace(&self.contents.records())?;
            self.checkpoint_size = log.size();
        }
        Ok(())
    }
}
