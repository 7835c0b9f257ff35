//! The name service of a node: answers its containers' questions for services, tasks and addresses, at one address that is the same on
//! every host, and passes other questions on to the host's own resolvers.
//!
//! What is answered is decided by pure code (`directory`, `verdict`, `reply`) from the network view and the networks that the asking
//! container is in; the rest carries bytes. It keeps no answers: the view is local, and the host's resolver has a cache. The agent
//! starts it and tells it who asks.

mod address;
mod directory;
mod forward;
mod frame;
mod limiter;
mod reply;
mod resolver;
mod tcp;
mod udp;
mod upstreams;
mod verdict;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use cluster_types::{NetworkId, ViewItems};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

pub use address::ensure_address;
pub use directory::Directory;
pub use reply::Reply;
pub use upstreams::Upstreams;
pub use verdict::{Asker, Verdict, judge};

use crate::NetworkError;
use resolver::Resolver;

/// Where containers ask for names: what their resolv.conf says.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 53);
/// The port of DNS.
pub const PORT: u16 = 53;

/// A running name service. It ends when this is dropped.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    _loops: JoinSet<()>,
}

impl NameServer {
    /// Starts to answer at `listen` over UDP and TCP; port 0 takes a free one. An address that is not of 127.0.0.0/8 is first given to
    /// the loopback interface.
    ///
    /// `lookup` says which networks the container with an address is in, in its service's order, and what the node's view is; none when
    /// the address is no container's. It should give the same `Arc` until the view changes, since names are sorted once for each.
    ///
    /// # Errors
    /// When the address cannot be given to the loopback interface, or another program of this host has the port.
    pub async fn serve(
        listen: Ipv4Addr,
        port: u16,
        lookup: impl Fn(Ipv4Addr) -> Option<(Vec<NetworkId>, Arc<ViewItems>)> + Clone + Send + Sync + 'static,
        upstreams: Upstreams,
    ) -> Result<Self, NetworkError> {
        if !listen.is_loopback() {
            ensure_address(listen).await?;
        }
        let datagrams = UdpSocket::bind((listen, port)).await.map_err(NetworkError::kernel("opening the UDP port of the name service"))?;
        let address = datagrams.local_addr().map_err(NetworkError::kernel("reading the port of the name service"))?;
        let streams = TcpListener::bind(address).await.map_err(NetworkError::kernel("opening the TCP port of the name service"))?;
        let resolver = Arc::new(Resolver::new(Arc::new(lookup), upstreams));
        let mut loops = JoinSet::new();
        loops.spawn(udp::serve(datagrams, Arc::clone(&resolver)));
        loops.spawn(tcp::serve(streams, resolver));
        Ok(Self { address, _loops: loops })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The container that a packet is from. Both sockets are of IPv4, so that there always is one.
fn container(from: SocketAddr) -> Ipv4Addr {
    match from {
        SocketAddr::V4(from) => *from.ip(),
        SocketAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests;
