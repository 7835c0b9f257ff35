//! Why a change of the replicated state was not applied, as an error for the caller who asked for it.

use cluster_types::Rejection;

use super::{ApiError, Kind, code};

impl From<&Rejection> for ApiError {
    fn from(rejection: &Rejection) -> Self {
        let message = rejection.to_string();
        match rejection {
            Rejection::NameTaken { .. } => Self::new(Kind::Conflict, code::NAME_TAKEN, message).hint("choose another name"),
            Rejection::Exists(_) => Self::new(Kind::Conflict, code::NAME_TAKEN, message),
            Rejection::Missing(_) => Self::new(Kind::NotFound, code::NOT_FOUND, message),
            Rejection::Conflict { .. } | Rejection::Aborted => Self::conflict(message),
            Rejection::Refused { .. } => Self::precondition(message),
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        Self::from(&rejection)
    }
}
