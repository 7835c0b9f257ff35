//! Links, addresses, routes and neighbours of one container, over rtnetlink.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::RawFd;

use futures::TryStreamExt as _;
use netlink_packet_route::link::{InfoData, InfoVeth};
use netlink_packet_route::neighbour::NeighbourState;
use netlink_packet_route::route::RouteScope;
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder, new_connection};

use crate::NetworkError;

/// The next hop of every container; nobody owns it, the permanent neighbour entry answers for it.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// Address of every host end, so that the neighbour entry is the same everywhere.
const HOST_MAC: [u8; 6] = [0xee; 6];
/// Interface numbers in a new namespace.
const LOOPBACK: u32 = 1;
const ETH0: u32 = 2;

/// What plugs a container in.
#[derive(Debug, Clone)]
pub struct Plug {
    /// Name of the host's end.
    pub link: String,
    /// The container's address.
    pub address: Ipv4Addr,
}

/// Inside a new namespace: makes the pair, with its other end in the namespace `host`, and sets addresses and routes.
pub(crate) async fn plug(plug: &Plug, host: RawFd) -> Result<(), NetworkError> {
    let (connection, handle, _) = new_connection().map_err(NetworkError::kernel("opening netlink in a namespace"))?;
    let connection = tokio::spawn(connection);
    let result = configure(&handle, plug, host).await;
    connection.abort();
    result
}

async fn configure(handle: &Handle, plug: &Plug, host: RawFd) -> Result<(), NetworkError> {
    let peer = LinkMessageBuilder::<LinkUnspec>::new().name(plug.link.clone()).address(HOST_MAC.to_vec()).setns_by_fd(host).build();
    let pair = LinkVeth::new("eth0", &plug.link).index(ETH0).set_info_data(InfoData::Veth(InfoVeth::Peer(peer))).build();
    handle.link().add(pair).execute().await.map_err(NetworkError::kernel("making a veth pair"))?;
    for index in [LOOPBACK, ETH0] {
        let up = LinkUnspec::new_with_index(index).up().build();
        handle.link().set(up).execute().await.map_err(NetworkError::kernel("bringing a container's link up"))?;
    }
    let address = IpAddr::V4(plug.address);
    handle.address().add(ETH0, address, 32).execute().await.map_err(NetworkError::kernel("giving a container its address"))?;
    handle
        .neighbours()
        .add(ETH0, IpAddr::V4(GATEWAY))
        .link_layer_address(&HOST_MAC)
        .state(NeighbourState::Permanent)
        .execute()
        .await
        .map_err(NetworkError::kernel("giving a container its neighbour"))?;
    let gateway = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(GATEWAY, 32).output_interface(ETH0).scope(RouteScope::Link);
    handle.route().add(gateway.build()).execute().await.map_err(NetworkError::kernel("giving a container its gateway"))?;
    let default = RouteMessageBuilder::<Ipv4Addr>::new().gateway(GATEWAY).output_interface(ETH0).build();
    handle.route().add(default).execute().await.map_err(NetworkError::kernel("giving a container its default route"))
}

/// On the host: takes a link away at once. A namespace that ends takes its links too, but later, and their names are needed again.
pub(crate) async fn unplug(handle: &Handle, link: &str) {
    if let Ok(Some(found)) = handle.link().get().match_name(link).execute().try_next().await
        && let Err(error) = handle.link().del(found.header.index).execute().await
    {
        tracing::debug!(%error, link, "a link had gone already");
    }
}

/// On the host: brings the link up and routes the container's address to it.
pub(crate) async fn route(handle: &Handle, plug: &Plug) -> Result<(), NetworkError> {
    let step = "routing to a container";
    let mut links = handle.link().get().match_name(plug.link.clone()).execute();
    let link = links.try_next().await.map_err(NetworkError::kernel(step))?;
    let index = link.ok_or("its link is missing").map_err(NetworkError::kernel(step))?.header.index;
    let up = LinkUnspec::new_with_index(index).up().build();
    handle.link().set(up).execute().await.map_err(NetworkError::kernel(step))?;
    let route =
        RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(plug.address, 32).output_interface(index).scope(RouteScope::Link).build();
    handle.route().add(route).replace().execute().await.map_err(NetworkError::kernel(step))
}
