//! Why a daemon could not do what it was asked, in words for the user; each becomes a status with a code and a hint.

use cluster_api::status::code;
use cluster_api::{ApiError, Kind};
use tonic::Status;

/// Why a step of a node's life did not work.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The node is in a cluster already.
    #[error("this node is in a cluster already: `cluster leave` first")]
    AlreadyMember,
    /// The node is in no cluster.
    #[error("this node is not in a cluster: `cluster init` makes one, `cluster join` enters one")]
    NoMember,
    /// It runs no real containers.
    #[error("this daemon runs no real containers and keeps no images (--runtime fake)")]
    NoImages,
    /// What a manager answered.
    #[error(transparent)]
    Manager(#[from] ApiError),
    /// Something on this host.
    #[error("{step}: {reason}")]
    Host {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        reason: String,
    },
}

impl DaemonError {
    /// Puts the step in front of a reason.
    pub(crate) fn host<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |reason| Self::Host { step, reason: format!("{reason:#}") }
    }
}

impl From<DaemonError> for ApiError {
    fn from(error: DaemonError) -> Self {
        let code = match error {
            DaemonError::Manager(error) => return error,
            DaemonError::AlreadyMember => code::IN_CLUSTER,
            DaemonError::NoMember => code::NO_CLUSTER,
            DaemonError::NoImages | DaemonError::Host { .. } => code::PRECONDITION,
        };
        Self::new(Kind::Precondition, code, error.to_string())
    }
}

impl From<DaemonError> for Status {
    fn from(error: DaemonError) -> Self {
        Self::from(ApiError::from(error))
    }
}
