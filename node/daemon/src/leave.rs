//! `cluster leave`: this node goes for good. Its containers are removed, then the ways to other nodes, then everything that it knew of the
//! cluster.

use cluster_types::{Version, ViewItems};

use crate::error::DaemonError;
use crate::host::Host;
use crate::managers;
use crate::member::{Member, remove_directory, remove_raft};

/// Leaves. A manager must be demoted first, unless forced; with force it goes even when nobody answers.
///
/// # Errors
/// When the managers refuse or, without force, do not answer; the node is then still a member and `member` is given back.
pub(crate) async fn leave(host: &Host, member: Member, force: bool) -> Result<(), (Box<Member>, DaemonError)> {
    if let Err(error) = managers::leave(&member.managers(), &member.credentials, force).await {
        if !force {
            return Err((Box::new(member), error.into()));
        }
        tracing::warn!(%error, "leaving without the managers' word: they may still list this node");
    }
    member.stop(host).await;
    remove_containers(host).await;
    close_ways(host).await;
    if let Err(error) = forget(host) {
        tracing::error!(%error, "not everything of the old cluster could be removed");
    }
    Ok(())
}

async fn remove_containers(host: &Host) {
    for task in host.containers.runtime.list().await.unwrap_or_default() {
        if let Err(error) = host.containers.runtime.remove(task).await {
            tracing::warn!(%task, %error, "a container could not be removed");
        }
    }
}

/// A node of no cluster has an empty view: no overlay, no published ports, no routes to other nodes.
async fn close_ways(host: &Host) {
    if let Err(error) = host.containers.data_path.apply(&ViewItems::new(), Version::default()).await {
        tracing::warn!(%error, "not everything of the old cluster's network could be removed");
    }
}

/// Removes what this node knew of its cluster. The identity goes first: without it the rest means nothing.
fn forget(host: &Host) -> Result<(), DaemonError> {
    host.identities.forget().map_err(DaemonError::host("forgetting this node's identity"))?;
    remove_directory(&host.config.data_dir.join("agent")).map_err(DaemonError::host("removing the ledger"))?;
    remove_raft(&host.config.data_dir)
}
