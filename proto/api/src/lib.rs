//! The wire contract: generated stubs, conversions between wire and domain types, who may call what, and mutual TLS.
//!
//! It knows nothing of what a message does. Conversions live in `convert`, one file per object; domain errors meet gRPC statuses in
//! `status` alone.

/// The generated messages, clients and servers.
#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]
pub mod pb {
    tonic::include_proto!("cluster.v1");
}

pub mod caller;
pub mod callers;
pub mod convert;
pub mod guard;
pub mod identity;
pub mod incoming;
pub mod status;
pub mod tls;

pub use caller::Caller;
pub use convert::FieldError;
pub use identity::{Credentials, Identity};
pub use incoming::Peer;
pub use status::{ApiError, Kind};
