//! Whether the overlay's packets can pass between two hosts, found out before one of them joins: each sends the other a few datagrams to the
//! data port, small ones and ones of the full size that may not be fragmented, and tells what arrived.
//!
//! The port may belong to the kernel's VXLAN device, so a raw socket listens beside it: behind the input rules of a firewall, as the device
//! is. Packets begin with `PROBE_MAGIC`, which the device drops and the rules of a node let through. What the outcome means is the
//! daemon's to say; `datagram` and the reading of tables are pure.

mod datagram;
mod holder;
mod interface;
mod receiver;
mod sender;

use std::net::Ipv4Addr;
use std::time::Duration;

pub use holder::{Held, hold};
pub use interface::{Interface, interface};

use crate::NetworkError;
use receiver::Receiver;
use sender::Sender;

/// Tells the packets of one exchange from all others.
pub type Nonce = [u8; 16];

/// The way of probes between two hosts, as one of them sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The address of this host that the overlay uses.
    pub own: Ipv4Addr,
    /// The other host's.
    pub peer: Ipv4Addr,
    /// The overlay's UDP port, on both.
    pub port: u16,
    /// Which packets count.
    pub nonce: Nonce,
}

/// What arrived from the other host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrived {
    /// A small packet.
    pub small: bool,
    /// One of the full size, which was not fragmented.
    pub full: bool,
}

impl Arrived {
    /// Whether nothing is awaited any more.
    #[must_use]
    pub fn all(self) -> bool {
        self.small && self.full
    }
}

/// An exchange that is under way.
pub struct Exchange {
    receiver: Receiver,
    sender: Sender,
}

impl Exchange {
    /// Opens what listens and what sends. `mtu` is the full size: the largest packet of the interface that has `way.own`.
    ///
    /// # Errors
    /// When the kernel refuses: without the right to open raw sockets, or when the address is none of this host.
    pub async fn open(way: Way, mtu: u32) -> Result<Self, NetworkError> {
        Ok(Self { receiver: Receiver::open(way)?, sender: Sender::open(way, mtu).await? })
    }

    /// Listens until all arrived or the time is over. Sends meanwhile, and to the end of its rounds after that, since the other host may lack
    /// some still; `kept` is dropped then. Also says what the kernel had against sending.
    pub async fn run(self, patience: Duration, kept: impl Send + 'static) -> (Arrived, Option<String>) {
        let Self { receiver, sender } = self;
        // Before anything can have arrived: the other host may have sent all of its own already.
        let trouble = sender.send().await;
        tokio::spawn(async move {
            sender.send_again().await;
            drop(kept);
        });
        (receiver.arrived(patience).await, trouble)
    }
}

#[cfg(test)]
mod tests;
