//! `cluster node`: the hosts of the cluster.

mod drain;
mod inspect;
mod ls;
mod ps;
mod rm;
mod update;

use clap::Subcommand;

use crate::client::Client;
use crate::failure::Failure;

/// The verbs of nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// List the nodes
    #[command(visible_alias = "list")]
    Ls(ls::Ls),
    /// Print everything about nodes
    Inspect(inspect::Inspect),
    /// List the tasks on nodes
    Ps(ps::Ps),
    /// Change availability, labels or the role of a node
    Update(update::Update),
    /// Move the tasks of a node away, and wait until none is left
    Drain(drain::DrainNode),
    /// Make nodes managers
    Promote(update::Promote),
    /// Make managers workers
    Demote(update::Demote),
    /// Remove nodes from the cluster
    #[command(visible_alias = "remove")]
    Rm(rm::Rm),
}

impl Node {
    /// Runs the verb.
    pub(crate) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Ls(ls) => ls.run(client).await,
            Self::Inspect(inspect) => inspect.run(client).await,
            Self::Ps(ps) => ps.run(client).await,
            Self::Update(update) => update.run(client).await,
            Self::Drain(drain) => drain.run(client).await,
            Self::Promote(promote) => promote.run(client).await,
            Self::Demote(demote) => demote.run(client).await,
            Self::Rm(rm) => rm.run(client).await,
        }
    }
}

/// The node that a reference means; `self` is this host.
async fn resolve(client: &Client, reference: &str) -> Result<crate::model::NodeView, Failure> {
    if reference != "self" {
        return client.node(reference).await;
    }
    let own = client.own_node().await;
    if own.is_empty() { Err(Failure::usage("this host is no node, or cannot say which: name the node")) } else { client.node(&own).await }
}
