//! There and back for networks, for what services, tasks and nodes have of them, and for the differences of network views.

use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_types::{
    BlockOwner, Endpoint, EndpointAffinity, EndpointMode, EndpointSpec, EndpointView, Network, NetworkAttachment, NetworkPool, NetworkSpec,
    NetworkView, NodeNetwork, OwnView, PeerView, Protocol, ServiceNetworkView, ServiceView, Subnet, TaskAddress, Version, ViewDiff,
    ViewItem, ViewKey,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{id, labels, meta, port, text, texts};
use crate::FieldError;
use crate::pb;

pub(super) fn ipv4() -> impl Strategy<Value = Ipv4Addr> {
    any::<u32>().prop_map(Ipv4Addr::from)
}

/// One that users can write.
fn subnet() -> impl Strategy<Value = Subnet> {
    (ipv4(), 8_u8..=29).prop_map(|(address, prefix)| Subnet::around(address, prefix).unwrap())
}

/// One of any size, as blocks are.
fn block() -> impl Strategy<Value = Subnet> {
    (ipv4(), 0_u8..=32).prop_map(|(address, prefix)| Subnet::around(address, prefix).unwrap())
}

fn mode() -> impl Strategy<Value = EndpointMode> {
    select(vec![EndpointMode::Vip, EndpointMode::Dnsrr])
}

fn affinity() -> impl Strategy<Value = EndpointAffinity> {
    select(vec![EndpointAffinity::None, EndpointAffinity::ClientIp])
}

fn pool() -> impl Strategy<Value = NetworkPool> {
    (subnet(), any::<u8>(), any::<u16>()).prop_map(|(pool, network_prefix, data_port)| NetworkPool { pool, network_prefix, data_port })
}

pub(super) fn attachment() -> impl Strategy<Value = NetworkAttachment> {
    (id(), texts()).prop_map(|(network, aliases)| NetworkAttachment { network, aliases })
}

pub(super) fn endpoint_spec() -> impl Strategy<Value = EndpointSpec> {
    (mode(), affinity()).prop_map(|(mode, affinity)| EndpointSpec { mode, affinity })
}

pub(super) fn endpoint() -> impl Strategy<Value = Endpoint> {
    (btree_map(id(), ipv4(), 0..3), vec(port(), 0..3), option::of(text())).prop_map(|(vips, ports, error)| Endpoint { vips, ports, error })
}

pub(super) fn task_address() -> impl Strategy<Value = TaskAddress> {
    (id(), ipv4()).prop_map(|(network, address)| TaskAddress { network, address })
}

pub(super) fn data_path() -> impl Strategy<Value = NodeNetwork> {
    let conflict = (any::<u16>(), select(vec![Protocol::Tcp, Protocol::Udp]));
    (vec(conflict, 0..3), option::of(text()), any::<u64>(), option::of(text()))
        .prop_map(|(conflicts, trouble, repairs, repaired)| NodeNetwork { conflicts, trouble, repairs, repaired })
}

prop_compose! {
    fn network()(
        (meta, id, subnet) in (meta(), id(), subnet()),
        (name, labels, asked, attachable, internal) in (text(), labels(), option::of(subnet()), any::<bool>(), any::<bool>()),
        blocks in btree_map(any::<u32>(), option::of(id()), 0..4),
    ) -> Network {
        let owner = |node: Option<_>| node.map_or(BlockOwner::Services, BlockOwner::Node);
        Network {
            meta, id, subnet,
            spec: NetworkSpec { name, labels, subnet: asked, attachable, internal },
            blocks: blocks.into_iter().map(|(number, node)| (number, owner(node))).collect(),
        }
    }
}

prop_compose! {
    fn service_network()(
        (network, vip, aliases) in (id(), option::of(ipv4()), texts()),
        endpoints in vec((ipv4(), text()).prop_map(|(address, hostname)| EndpointView { address, hostname }), 0..3),
    ) -> ServiceNetworkView {
        ServiceNetworkView { network, vip, aliases, endpoints }
    }
}

prop_compose! {
    fn service_view()(
        (id, name, mode, affinity) in (id(), text(), mode(), affinity()),
        (networks, ports) in (vec(service_network(), 0..3), vec(port(), 0..3)),
    ) -> ServiceView {
        ServiceView { id, name, mode, affinity, networks, ports }
    }
}

fn view_item() -> impl Strategy<Value = ViewItem> {
    let own = (id(), any::<u16>(), pool()).prop_map(|(node, number, pool)| ViewItem::Own(OwnView { node, number, pool }));
    let peer = (id(), any::<u16>(), ipv4(), vec(block(), 0..3))
        .prop_map(|(node, number, underlay, blocks)| ViewItem::Peer(PeerView { node, number, underlay, blocks }));
    let network = (id(), text(), block(), any::<bool>())
        .prop_map(|(id, name, subnet, internal)| ViewItem::Network(NetworkView { id, name, subnet, internal }));
    prop_oneof![own, peer, network, service_view().prop_map(ViewItem::Service)]
}

fn view_key() -> impl Strategy<Value = ViewKey> {
    prop_oneof![Just(ViewKey::Own), id().prop_map(ViewKey::Peer), id().prop_map(ViewKey::Network), id().prop_map(ViewKey::Service)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn networks_come_back_as_they_went(network in network()) {
        prop_assert_eq!(Network::try_from(pb::Network::from(&network)), Ok(network));
    }

    #[test]
    fn pools_come_back_as_they_went(pool in pool()) {
        prop_assert_eq!(NetworkPool::try_from(pb::NetworkPool::from(&pool)), Ok(pool));
    }

    #[test]
    fn endpoints_come_back_as_they_went(endpoint in endpoint(), spec in endpoint_spec()) {
        prop_assert_eq!(Endpoint::try_from(pb::Endpoint::from(&endpoint)), Ok(endpoint));
        prop_assert_eq!(EndpointSpec::try_from(pb::EndpointSpec::from(&spec)), Ok(spec));
    }

    #[test]
    fn addresses_come_back_as_they_went(address in task_address(), attachment in attachment()) {
        prop_assert_eq!(TaskAddress::try_from(pb::TaskAddress::from(&address)), Ok(address));
        prop_assert_eq!(NetworkAttachment::try_from(pb::NetworkAttachment::from(&attachment)), Ok(attachment));
    }

    #[test]
    fn what_nodes_say_of_their_data_path_comes_back_as_it_went(network in data_path()) {
        prop_assert_eq!(NodeNetwork::try_from(pb::NodeNetwork::from(&network)), Ok(network));
    }

    #[test]
    fn views_come_back_as_they_went(full: bool, version: u64, put in vec(view_item(), 0..4), remove in vec(view_key(), 0..3)) {
        let diff = ViewDiff { full, version: Version(version), put: put.into_iter().map(Arc::new).collect(), remove };
        prop_assert_eq!(ViewDiff::try_from(pb::NetworkPiece::from(&diff)), Ok(diff));
    }
}

#[test]
fn what_is_wrong_in_a_view_is_named_by_its_path() {
    let refused = |piece: pb::NetworkPiece| ViewDiff::try_from(piece).unwrap_err().to_string();
    let put = |item| refused(pb::NetworkPiece { put: vec![pb::ViewItem { item }], ..Default::default() });
    assert_eq!(put(None), "put[0].item: is missing");
    let peer = pb::PeerView { node: "0".repeat(25), underlay: "10.0.0.1".into(), blocks: vec!["10.0.0.1/8".into()], ..Default::default() };
    assert_eq!(put(Some(pb::view_item::Item::Peer(peer))), "put[0].peer.blocks: `10.0.0.1/8` is no subnet");
    let remove = vec![pb::ViewKey { key: Some(pb::view_key::Key::Service("x".into())) }];
    assert!(refused(pb::NetworkPiece { remove, ..Default::default() }).starts_with("remove[0].service: `x` is not an id"));
}

#[test]
fn what_is_wrong_in_a_network_is_named_by_its_path() {
    let refused = |spec: pb::NetworkSpec| NetworkSpec::try_from(spec).unwrap_err();
    let FieldError { field, reason } = refused(pb::NetworkSpec { subnet: "10.0.0.1/20".into(), ..Default::default() });
    assert!(field == "subnet" && reason.contains("10.0.0.1/20"), "{field}: {reason}");
    let pool = NetworkPool::try_from(pb::NetworkPool { pool: "10.0.0.0/8".into(), network_prefix: 300, data_port: 1 });
    assert_eq!(pool.unwrap_err().to_string(), "network_prefix: 300 is no prefix");
}
