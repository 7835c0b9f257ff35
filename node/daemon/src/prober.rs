//! What a manager of this host probes joining nodes with: the probes of the network, from this node's own address.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cluster_manager::{Heard, Probe, Prober, Stand};
use cluster_network::probe::{Exchange, Way, interface};

use crate::address;
use crate::host::Host;

/// How long a manager listens. The joining node waits a little longer.
const PATIENCE: Duration = Duration::from_millis(2_200);

/// Probes from one address of this host.
struct HostProber {
    own: Ipv4Addr,
}

/// The prober of a host that is in the overlay: it runs real containers, and its address is of IPv4.
pub(crate) fn of(host: &Host, advertise: SocketAddr) -> Option<Arc<dyn Prober>> {
    host.containers.network.as_ref()?;
    Some(Arc::new(HostProber { own: address::underlay(advertise)? }))
}

#[tonic::async_trait]
impl Prober for HostProber {
    async fn stand(&self) -> Result<Stand, String> {
        let found = interface(self.own).await.map_err(|error| error.to_string())?;
        let found = found.ok_or_else(|| format!("its address {} is none of its host", self.own))?;
        Ok(Stand { address: self.own, mtu: found.mtu })
    }

    async fn exchange(&self, Probe { peer, port, nonce, turn }: Probe) -> Result<Heard, String> {
        let stand = self.stand().await?;
        let exchange = Exchange::open(Way { own: self.own, peer, port, nonce }, stand.mtu).await.map_err(|error| error.to_string())?;
        let (arrived, trouble) = exchange.run(PATIENCE, turn).await;
        Ok(Heard { small: arrived.small, full: arrived.full, trouble })
    }
}
