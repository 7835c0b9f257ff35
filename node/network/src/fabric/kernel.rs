//! Reads from the kernel what it has of ours, and carries operations out, over rtnetlink.
//!
//! What is ours is told by the route protocol, the names of links, the numbers of tables and the priorities: nothing else is ever touched.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use futures::stream::FuturesUnordered;
use futures::{StreamExt as _, TryStreamExt as _};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::route::RouteProtocol;
use rtnetlink::{Handle, LinkUnspec, LinkVxlan};

use super::{Device, Entry, Fabric, Operation, Underlay};
use crate::NetworkError;
use crate::places::{Mac, Places, RESOLVER, VNI};

pub(crate) mod entry;
mod read;

/// Marks routes and policy rules as ours.
pub(super) const PROTOCOL: RouteProtocol = RouteProtocol::Other(67);
/// How many requests are under way at once.
const AT_ONCE: usize = 64;

/// What the kernel has.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of ours.
    pub(crate) fabric: Fabric,
    /// Every link of the host, by name.
    pub(crate) links: BTreeMap<String, Link>,
    /// Every IPv4 address of the host with its link's number.
    addresses: Vec<(Ipv4Addr, u32)>,
}

/// A link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// Its number.
    pub(crate) index: u32,
    /// Its largest packet.
    pub(crate) mtu: u32,
    /// Whether it is up.
    pub(crate) up: bool,
}

impl Seen {
    /// The interface of an address.
    pub(crate) fn underlay(&self, address: Ipv4Addr) -> Option<Underlay> {
        let (_, index) = self.addresses.iter().find(|(has, _)| *has == address)?;
        let (interface, link) = self.links.iter().find(|(_, link)| link.index == *index)?;
        Some(Underlay { address, interface: interface.clone(), mtu: link.mtu })
    }

    /// Whether some link of the host has the address.
    pub(crate) fn has_address(&self, address: Ipv4Addr) -> bool {
        self.addresses.iter().any(|(has, _)| *has == address)
    }
}

/// Links and addresses alone.
pub(crate) async fn see_links(handle: &Handle, places: &Places) -> Result<Seen, NetworkError> {
    let step = "reading the links";
    let mut seen = Seen::default();
    let mut links = handle.link().get().execute();
    while let Some(link) = links.try_next().await.map_err(NetworkError::kernel(step))? {
        let Some(name) = read::name(&link) else { continue };
        if *name == places.device {
            seen.fabric.device = Some(read::device(&link));
        }
        seen.links.insert(name.clone(), read::link(&link));
    }
    let mut addresses = handle.address().get().execute();
    while let Some(address) = addresses.try_next().await.map_err(NetworkError::kernel(step))? {
        seen.addresses.extend(read::address(&address).map(|has| (has, address.header.index)));
    }
    let index = seen.links.get(&places.device).map(|link| link.index);
    let own = seen.addresses.iter().find(|(_, at)| Some(*at) == index).map(|(address, _)| *address);
    if let Some(device) = &mut seen.fabric.device {
        device.address = own;
    }
    Ok(seen)
}

/// Everything that the kernel has of ours.
pub(crate) async fn see(handle: &Handle, places: &Places) -> Result<Seen, NetworkError> {
    let mut seen = see_links(handle, places).await?;
    let device = seen.links.get(&places.device).map(|link| link.index);
    let names: BTreeMap<u32, &str> = seen.links.iter().map(|(name, link)| (link.index, name.as_str())).collect();
    let mut entries = BTreeSet::new();
    read::routes(handle, places, device, &names, &mut entries).await?;
    read::policies(handle, places, &mut entries).await?;
    if let Some(device) = device {
        read::neighbours(handle, device, &mut entries).await?;
    }
    seen.fabric.entries = entries;
    Ok(seen)
}

/// Makes the device as it should be. Says whether it is a new one, which has nothing of what an old one had.
pub(crate) async fn settle_device(handle: &Handle, places: &Places, seen: &Seen, wanted: Option<&Device>) -> Result<bool, NetworkError> {
    let step = "making the overlay's device";
    let index = seen.links.get(&places.device).map(|link| link.index);
    let has = seen.fabric.device.as_ref();
    if has == wanted {
        return Ok(false);
    }
    let fits = |wanted: &Device| has.is_some_and(|has| (has.mac, has.local, has.port) == (wanted.mac, wanted.local, wanted.port));
    let keep = wanted.is_some_and(fits);
    if let Some(index) = index.filter(|_| !keep) {
        handle.link().del(index).execute().await.map_err(NetworkError::kernel(step))?;
    }
    let Some(wanted) = wanted else { return Ok(true) };
    if !keep {
        let new = LinkVxlan::new(&places.device, VNI).port(wanted.port).local(wanted.local).learning(false);
        let new = new.address(wanted.mac.to_vec()).mtu(wanted.mtu).build();
        handle.link().add(new).execute().await.map_err(NetworkError::kernel(step))?;
    }
    let index = link_index(handle, &places.device).await?;
    let up = LinkUnspec::new_with_index(index).mtu(wanted.mtu).up().build();
    handle.link().set(up).execute().await.map_err(NetworkError::kernel(step))?;
    let has = has.filter(|_| keep).and_then(|device| device.address);
    if let Some(address) = wanted.address.filter(|address| has != Some(*address)) {
        if let Some(old) = has {
            remove_address(handle, index, old).await;
        }
        add_address(handle, index, address, AddressScope::Universe).await?;
    }
    Ok(!keep)
}

/// Gives a link an address, unless it has it. With the scope of the host, the kernel does not take it as the source of the host's own
/// packets to others.
pub(crate) async fn add_address(handle: &Handle, index: u32, address: Ipv4Addr, scope: AddressScope) -> Result<(), NetworkError> {
    let mut request = handle.address().add(index, IpAddr::V4(address), 32).replace();
    request.message_mut().header.scope = scope;
    request.execute().await.map_err(NetworkError::kernel("giving a link its address"))
}

/// Gives the host's loopback interface the resolver's address.
pub(crate) async fn add_resolver(handle: &Handle) -> Result<(), NetworkError> {
    add_address(handle, link_index(handle, "lo").await?, RESOLVER, AddressScope::Host).await
}

/// Takes an address from a link; nothing happens when it has gone.
pub(crate) async fn remove_address(handle: &Handle, index: u32, address: Ipv4Addr) {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(IpAddr::V4(address)));
    if let Err(error) = handle.address().del(message).execute().await {
        tracing::debug!(%error, %address, "an address had gone already");
    }
}

/// The number of a link.
pub(crate) async fn link_index(handle: &Handle, name: &str) -> Result<u32, NetworkError> {
    let step = "finding a link";
    let found = handle.link().get().match_name(name).execute().try_next().await.map_err(NetworkError::kernel(step))?;
    found.map(|link| link.header.index).ok_or_else(|| NetworkError::kernel(step)(format!("{name} is missing")))
}

/// Carries operations out, all that can be; the first error is told. Puts come before removals, each kind many at once.
pub(crate) async fn carry_out(handle: &Handle, places: &Places, operations: &[Operation]) -> Result<(), NetworkError> {
    if operations.is_empty() {
        return Ok(());
    }
    let seen = see_links(handle, places).await?;
    let device = seen.links.get(&places.device).map(|link| link.index);
    let entry = entry::Writer { handle, places, device, links: &seen.links };
    let mut failed = Ok(());
    // Puts of one kind do not need each other, but policy rules need their end and come last.
    let is_policy = |operation: &&Operation| matches!(operation, Operation::Put(Entry::Policy(_)));
    let (policies, others): (Vec<_>, Vec<_>) = operations.iter().filter(|step| matches!(step, Operation::Put(_))).partition(is_policy);
    let mut under_way = FuturesUnordered::new();
    for step in others {
        if under_way.len() >= AT_ONCE {
            failed = failed.and(under_way.next().await.unwrap_or(Ok(())));
        }
        under_way.push(entry.run(step));
    }
    while let Some(result) = under_way.next().await {
        failed = failed.and(result);
    }
    drop(under_way);
    let rest = policies.into_iter().chain(operations.iter().filter(|step| matches!(step, Operation::Remove(_))));
    for step in rest {
        failed = failed.and(entry.run(step).await);
    }
    failed
}

fn mac_of(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok()
}
