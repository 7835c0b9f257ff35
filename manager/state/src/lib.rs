//! The replicated state: what every manager holds, the same at the same log index.
//!
//! [`State::apply`] is the only way to change it; a [`View`] is an immutable look at it that costs nothing to take and to keep. It decides
//! nothing (that is `cluster-decide`) and reaches nothing: no clock, no I/O, no randomness, ordered iteration only. The Raft shell
//! (`cluster-manager`) feeds it entries and snapshots; the deciders and the API read views.

mod addresses;
mod apply;
mod check;
mod generic;
mod index;
mod loads;
mod network;
mod record;
mod requests;
mod revisions;
mod service;
mod snapshot;
mod state;
mod steps;
mod table;
#[cfg(test)]
mod tests;
mod view;

pub use addresses::Holder;
pub use generic::Instances;
pub use loads::Load;
pub use requests::REQUESTS_KEPT;
pub use snapshot::{DecodeError, spec_bytes};
pub use state::{Applied, State};
pub use view::View;
