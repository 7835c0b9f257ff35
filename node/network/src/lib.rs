//! What the kernel of a node is told about its containers: a network namespace and an address for each, routes, and nftables rules for
//! egress and host-mode ports.
//!
//! Shape after `network.md`: no bridge; each container has a /32 address on a veth pair and a default route through 169.254.1.1, so that
//! all its traffic crosses the host's IP stack and rules. `subnet` and `rules` are pure; the rest is a thin shell over rtnetlink and
//! `nft`. It knows nothing of services or managers; the runtime calls it. The overlay between hosts is not here yet.

pub mod attachment;
pub mod error;
pub mod host_network;
pub mod link;
pub mod namespace;
pub mod nft;
pub mod port;
pub mod rules;
pub mod subnet;

pub use attachment::Attachment;
pub use error::NetworkError;
pub use host_network::{HostNetwork, NetworkConfig};
pub use subnet::Subnet;
