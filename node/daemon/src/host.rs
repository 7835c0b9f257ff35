//! What of a host outlives its memberships: the configuration, the runtime with its images and its network, the store of the identity, and
//! the door on the socket that a manager stands behind.

use crate::config::DaemonConfig;
use crate::containers::Containers;
use crate::gate::Gate;
use crate::identity_store::IdentityStore;

/// What of a host outlives its memberships.
pub(crate) struct Host {
    pub(crate) config: DaemonConfig,
    pub(crate) containers: Containers,
    pub(crate) identities: IdentityStore,
    /// The control API on the unix socket, while this node is a manager.
    pub(crate) control: Gate,
}
