//! The commands: one file for each noun or word on the top level, one for each verb below a noun.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod daemon;
pub(crate) mod image;
pub(crate) mod init;
pub(crate) mod join;
pub(crate) mod join_token;
pub(crate) mod leave;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod rebalance;
pub(crate) mod rollout;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod why;
