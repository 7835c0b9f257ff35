//! The views of the measured host: services whose endpoints are the few real backends, and changes of one service. Pure.

use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_types::{
    DEFAULT_NETWORK, DEFAULT_NETWORK_NAME, EndpointAffinity, EndpointMode, EndpointView, NetworkPool, NetworkView, NodeId, OwnView,
    Protocol, PublishMode, PublishedPort, ServiceId, ServiceNetworkView, ServiceView, Subnet, ViewItem, ViewItems, ViewKey,
};

use super::Plan;

/// Containers that answer.
pub(super) const BACKENDS: u32 = 8;
/// Their port.
pub(super) const TARGET: u16 = 80;
/// The published port of the first service.
pub(super) const PUBLISHED: u16 = 8080;
/// The first of the ports that are published one after the other.
const FURTHER: u16 = 20_000;
/// Where the containers' addresses begin in the network: far behind those of the services.
const CONTAINERS: u32 = 0x3_0000;

/// The default network.
pub(super) fn subnet() -> Subnet {
    NetworkPool::standard().default_network().unwrap_or_else(|| NetworkPool::standard().pool)
}

/// The address of a container: the backends from 0, then the client.
pub(super) fn container(number: u32) -> Ipv4Addr {
    address(CONTAINERS + 1 + number)
}

/// The address of a service.
pub(super) fn vip(service: u32) -> Ipv4Addr {
    address(1 + service)
}

fn address(number: u32) -> Ipv4Addr {
    subnet().address(u64::from(number)).unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// What a host without services knows.
pub(super) fn bare() -> ViewItems {
    let own = ViewItem::Own(OwnView { node: NodeId::from_bits(1), number: 1, pool: NetworkPool::standard() });
    let network = NetworkView { id: DEFAULT_NETWORK, name: DEFAULT_NETWORK_NAME.to_owned(), subnet: subnet(), internal: false };
    [own, ViewItem::Network(network)].into_iter().map(|item| (item.key(), Arc::new(item))).collect()
}

/// What it knows with all services.
pub(super) fn view(plan: Plan) -> ViewItems {
    let mut view = bare();
    for number in 0..plan.services {
        put(&mut view, service(number, plan));
    }
    view
}

/// One endpoint of one service becomes the backend after its last.
pub(super) fn change_endpoint(view: &mut ViewItems, plan: Plan, number: u16) {
    change(view, plan, number, |service| {
        if let Some(first) = service.networks.first_mut().and_then(|network| network.endpoints.first_mut()) {
            *first = backend(u32::from(number), plan.endpoints);
        }
    });
}

/// One service gets a published port.
pub(super) fn publish_one_more(view: &mut ViewItems, plan: Plan, number: u16) {
    change(view, plan, number, |service| service.ports.push(port(FURTHER + number)));
}

fn change(view: &mut ViewItems, plan: Plan, number: u16, how: impl FnOnce(&mut ServiceView)) {
    // Far apart, so that not always the same corner of maps and lists is met.
    let service = u32::from(number) * 7919 % plan.services.max(1);
    if let Some(ViewItem::Service(service)) = view.get(&ViewKey::Service(id(service))).map(|item| &**item) {
        let mut service = service.clone();
        how(&mut service);
        put(view, service);
    }
}

fn put(view: &mut ViewItems, service: ServiceView) {
    let item = ViewItem::Service(service);
    view.insert(item.key(), Arc::new(item));
}

fn service(number: u32, plan: Plan) -> ServiceView {
    let endpoints = (0..plan.endpoints).map(|at| backend(number, at)).collect();
    ServiceView {
        id: id(number),
        name: format!("service-{number}"),
        mode: EndpointMode::Vip,
        affinity: EndpointAffinity::None,
        networks: vec![ServiceNetworkView { network: DEFAULT_NETWORK, vip: Some(vip(number)), aliases: Vec::new(), endpoints }],
        ports: if number == 0 { vec![port(PUBLISHED)] } else { Vec::new() },
    }
}

/// The endpoint of a service at a place of its list.
fn backend(service: u32, at: usize) -> EndpointView {
    let number = service.wrapping_add(u32::try_from(at).unwrap_or_default()) % BACKENDS;
    EndpointView { address: container(number), hostname: format!("service-{service}.{}", at + 1) }
}

fn id(service: u32) -> ServiceId {
    ServiceId::from_bits(u128::from(service) + 1)
}

fn port(published: u16) -> PublishedPort {
    PublishedPort { target: TARGET, published, protocol: Protocol::Tcp, mode: PublishMode::Ingress }
}
