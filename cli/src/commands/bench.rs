//! `cluster bench`: measures a part of the product; each prints one JSON line with the figure, its parameters, the CPU time and the load.

mod agents;
mod commit;
mod failover;
mod fleet;
mod lifecycle;
mod loss;
mod meter;
mod network;
mod place;
mod start;
mod start_reference;

use std::future::Future;
use std::path::Path;

use clap::Subcommand;

use crate::connect::Host;
use crate::failure::Failure;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Containers started a second by the runtime, beside runc and crun on the same bundle where installed (as root)
    Start(start::Start),
    /// Tasks placed and acknowledged by fake agents that join the cluster (on a test cluster: they leave again)
    Agents(agents::Agents),
    /// Placement decisions a second, without I/O
    Place(place::Place),
    /// A host with thousands of services: loading and changing its rules, and connects through them (as root, in namespaces of its own)
    Network(network::Network),
    /// Writes committed a second through the control API of the cluster
    Commit(commit::Commit),
    /// Time from a request to its running replica, and from a killed container to its replacement (as root, on a host with the image)
    Lifecycle(lifecycle::Lifecycle),
    /// Time from a host that is cut off to its tasks running on other hosts
    Loss(loss::Loss),
    /// Longest time without a committed write, while a manager is killed
    Failover(failover::Failover),
}

impl Bench {
    /// Measures.
    pub(crate) fn run(self, host: &Host, identity: Option<&Path>) -> Result<(), Failure> {
        match self {
            Self::Start(start) => block_on(start.run()),
            Self::Agents(agents) => block_on(agents.run(host, identity)),
            Self::Place(place) => place.run(),
            Self::Network(network) => network.run(),
            Self::Commit(commit) => block_on(commit.run(host, identity)),
            Self::Lifecycle(lifecycle) => block_on(lifecycle.run(host, identity)),
            Self::Loss(loss) => block_on(loss.run(host, identity)),
            Self::Failover(failover) => block_on(failover.run(host, identity)),
        }
    }
}

/// Runs on all cores.
fn block_on(measure: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure)
}

/// A failure of the measuring itself.
fn failed(what: impl std::fmt::Display) -> Failure {
    Failure::new("E0903", format!("the measurement cannot be made: {what}"))
}

/// SIGKILL.
fn kill(pid: u32) -> Result<(), Failure> {
    let pid = i32::try_from(pid).map_err(failed)?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).map_err(failed)
}
