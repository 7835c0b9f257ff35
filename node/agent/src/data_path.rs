//! What carries a node's traffic, as the agent sees it: something that takes a whole network view, and says how it is.

use async_trait::async_trait;
use cluster_types::{NodeNetwork, Version, ViewItems};
use tokio::sync::watch;

/// The data path of a node.
#[async_trait]
pub trait DataPath: Send + Sync + 'static {
    /// Makes the host carry traffic as the view says, all of it, before it returns. The agent calls it again with the newest view after a
    /// failure. It may be dropped half-way when the agent stops.
    ///
    /// # Errors
    /// Why the host does not do yet what the view says.
    async fn apply(&self, items: &ViewItems, version: Version) -> Result<(), String>;

    /// How it is, now and from now on. One whose sender is gone has nothing to tell, and the managers hear nothing of it.
    fn report(&self) -> watch::Receiver<NodeNetwork>;
}

/// A data path of nodes that carry no traffic: every view is fine at once, and nothing is ever told.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDataPath;

#[async_trait]
impl DataPath for NoDataPath {
    async fn apply(&self, _: &ViewItems, _: Version) -> Result<(), String> {
        Ok(())
    }

    fn report(&self) -> watch::Receiver<NodeNetwork> {
        watch::channel(NodeNetwork::default()).1
    }
}
