//! The command line as a whole: the options before the command, and the commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    bench, completions, daemon, image, init, join, join_token, leave, network, node, rebalance, rollout, service, status, why,
};
use crate::connect::Host;

/// Runs containers on many hosts: services that are kept running, scaled and healed.
#[derive(Debug, Parser)]
#[command(name = "cluster", version, propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 denied, 5 conflict, 6 no node fits, 7 tasks fail, 8 rolled back, 9 timeout, \
    75 no leader or no daemon (try again)."
)]
pub(crate) struct Arguments {
    /// Daemon or manager to talk to: unix:///PATH or HOST:PORT [default: unix:///run/cluster/api.sock]
    #[arg(short = 'H', value_name = "HOST", env = "CLUSTER_HOST", global = true)]
    host: Option<Host>,
    // Docker's long form; only before the command, where `service create --host` has another meaning.
    #[arg(long = "host", id = "long_host", hide = true)]
    long_host: Option<Host>,
    /// Data directory of the daemon whose certificate is shown to a manager [default: /var/lib/cluster]
    #[arg(long, value_name = "DIR", env = "CLUSTER_IDENTITY", global = true)]
    pub(crate) identity: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// Where the commands go.
    pub(crate) fn host(&self) -> Host {
        self.long_host.clone().or_else(|| self.host.clone()).unwrap_or_default()
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new cluster with this host as its first manager
    Init(init::Init),
    /// Make this host a node of a cluster
    Join(join::Join),
    /// Take this host out of its cluster
    Leave(leave::Leave),
    /// Print what another host needs to join
    #[command(name = "join-token")]
    JoinToken(join_token::JoinToken),
    /// Show this host's daemon and its cluster
    Status(status::Status),
    /// Nodes: the hosts of the cluster
    #[command(subcommand)]
    Node(node::Node),
    /// Services: what runs, and how many of it
    #[command(subcommand)]
    Service(service::Service),
    /// Updates that are under way
    #[command(subcommand)]
    Rollout(rollout::Rollout),
    /// Show the verdict of every node on a task or service, and what would make it fit
    Why(why::Why),
    /// Spread running tasks evenly over the nodes
    Rebalance(rebalance::Rebalance),
    /// Change how many tasks services have (short for service scale)
    Scale(service::scale::Scale),
    /// Networks: what containers reach each other through
    #[command(subcommand)]
    Network(network::Network),
    /// Images on this host
    #[command(subcommand)]
    Image(image::Image),
    /// Run the daemon of this host
    Daemon(Box<daemon::Daemon>),
    /// Print the completions for a shell
    Completions(completions::Completions),
    /// Measure: each prints one JSON line
    #[command(subcommand)]
    Bench(bench::Bench),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Arguments::command().debug_assert();
    }
}
