//! What sends and hears probes of the overlay for a manager, as a trait: sockets are the node's, and the daemon brings them.

use std::net::Ipv4Addr;

use tokio::sync::OwnedSemaphorePermit;

/// Sends and hears probes at this manager's own address of the overlay.
#[tonic::async_trait]
pub trait Prober: Send + Sync + 'static {
    /// Where this manager probes from.
    ///
    /// # Errors
    /// Why it cannot, for people.
    async fn stand(&self) -> Result<Stand, String>;

    /// Sends a few probes to another host and hears that host's, both at the overlay's UDP port and with the nonce in them.
    ///
    /// # Errors
    /// Why it cannot, for people.
    async fn exchange(&self, probe: Probe) -> Result<Heard, String>;
}

/// Where a manager probes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// Its address of the overlay.
    pub address: Ipv4Addr,
    /// The largest packet of the interface that has it: the full size.
    pub mtu: u32,
}

/// What is to be probed.
#[derive(Debug)]
pub struct Probe {
    /// The other host.
    pub peer: Ipv4Addr,
    /// The overlay's UDP port.
    pub port: u16,
    /// In every probe of both sides.
    pub nonce: [u8; 16],
    /// Only so many send at once: dropped when the last probe is sent.
    pub turn: OwnedSemaphorePermit,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// A small probe arrived.
    pub small: bool,
    /// One of the other host's full size arrived.
    pub full: bool,
    /// What kept this host from sending.
    pub trouble: Option<String>,
}
