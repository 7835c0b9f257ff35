//! What a pull tells while it runs.

/// A step of a pull. Callers that join a pull under way hear nothing until its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullProgress {
    /// The registry is asked what the image is.
    Manifest,
    /// Content was here already, from another image or an earlier attempt.
    Present {
        /// Its digest.
        digest: String,
    },
    /// Content is coming in.
    Downloading {
        /// Its digest.
        digest: String,
        /// Bytes so far.
        received: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Everything is here and is unpacked now.
    Unpacking,
}
