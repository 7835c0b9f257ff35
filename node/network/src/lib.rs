//! What the kernel of a node is told: a network namespace and addresses for each container, the overlay that joins the hosts, and
//! nftables rules for services' addresses, published ports, isolation and egress.
//!
//! Shape after `network.md`: no bridge; each container has /32 addresses on a veth pair and a default route through 169.254.1.1, so that
//! all its traffic crosses the host's IP stack and rules; one VXLAN device leads to all other hosts. `places`, `rules` and `fabric` are
//! pure: they say what the kernel should have, from the network view. The rest is a thin shell over rtnetlink and `nft`. It knows nothing
//! of managers; the runtime attaches containers, the agent applies views.

pub mod attachment;
pub mod bench;
mod conntrack;
pub mod error;
pub mod fabric;
pub mod host_network;
mod ingress;
mod link;
pub mod names;
pub mod namespace;
mod netfilter;
mod nft;
pub mod places;
pub mod port;
pub mod probe;
pub mod rules;
mod saved_view;
mod sysctl;

pub use attachment::Attachment;
pub use error::NetworkError;
pub use host_network::{Asker, HostNetwork, NetworkConfig};
pub use places::PROBE_MAGIC;

#[cfg(test)]
mod tests;
