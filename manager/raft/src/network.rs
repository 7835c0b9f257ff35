//! Messages between managers. They carry the cluster's id and the Raft id that the sender means, and are refused by anybody else, so that a
//! manager that was made anew at an old address is never taken for the old one.
//!
//! - [`dial`]: what brings connections.
//! - [`wire`]: from openraft's messages to ours.
//! - [`client`]: the sending end, one channel for each peer.
//! - [`service`]: the receiving end.
//! - `matched`: notices followers that lost what they had acknowledged.
//! - [`pipeline`]: both ends of appends in a row.

pub mod client;
pub mod dial;
mod matched;
pub mod pipeline;
pub mod service;
pub mod wire;
