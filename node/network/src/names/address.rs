//! Gives the name service's address to the host's loopback interface.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::address::AddressScope;
use rtnetlink::Error;

use crate::NetworkError;

/// Number of the loopback interface in every network namespace.
const LOOPBACK: u32 = 1;

/// Sees to it that the loopback interface of this network namespace has an address.
///
/// Its scope is the host: with a wider one the kernel would take it as the source of the host's own packets to containers, whose links
/// have no address.
///
/// # Errors
/// When the kernel refuses.
pub async fn ensure_address(address: Ipv4Addr) -> Result<(), NetworkError> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::kernel("opening netlink for the name service"))?;
    let connection = tokio::spawn(connection);
    let mut request = handle.address().add(LOOPBACK, IpAddr::V4(address), 32);
    request.message_mut().header.scope = AddressScope::Host;
    let added = request.execute().await;
    connection.abort();
    match added {
        Err(Error::NetlinkError(error)) if error.raw_code() == -rustix::io::Errno::EXIST.raw_os_error() => Ok(()),
        added => added.map_err(NetworkError::kernel("giving the name service its address")),
    }
}
