//! The veth pair of one container, and what its namespace has: addresses, routes and the neighbour that all its packets go to.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::RawFd;

use cluster_types::{Subnet, TaskAddress};
use futures::TryStreamExt as _;
use netlink_packet_route::link::{InfoData, InfoVeth};
use netlink_packet_route::neighbour::NeighbourState;
use netlink_packet_route::route::RouteScope;
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use crate::fabric::kernel::link_index;
use crate::places::GATEWAY;
use crate::{NetworkError, sysctl};

/// Address of every host end, so that the neighbour entry is the same everywhere.
const HOST_MAC: [u8; 6] = [0xee; 6];
/// The container's end.
const INSIDE: &str = "eth0";

/// Inside a new namespace: makes the pair, with its other end as `link` in the namespace `host`, and the way to the gateway.
pub(crate) async fn plug(inside: &Handle, link: &str, mtu: u32, host: RawFd) -> Result<(), NetworkError> {
    let peer = LinkMessageBuilder::<LinkUnspec>::new().name(link).address(HOST_MAC.to_vec()).mtu(mtu).setns_by_fd(host).build();
    let pair = LinkVeth::new(INSIDE, link).mtu(mtu).set_info_data(InfoData::Veth(InfoVeth::Peer(peer))).build();
    inside.link().add(pair).execute().await.map_err(NetworkError::kernel("making a veth pair"))?;
    for name in ["lo", INSIDE] {
        let up = LinkUnspec::new_with_name(name).up().build();
        inside.link().set(up).execute().await.map_err(NetworkError::kernel("bringing a container's link up"))?;
    }
    // Its number is not told beforehand: some kernels put links of their own into each namespace.
    let index = link_index(inside, INSIDE).await?;
    inside
        .neighbours()
        .add(index, IpAddr::V4(GATEWAY))
        .link_layer_address(&HOST_MAC)
        .state(NeighbourState::Permanent)
        .execute()
        .await
        .map_err(NetworkError::kernel("giving a container its neighbour"))?;
    let gateway = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(GATEWAY, 32).output_interface(index).scope(RouteScope::Link);
    inside.route().add(gateway.build()).execute().await.map_err(NetworkError::kernel("giving a container its gateway"))
}

/// Inside: gives the container its addresses. All goes through the gateway, from the first address; to a further network from its own.
pub(crate) async fn give(inside: &Handle, mtu: u32, addresses: &[TaskAddress], subnets: &[Subnet]) -> Result<(), NetworkError> {
    let index = link_index(inside, INSIDE).await?;
    let fit = LinkUnspec::new_with_index(index).mtu(mtu).build();
    inside.link().set(fit).execute().await.map_err(NetworkError::kernel("fitting a container's link"))?;
    for has in addresses {
        let added = inside.address().add(index, IpAddr::V4(has.address), 32).execute().await;
        added.map_err(NetworkError::kernel("giving a container its address"))?;
    }
    let Some(first) = addresses.first() else { return Ok(()) };
    let default = RouteMessageBuilder::<Ipv4Addr>::new().gateway(GATEWAY).output_interface(index).pref_source(first.address).build();
    inside.route().add(default).execute().await.map_err(NetworkError::kernel("giving a container its default route"))?;
    for (has, subnet) in addresses.iter().skip(1).zip(subnets) {
        let route = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(subnet.base(), subnet.prefix());
        let route = route.gateway(GATEWAY).output_interface(index).pref_source(has.address).build();
        inside.route().add(route).execute().await.map_err(NetworkError::kernel("giving a container the route of a network"))?;
    }
    Ok(())
}

/// On the host: brings the link up.
pub(crate) async fn raise(handle: &Handle, link: &str, mtu: u32) -> Result<(), NetworkError> {
    let up = LinkUnspec::new_with_name(link).mtu(mtu).up().build();
    handle.link().set(up).execute().await.map_err(NetworkError::kernel("bringing a container's link up"))?;
    sysctl::settle_link(link);
    Ok(())
}

/// On the host: takes a link out of use, and its routes with it. It vanishes with its namespace, a little later: to take it away at once
/// makes the kernel hold the caller's thread for some 20 ms.
pub(crate) async fn lower(handle: &Handle, link: &str) {
    if let Err(error) = handle.link().set(LinkUnspec::new_with_name(link).down().build()).execute().await {
        tracing::debug!(%error, link, "a link had gone already");
    }
}

/// On the host: takes a link away before this returns.
pub(crate) async fn unplug(handle: &Handle, link: &str) {
    if let Ok(Some(found)) = handle.link().get().match_name(link).execute().try_next().await
        && let Err(error) = handle.link().del(found.header.index).execute().await
    {
        tracing::debug!(%error, link, "a link had gone already");
    }
}
