//! What of a host outlives its memberships: the configuration, the runtime with its images, the store of the identity, and the door on the
//! socket that a manager stands behind.

use std::sync::Arc;

use cluster_image::ImageStore;
use cluster_runtime::Runtime;

use crate::config::DaemonConfig;
use crate::gate::Gate;
use crate::identity_store::IdentityStore;

/// What of a host outlives its memberships.
pub(crate) struct Host {
    pub(crate) config: DaemonConfig,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// None with the fake runtime.
    pub(crate) images: Option<ImageStore>,
    pub(crate) identities: IdentityStore,
    /// The control API on the unix socket, while this node is a manager.
    pub(crate) control: Gate,
}
