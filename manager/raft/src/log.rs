//! The log on disk: entries, votes and how far they count, in segment files with one writer.
//!
//! - [`record`]: what one record says, and its bytes.
//! - [`frame`]: what one `fdatasync` makes durable: records under one checksum and one sequence number.
//! - [`segment`]: the files, made ahead of need.
//! - [`recovery`]: from files to contents, at start; tells a torn tail from damage.
//! - [`writer`]: the one thread that writes; a batch costs one sync.
//! - [`store`]: openraft's side: contents in memory, records to the writer.
//!
//! Entries between the last snapshot and the end are held in memory too, so nothing is read back while running.

pub mod contents;
pub mod frame;
pub mod record;
pub mod recovery;
pub mod reserve;
pub mod segment;
pub mod store;
pub mod writer;

#[cfg(test)]
mod tests;

use std::io;

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error("the raft log cannot be read or written while {doing}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// What was durable is damaged: acknowledged entries or votes may be gone.
    #[error(
        "the raft log is damaged: {file} holds no valid frame {sequence} at byte {offset}, but later frames are there, so this is no torn \
         write. This manager does not start, because it could forget what it promised: remove it from the cluster, empty its state \
         directory and let it join anew"
    )]
    Damaged {
        /// The segment.
        file: String,
        /// Where the valid part ends.
        offset: u64,
        /// The frame that should be there.
        sequence: u64,
    },
    /// A segment is missing.
    #[error(
        "the raft log has a hole: after frame {before} comes {file}. This manager does not start: remove it from the cluster, empty its \
         state directory and let it join anew"
    )]
    Hole {
        /// The last frame before the hole.
        before: u64,
        /// The file after it.
        file: String,
    },
    /// A frame with a valid checksum says something unknown.
    #[error("the raft log was written by another version: {0}. Start the version that wrote it")]
    Foreign(String),
    /// The writer stopped earlier.
    #[error("the raft log stopped: {0}")]
    Stopped(String),
}

impl LogError {
    /// Wraps an I/O error with what was tried.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

impl From<LogError> for io::Error {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Io { doing, source } => Self::new(source.kind(), format!("{doing}: {source}")),
            LogError::Damaged { .. } | LogError::Hole { .. } | LogError::Foreign(_) | LogError::Stopped(_) => {
                Self::other(error.to_string())
            }
        }
    }
}
