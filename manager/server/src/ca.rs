//! The certificate authority of the cluster: its root, the nodes' certificates, and who gets one.
//!
//! The root is made once, by `init`, and lives in the replicated state. What a certificate says is decided here alone: of a request only
//! its public key is used. Before one is made, `probe` finds out whether the node's network is fit for the cluster.

mod certificate;
mod probe;
mod root;
mod service;
mod token;

pub use certificate::{DEFAULT_LIFETIME, NodeCertificate, key_and_request};
pub(crate) use probe::Probes;
pub use root::{digest, make_root};
pub(crate) use service::CaService;
pub use token::{TokenRefused, join_secret, join_token};

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The request cannot be read, or its signature is not by its own key.
    #[error("the certificate request is not valid: {0}")]
    Request(String),
    /// Its key is of a kind that is not taken.
    #[error("the certificate request has a key that is not ECDSA P-256; make it with a P-256 key")]
    KeyKind,
    /// The root of the replicated state cannot be used.
    #[error("the cluster's root certificate or key cannot be used: {0}")]
    Root(String),
}
