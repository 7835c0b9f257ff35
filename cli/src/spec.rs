//! From command-line flags to a service's spec: docker's flags and syntaxes. Whether the spec makes sense is the server's to judge; here
//! only what cannot be read is refused, and what docker has and `cluster` does not have yet.

pub(crate) mod bounds;
pub(crate) mod container;
pub(crate) mod create;
pub(crate) mod edit;
mod endpoint;
mod env;
pub(crate) mod health;
pub(crate) mod job;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod placement;
pub(crate) mod publish;
pub(crate) mod refused;
pub(crate) mod rollout;
pub(crate) mod shared;
pub(crate) mod update;
pub(crate) mod value;
mod words;

#[cfg(test)]
mod tests;
