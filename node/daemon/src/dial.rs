//! How this node's parts reach managers: mutual TLS with its own certificate, whatever it is at the moment.

use std::net::SocketAddr;

use cluster_api::Credentials;
use tonic::transport::Channel;

/// Connections to other managers for Raft.
pub(crate) struct ManagerDial(pub(crate) Credentials);

impl cluster_raft::Dial for ManagerDial {
    fn dial(&self, address: SocketAddr) -> Channel {
        cluster_api::tls::connect(&address.to_string(), &self.0).unwrap_or_else(|error| {
            // Credentials that were accepted once can always be used; if not, nobody is reached, and the log says why.
            tracing::error!(%error, "this node's credentials cannot be used");
            cluster_raft::PlainDial.dial(SocketAddr::from(([127, 0, 0, 1], 9)))
        })
    }
}
