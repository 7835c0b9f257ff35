//! Whole managers on loopback: real Raft on disk, real TLS, fake agents.

#[path = "manager/agent.rs"]
mod agent;
#[path = "manager/testbed.rs"]
mod testbed;

#[path = "manager/services.rs"]
mod services;
