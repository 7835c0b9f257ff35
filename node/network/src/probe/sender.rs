//! Sends probes: few, and at growing distances, so that a lost one does not count.

use std::net::Ipv4Addr;
use std::time::Duration;

use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::Way;
use super::datagram::{Size, payload};
use crate::NetworkError;

/// When a small and a full one are sent again, in milliseconds from the first ones: ten datagrams in all.
const AGAIN: [u64; 4] = [30, 150, 600, 1500];

pub(super) struct Sender {
    socket: UdpSocket,
    peer: (Ipv4Addr, u16),
    probes: [Vec<u8>; 2],
}

impl Sender {
    /// From a port of its own, as the overlay's packets are: a firewall must not take the answer for that to a request.
    pub(super) async fn open(way: Way, mtu: u32) -> Result<Self, NetworkError> {
        let step = "opening a socket for probes";
        let socket = UdpSocket::bind((way.own, 0)).await.map_err(NetworkError::kernel(step))?;
        // Never in fragments, and whatever the kernel believes to know of the way.
        set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::PROBE).map_err(NetworkError::kernel(step))?;
        let probes = [Size::Small, Size::Full].map(|size| payload(size, &way.nonce, mtu));
        Ok(Self { socket, peer: (way.peer, way.port), probes })
    }

    /// Sends one of each. The first thing that the kernel had against it.
    pub(super) async fn send(&self) -> Option<String> {
        let mut trouble = None;
        for probe in &self.probes {
            if let Err(error) = self.socket.send_to(probe, self.peer).await {
                trouble.get_or_insert(error.to_string());
            }
        }
        trouble
    }

    /// Sends one of each, again and again.
    pub(super) async fn send_again(&self) {
        let start = Instant::now();
        for at in AGAIN {
            tokio::time::sleep_until(start + Duration::from_millis(at)).await;
            // What the kernel has against it, it said the first time.
            let _ = self.send().await;
        }
    }
}
