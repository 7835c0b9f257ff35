//! Connections to other managers for Raft, with this node's credentials.

use std::net::SocketAddr;

use cluster_api::{Credentials, tls};
use cluster_raft::Dial;
use tonic::transport::{Channel, Endpoint};

/// Mutual TLS with the node's credentials.
#[derive(Debug, Clone)]
pub struct TlsDial {
    /// The node's; when they are replaced, new connections use the new ones.
    pub credentials: Credentials,
}

impl Dial for TlsDial {
    fn dial(&self, address: SocketAddr) -> Channel {
        tls::connect(&address.to_string(), &self.credentials).unwrap_or_else(|error| {
            tracing::error!(%address, %error, "this manager's credentials cannot be used");
            // Port 9 of nowhere: each use fails, and the next dial tries again.
            Endpoint::from_static("http://0.0.0.0:9").connect_lazy()
        })
    }
}
