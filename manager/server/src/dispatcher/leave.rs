//! A node leaves for good: its object goes, and with it the worth of its certificate. Its tasks are replaced.

use cluster_api::ApiError;
use cluster_types::NodeId;

use crate::control::node;
use crate::core::Core;
use crate::request::Key;

/// Removes the calling node. Once is enough: one that is gone already has left.
pub(super) async fn leave(core: &Core, id: NodeId, force: bool) -> Result<(), ApiError> {
    let view = core.read_current().await?;
    let Some(own) = view.node(id) else { return Ok(()) };
    node::discard(core, Key::random(), &view, own, force).await
}
