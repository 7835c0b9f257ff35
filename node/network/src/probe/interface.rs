//! The interface that the overlay's packets of a host leave from: where its device takes its own size from.

use std::net::Ipv4Addr;

use crate::NetworkError;
use crate::fabric::kernel;
use crate::places::Places;

/// An interface of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its largest packet.
    pub mtu: u32,
}

/// The interface that has an address; none when the address is none of this host.
///
/// # Errors
/// When the kernel does not say.
pub async fn interface(address: Ipv4Addr) -> Result<Option<Interface>, NetworkError> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::kernel("opening netlink for probes"))?;
    let connection = tokio::spawn(connection);
    // No daemon has the empty tag: no device is looked for.
    let seen = kernel::see_links(&handle, &Places::of("")).await;
    connection.abort();
    Ok(seen?.underlay(address).map(|underlay| Interface { name: underlay.interface, mtu: underlay.mtu }))
}
