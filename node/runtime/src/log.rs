//! The log of a container: numbered files of records, one record a line.
//!
//! The keeper (see [`crate::shim`]) writes it, so that no line is lost when the agent dies; the agent only reads the files. Nothing that a
//! reader does can hold a container up. `format` is the record, `writer` splits a stream into lines and rotates, `reader` serves
//! `tail`, `since` and `follow`.

pub(crate) mod files;
pub(crate) mod format;
pub(crate) mod reader;
pub(crate) mod writer;

/// Longest line in one record, in bytes; a longer one is cut and marked partial.
pub(crate) const MAX_LINE: usize = 16 * 1024;

/// How much log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LogLimits {
    /// A file that reached this size, in bytes, is followed by a new one.
    pub file_bytes: u64,
    /// Files kept; at least 1.
    pub files: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { file_bytes: 10 * 1024 * 1024, files: 3 }
    }
}
