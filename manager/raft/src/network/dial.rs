//! How a manager reaches another one.

use std::net::SocketAddr;
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

/// Brings connections with this node's credentials.
pub trait Dial: Send + Sync + 'static {
    /// A channel that connects when it is first used, and again after a break. It should give up connecting after about a second: to a
    /// machine that is gone, nothing else says so.
    fn dial(&self, address: SocketAddr) -> Channel;
}

/// Connections without encryption, for tests and measurements on one machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainDial;

impl Dial for PlainDial {
    fn dial(&self, address: SocketAddr) -> Channel {
        // An address always makes a valid URI.
        Endpoint::from_shared(format!("http://{address}"))
            .unwrap_or_else(|_| Endpoint::from_static("http://invalid.invalid"))
            .connect_timeout(Duration::from_secs(1))
            .tcp_nodelay(true)
            .connect_lazy()
    }
}
