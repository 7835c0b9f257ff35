//! Tests of network views: single rules by example; and a watcher that looks at all views all through random lives of a cluster, where it
//! plays the dispatcher: it lets one fabric follow, and sends differences only to nodes that an event concerns.

use std::collections::BTreeMap;

use cluster_state::View;
use cluster_types::*;

use super::*;
use crate::testbed::{Testbed, attachment, ingress_port, node_id, service_id, spec};

/// The nodes and what they have been sent.
pub(crate) struct Watcher {
    fabric: Fabric,
    views: BTreeMap<NodeId, ViewItems>,
    seen: usize,
}

impl Watcher {
    pub(crate) fn new(bed: &Testbed) -> Self {
        let view = bed.view();
        let views = view.nodes().map(|node| (node.id, wanted(&view, node.id))).collect();
        Self { fabric: Fabric::of(&view), views, seen: bed.events.len() }
    }

    /// Follows what happened since the last look, and checks every view.
    pub(crate) fn look(&mut self, bed: &Testbed) {
        let view = bed.view();
        let events = &bed.events[self.seen..];
        self.seen = bed.events.len();
        self.fabric.follow(&view, events);
        let concerned = events.iter().fold(Concerned::nobody(), |concerned, event| concerned.and(concerns(event, &view)));
        self.views.retain(|node, _| view.node(*node).is_some());
        for node in view.nodes() {
            let new = wanted(&view, node.id);
            assert_eq!(self.fabric.wanted(&view, node.id), new, "the fabric did not follow {events:?}");
            let sent = self.views.entry(node.id).or_default();
            if concerned.includes(node.id) {
                diff(sent, &new, view.index()).apply(sent);
                assert_eq!(diff(sent, &new, view.index()), ViewDiff { version: view.index(), ..ViewDiff::default() });
            }
            assert_eq!(*sent, new, "node {} is concerned by one of {events:?}", node.id);
            let mut anew = ViewItems::new();
            full(&new, view.index()).apply(&mut anew);
            assert_eq!(anew, new);
            check(&view, node, &new);
        }
    }
}

/// The rules, told the slow way.
fn check(view: &View, node: &Node, items: &ViewItems) {
    if node.number.is_none() {
        return assert!(items.is_empty());
    }
    let local = |network: NetworkId| {
        view.tasks_on_node(node.id).any(|task| task.holds_resources() && task.addresses.iter().any(|has| has.network == network))
    };
    let keys = |pick: fn(&ViewKey) -> bool| items.keys().copied().filter(pick).collect::<Vec<_>>();
    let networks = view.networks().map(|network| network.id).filter(|network| local(*network)).map(ViewKey::Network);
    assert_eq!(keys(|key| matches!(key, ViewKey::Network(_))), networks.collect::<Vec<_>>());
    let peers = view.nodes().filter(|peer| peer.id != node.id && peer.number.is_some()).map(|peer| ViewKey::Peer(peer.id));
    assert_eq!(keys(|key| matches!(key, ViewKey::Peer(_))), peers.collect::<Vec<_>>());
    for service in view.services() {
        let ids: Vec<NetworkId> = service.spec.task.network_ids().collect();
        let shown: Vec<NetworkId> =
            ids.iter().copied().filter(|id| local(*id) || (!service.endpoint.ports.is_empty() && ids[0] == *id)).collect();
        let found: Vec<&ServiceNetworkView> = match items.get(&ViewKey::Service(service.id)).map(|item| &**item) {
            Some(ViewItem::Service(found)) => found.networks.iter().collect(),
            _ => Vec::new(),
        };
        assert_eq!(found.iter().map(|it| it.network).collect::<Vec<_>>(), shown);
        for network in found {
            assert_eq!(network.vip, service.endpoint.vips.get(&network.network).copied());
            assert_eq!(addresses(network), takers(view, node.id, service.id, network.network));
        }
    }
    let services = items.values().filter(|item| matches!(&***item, ViewItem::Service(it) if it.networks.is_empty()));
    assert_eq!(services.count(), 0);
}

fn addresses(network: &ServiceNetworkView) -> Vec<std::net::Ipv4Addr> {
    network.endpoints.iter().map(|endpoint| endpoint.address).collect()
}

/// The addresses that a node may send traffic to.
fn takers(view: &View, own: NodeId, service: ServiceId, network: NetworkId) -> Vec<std::net::Ipv4Addr> {
    let ready = |task: &Task| task.status.health.as_ref().is_none_or(|health| health.ready);
    let runs = |task: &Task| task.status.state == TaskState::Running && task.desired <= DesiredState::Running && ready(task);
    let tasks = view.tasks_of_service(service).filter(|task| runs(task));
    let all: Vec<_> = tasks.flat_map(|task| task.addresses.iter().map(|has| (task.node.unwrap(), *has))).collect();
    let all: Vec<_> = all.into_iter().filter(|(_, has)| has.network == network).collect();
    let is_ready = |node: NodeId| view.node(node).is_some_and(|node| node.status.state == NodeState::Ready);
    let any_ready = all.iter().any(|(node, _)| is_ready(*node));
    let mut shown: Vec<_> =
        all.into_iter().filter(|(node, _)| is_ready(*node) || !any_ready || *node == own).map(|(_, has)| has.address).collect();
    shown.sort_unstable();
    shown
}

fn service_on(bed: &Testbed, node: u128, service: u128) -> Option<ServiceView> {
    match &**wanted(&bed.view(), node_id(node)).get(&ViewKey::Service(service_id(service)))? {
        ViewItem::Service(service) => Some(service.clone()),
        other => panic!("{other:?}"),
    }
}

fn endpoints(bed: &Testbed, node: u128, service: u128) -> Vec<String> {
    let service = service_on(bed, node, service).unwrap();
    let mut names: Vec<_> = service.networks[0].endpoints.iter().map(|endpoint| endpoint.hostname.clone()).collect();
    names.sort();
    names
}

#[test]
fn a_node_knows_itself_the_others_and_what_is_local() {
    let mut bed = Testbed::new(3);
    let net = bed.create_network(1, "10.1.0.0/24");
    let mut web = spec("web", 1);
    web.task.networks = vec![NetworkAttachment { network: net, aliases: vec!["www".to_owned()] }];
    web.task.container.hostname = Some("frontend".to_owned());
    bed.create(1, web);
    bed.settle();
    let view = bed.view();
    let items = wanted(&view, node_id(1));
    let own = OwnView { node: node_id(1), number: 1, pool: NetworkPool::standard() };
    assert_eq!(*items[&ViewKey::Own], ViewItem::Own(own));
    let ViewItem::Peer(peer) = &*items[&ViewKey::Peer(node_id(2))] else { panic!("{items:?}") };
    assert_eq!((peer.number, peer.underlay.to_string().as_str(), peer.blocks.len()), (2, "192.168.0.2", 0));
    assert!(items.contains_key(&ViewKey::Network(net)) && !items.contains_key(&ViewKey::Network(DEFAULT_NETWORK)));
    let service = service_on(&bed, 1, 1).unwrap();
    assert_eq!((service.networks[0].aliases.as_slice(), service.networks[0].vip.is_some()), (&["www".to_owned()][..], true));
    assert_eq!(endpoints(&bed, 1, 1), ["frontend"]);
    assert_eq!(service_on(&bed, 2, 1), None, "nothing of the network is there");
    let ViewItem::Peer(peer) = &*wanted(&view, node_id(2))[&ViewKey::Peer(node_id(1))] else { panic!() };
    assert_eq!(peer.blocks.len(), 1);
}

#[test]
fn a_published_port_is_known_everywhere_with_the_first_network_alone() {
    let mut bed = Testbed::new(2);
    let (first, second) = (bed.create_network(1, "10.1.0.0/24"), bed.create_network(2, "10.2.0.0/24"));
    let mut web = spec("web", 1);
    web.task.networks = vec![attachment(first), attachment(second)];
    web.ports = vec![ingress_port(80)];
    bed.create(1, web);
    bed.settle();
    let (here, there) = (service_on(&bed, 1, 1).unwrap(), service_on(&bed, 2, 1).unwrap());
    assert_eq!((here.networks.len(), here.ports.len()), (2, 1));
    assert_eq!((there.networks.as_slice(), there.ports), (&here.networks[..1], here.ports));
    assert!(!wanted(&bed.view(), node_id(2)).contains_key(&ViewKey::Network(first)));
}

#[test]
fn a_draining_task_takes_no_traffic_and_one_of_a_lost_node_only_when_there_is_no_other() {
    let mut bed = Testbed::new(3);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    assert_eq!(endpoints(&bed, 1, 1), ["web.1", "web.2", "web.3"]);
    let draining = bed.wanted(web).iter().find(|task| task.node == Some(node_id(1))).unwrap().clone();
    bed.apply(vec![Change::Task(draining.id, TaskStep::Desire(DesiredState::Shutdown))]);
    assert_eq!(endpoints(&bed, 1, 1).len(), 2);
    bed.set_node(2, NodeState::Disconnected);
    assert_eq!((endpoints(&bed, 1, 1).len(), endpoints(&bed, 3, 1).len()), (1, 1));
    assert_eq!(endpoints(&bed, 2, 1).len(), 2, "its own task it can reach");
    bed.set_node(3, NodeState::Disconnected);
    assert_eq!(endpoints(&bed, 1, 1).len(), 2, "better one that may be lost than none");
}

#[test]
fn a_report_that_moves_no_traffic_concerns_nobody() {
    let mut bed = Testbed::new(3);
    let net = bed.create_network(1, "10.1.0.0/24");
    let mut local = spec("local", 2);
    local.task.networks = vec![attachment(net)];
    bed.create(1, local);
    bed.pass();
    let concerned = |bed: &Testbed, from: usize| {
        let view = bed.view();
        bed.events[from..].iter().fold(Concerned::nobody(), |concerned, event| concerned.and(concerns(event, &view)))
    };
    let (before, both) = (bed.events.len(), Concerned::Nodes([node_id(1), node_id(2)].into()));
    bed.agents();
    bed.agents();
    assert_eq!(concerned(&bed, before), Concerned::nobody(), "preparing and ready");
    let before = bed.events.len();
    bed.agents();
    assert_eq!(concerned(&bed, before), both, "running");
    let before = bed.events.len();
    bed.update(service_id(1), |spec| spec.mode = ServiceMode::Replicated { replicas: 3 });
    bed.update_node(3, |node| drop(node.labels.insert("a".to_owned(), "b".to_owned())));
    assert_eq!(concerned(&bed, before), Concerned::nobody(), "specs");
    let before = bed.events.len();
    bed.update(service_id(1), |spec| spec.ports.push(ingress_port(80)));
    bed.pass();
    assert_eq!(concerned(&bed, before), Concerned::All, "a port on every host");
}
