//! Whole managers on loopback: real Raft on disk, real TLS, fake agents.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

#[path = "manager/agent.rs"]
mod agent;
#[path = "manager/testbed.rs"]
mod testbed;

#[path = "manager/control.rs"]
mod control;
#[path = "manager/load.rs"]
mod load;
#[path = "manager/logs.rs"]
mod logs;
#[path = "manager/members.rs"]
mod members;
#[path = "manager/networks.rs"]
mod networks;
#[path = "manager/probes.rs"]
mod probes;
#[path = "manager/security.rs"]
mod security;
#[path = "manager/services.rs"]
mod services;
#[path = "manager/views.rs"]
mod views;
