//! How the agent reaches a manager: an address becomes a channel. A trait, so that a fleet of fake agents brings its own identities.

use cluster_api::Credentials;
use tonic::transport::Channel;

/// Why no channel can be made; not that nobody answers, which shows when the channel is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no channel to {address}: {reason}")]
pub struct DialError {
    /// As it was given.
    pub address: String,
    /// Why.
    pub reason: String,
}

/// Makes channels to managers.
pub trait Dial: Send + Sync + 'static {
    /// A channel to `address` (`host:port`). It may connect later, and must find a dead connection by itself.
    ///
    /// # Errors
    /// When the address is none, or the credentials cannot be used.
    fn dial(&self, address: &str) -> Result<Channel, DialError>;
}

/// Mutual TLS with the node's own certificate: whatever it is at the moment of the dial.
impl Dial for Credentials {
    fn dial(&self, address: &str) -> Result<Channel, DialError> {
        cluster_api::tls::connect(address, self).map_err(|error| DialError { address: address.to_owned(), reason: error.to_string() })
    }
}
