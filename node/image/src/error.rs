//! Why the image store could not do what it was asked. The texts end up in `service ps` and in `cluster image …`.
//!
//! Errors are cloneable because several callers may wait for one pull and all of them are told why it failed.

use std::io;
use std::sync::Arc;

/// What went wrong with an image.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImageError {
    /// The disk failed us, or is full.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Another process has the store open.
    #[error("the image store {0} is in use by another process: give each daemon its own data directory")]
    Locked(String),
    /// The archive is broken, hostile or of no known form.
    #[error("the image archive is refused: {0}")]
    Archive(String),
    /// A manifest, index or image configuration is broken, ambiguous or beyond the limits.
    #[error("the image's {what} is refused: {reason}")]
    Manifest {
        /// `manifest`, `index` or `configuration`.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A layer is broken or hostile. Nothing of it was kept.
    #[error("layer {layer} is refused: {reason}")]
    Layer {
        /// Its digest.
        layer: String,
        /// Why, with the name of the offending entry.
        reason: String,
    },
    /// Content is not what its digest promises.
    #[error("{what} does not match its digest: expected {expected}, got {found}; the source is damaged or lies")]
    Digest {
        /// What was checked.
        what: String,
        /// What was promised.
        expected: String,
        /// What came.
        found: String,
    },
    /// The image is for other machines.
    #[error("the image is for {found}, this host is {host}")]
    Platform {
        /// What the image offers.
        found: String,
        /// What is needed here.
        host: String,
    },
    /// The text is no image reference.
    #[error(transparent)]
    Reference(#[from] cluster_types::InvalidImageRef),
    /// No image here has that name, id or digest.
    #[error("no image `{0}` on this host")]
    Missing(String),
    /// An id prefix fits several images.
    #[error("`{0}` fits several images: give more digits of the id")]
    Ambiguous(String),
    /// Containers use the image.
    #[error("image `{image}` is used by {users} container(s): remove them first")]
    InUse {
        /// As it was named by the caller.
        image: String,
        /// How many.
        users: usize,
    },
    /// The registry does not know the image.
    #[error("{reference} does not exist in its registry (or it is private and hidden from us)")]
    NotFound {
        /// In full.
        reference: String,
    },
    /// The registry refused us.
    #[error("not authorised to pull {reference}: {reason}")]
    NotAuthorised {
        /// In full.
        reference: String,
        /// What was refused.
        reason: String,
    },
    /// The registry could not be reached, or the connection broke.
    #[error("registry {registry} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        registry: String,
        /// What failed.
        reason: String,
    },
    /// The registry answered with something else than the content.
    #[error("registry {registry} failed: {reason}")]
    Registry {
        /// Host and port.
        registry: String,
        /// What it said.
        reason: String,
    },
}

impl ImageError {
    /// An error of the disk while doing `what`.
    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), source: Arc::new(source.into()) }
    }

    /// Whether the store's disk is full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}
