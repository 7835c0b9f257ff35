//! Tests of giving: numbers, addresses, ports and blocks, on the simulated cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_state::Holder;
use cluster_types::*;

use crate::testbed::{self, Testbed, attachment, host_port, ingress_port, node_id, service_id, spec};

fn on(name: &str, replicas: u64, networks: &[NetworkId]) -> ServiceSpec {
    let mut spec = spec(name, replicas);
    spec.task.networks = networks.iter().copied().map(attachment).collect();
    spec
}

fn number(bed: &Testbed, node: u128) -> Option<u16> {
    bed.view().node(node_id(node)).unwrap().number
}

fn endpoint(bed: &Testbed, service: ServiceId) -> Endpoint {
    bed.view().service(service).unwrap().endpoint.clone()
}

fn ports(bed: &Testbed, service: ServiceId) -> Vec<u16> {
    endpoint(bed, service).ports.iter().map(|port| port.published).collect()
}

fn errors(bed: &Testbed, service: ServiceId) -> BTreeSet<String> {
    bed.wanted(service).iter().filter_map(|task| task.status.error.clone()).collect()
}

/// Each of the tasks that are placed has addresses that nobody else has.
fn addresses(bed: &Testbed, service: ServiceId) -> BTreeSet<std::net::Ipv4Addr> {
    let tasks = bed.wanted(service);
    let all: Vec<_> = tasks.iter().flat_map(|task| task.addresses.iter().map(|has| has.address)).collect();
    let different: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!(all.len(), different.len());
    different
}

#[test]
fn nodes_are_numbered_and_a_number_that_is_free_again_is_given_again() {
    let pool = NetworkPool { pool: "10.0.0.0/24".parse().unwrap(), network_prefix: 28, ..NetworkPool::standard() };
    let mut bed = Testbed::with_pool(5, pool);
    bed.pass();
    assert_eq!((1..=5).map(|node| number(&bed, node)).collect::<Vec<_>>(), [Some(1), Some(2), Some(3), None, None]);
    assert!(bed.pass().changes.is_empty());
    bed.remove(ObjectKey::Node(node_id(2)));
    bed.pass();
    assert_eq!((number(&bed, 4), number(&bed, 5)), (Some(2), None));
}

#[test]
fn a_service_keeps_its_address_while_it_wants_one() {
    let mut bed = Testbed::new(2);
    let (one, two) = (bed.create_network(1, "10.1.0.0/24"), bed.create_network(2, "10.2.0.0/24"));
    let web = bed.create(1, on("web", 1, &[one]));
    bed.settle();
    let first = endpoint(&bed, web).vips[&one];
    bed.update(web, |spec| spec.task.networks.push(attachment(two)));
    bed.settle();
    let both = endpoint(&bed, web).vips;
    assert_eq!((both[&one], both.len()), (first, 2));
    assert!(bed.wanted(web).iter().all(|task| task.addresses.len() == 2), "the update replaced the tasks");
    bed.update(web, |spec| drop(spec.task.networks.remove(0)));
    bed.settle();
    assert_eq!(endpoint(&bed, web).vips.keys().copied().collect::<Vec<_>>(), [two]);
    bed.update(web, |spec| spec.endpoint.mode = EndpointMode::Dnsrr);
    bed.settle();
    assert!(endpoint(&bed, web).vips.is_empty());
    let alone = bed.create(2, ServiceSpec { task: TaskSpec { network: NetworkMode::Host, ..spec("alone", 1).task }, ..spec("alone", 1) });
    bed.settle();
    assert_eq!((endpoint(&bed, alone), addresses(&bed, alone).len()), (Endpoint::default(), 0));
}

#[test]
fn a_port_belongs_to_one_service_and_goes_to_the_next_when_it_is_free() {
    let mut bed = Testbed::new(1);
    let mut web = spec("web", 1);
    web.ports = vec![ingress_port(80), host_port(81), PublishedPort { protocol: Protocol::Udp, ..ingress_port(80) }];
    let mut api = spec("api", 1);
    api.ports = vec![ingress_port(80), ingress_port(8080)];
    let (web, api) = (bed.create(1, web), bed.create(2, api));
    bed.settle();
    assert_eq!(ports(&bed, web), [80, 80]);
    let given = endpoint(&bed, api);
    assert_eq!((ports(&bed, api), given.error.as_deref()), (vec![8080], Some("port 80/tcp is published by service web")));
    assert_eq!((given.vips.len(), bed.running(api).len()), (1, 1), "the rest is given all the same");
    assert!(bed.pass().changes.is_empty());
    bed.update(web, |spec| spec.ports.clear());
    bed.settle();
    assert_eq!((ports(&bed, api), endpoint(&bed, api).error), (vec![80, 8080], None));
}

#[test]
fn a_chosen_port_is_kept_and_is_nobody_elses() {
    let mut bed = Testbed::new(1);
    let target = |target, published| PublishedPort { target, ..ingress_port(published) };
    let mut other = spec("other", 0);
    other.ports = vec![host_port(30_000), target(1, 30_001)];
    let mut web = spec("web", 0);
    web.ports = vec![target(80, 0), target(81, 0)];
    bed.create(1, other);
    let web = bed.create(2, web);
    bed.settle();
    assert_eq!(ports(&bed, web), [30_002, 30_003]);
    bed.update(web, |spec| spec.ports = vec![target(82, 0), target(81, 0), target(83, 30_002)]);
    bed.settle();
    assert_eq!(ports(&bed, web), [30_004, 30_003, 30_002]);
    let mut many = spec("many", 0);
    many.ports = (1..=2_768).map(|port| target(port, 0)).collect();
    let many = bed.create(3, many);
    bed.settle();
    assert_eq!(ports(&bed, many).len(), 2_768 - 5);
    assert!(endpoint(&bed, many).error.unwrap().starts_with("no port from 30000 to 32767 is free for port 2764/tcp; "));
}

#[test]
fn addresses_of_one_pass_are_all_different_and_each_is_of_a_block_of_its_node() {
    let mut bed = Testbed::new(5);
    let web = bed.create(1, spec("web", 1_000));
    let plan = bed.pass();
    assert_eq!(addresses(&bed, web).len(), 1_000);
    assert_eq!(bed.state.check(), Vec::<String>::new());
    let claims = plan.changes.iter().filter(|change| matches!(change, Change::Network(_, NetworkStep::Claim(..)))).count();
    assert_eq!(claims, 5 * 4 + 1, "200 addresses are four blocks of 64");
}

#[test]
fn where_a_node_gets_no_block_another_takes_the_task() {
    let mut bed = Testbed::new(2);
    let net = bed.create_network(1, "10.1.0.0/29");
    let web = bed.create(1, on("web", 7, &[net]));
    bed.settle();
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(1, 4), (2, 2)], "the services have one block of four");
    let reason = "network net-1 (10.1.0.0/29) has no free address: all of its 4 blocks of 2 are in use";
    let expected = format!("no suitable node: node-1 gets no address: {reason}; node-2 gets no address: {reason}");
    assert_eq!(errors(&bed, web), BTreeSet::from([expected]));
    let other = bed.create(2, on("other", 0, &[net]));
    let third = bed.create(3, on("third", 0, &[net]));
    bed.settle();
    assert_eq!((endpoint(&bed, other).vips.len(), endpoint(&bed, third).error.as_deref()), (1, Some(reason)));
    bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: 4 });
    bed.settle();
    assert_eq!(endpoint(&bed, third).error, None, "a block that a node no longer uses");
    assert_eq!(addresses(&bed, web).len(), 4);
}

#[test]
fn a_task_that_waits_for_an_address_gets_one_that_is_given_back() {
    let mut bed = Testbed::new(1);
    let net = bed.create_network(1, "10.1.0.0/29");
    let (first, agent) = (bed.create(1, on("first", 6, &[net])), ServiceSpec { mode: ServiceMode::Global, ..on("agent", 0, &[net]) });
    bed.settle();
    assert_eq!(bed.running(first).values().sum::<usize>(), 6);
    let agent = bed.create(2, agent);
    bed.settle();
    let told = errors(&bed, agent);
    assert!(told.first().unwrap().starts_with("its node node-1 gets no address: network net-1 (10.1.0.0/29)"), "{told:?}");
    bed.update(first, |spec| spec.mode = ServiceMode::Replicated { replicas: 5 });
    bed.settle();
    assert_eq!(bed.running(agent).len(), 1);
}

#[test]
fn a_block_goes_to_who_needs_it_and_those_of_removed_nodes_are_free_again() {
    let mut bed = Testbed::new(4);
    let net = bed.create_network(1, "10.1.0.0/29");
    let web = bed.create(1, on("web", 3, &[net]));
    bed.settle();
    let blocks = |bed: &Testbed| bed.view().network(net).unwrap().blocks.values().copied().collect::<Vec<_>>();
    assert_eq!(blocks(&bed).len(), 4);
    bed.update_node(1, |node| node.availability = Availability::Drain);
    bed.settle();
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(2, 2), (3, 1)], "node 4 could not have a block yet");
    bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: 4 });
    bed.settle();
    assert_eq!(bed.running(web).into_iter().collect::<Vec<_>>(), [(2, 2), (3, 1), (4, 1)]);
    assert!(!blocks(&bed).contains(&BlockOwner::Node(node_id(1))), "node 4 has it");
    bed.set_node(3, NodeState::Down);
    bed.remove(ObjectKey::Node(node_id(3)));
    bed.settle();
    assert!(!blocks(&bed).contains(&BlockOwner::Node(node_id(3))));
    assert_eq!(addresses(&bed, web).len(), 4);
}

#[test]
fn what_lives_on_a_node_that_is_cut_off_keeps_its_address_until_the_node_says_that_it_ended() {
    let mut bed = Testbed::new(4);
    let net = bed.create_network(1, "10.1.0.0/29");
    let web = bed.create(1, on("web", 3, &[net]));
    bed.settle();
    let lives = bed.wanted(web).into_iter().find(|task| task.node == Some(node_id(1))).unwrap();
    bed.set_node(1, NodeState::Down);
    bed.remove(ObjectKey::Service(web));
    bed.settle();
    let left: Vec<_> = bed.view().tasks_of_service(web).map(|task| task.id).collect();
    assert_eq!(left, [lives.id], "the node has not said that it stopped it");
    let other = bed.create(2, ServiceSpec { mode: ServiceMode::Global, ..on("other", 0, &[net]) });
    bed.settle();
    assert_eq!(bed.view().address_holder(lives.addresses[0].address), Some(Holder::Task(lives.id)));
    assert_eq!(bed.running(other).len(), 2, "the blocks are four: of two nodes, of the services, and of the node that is cut off");

    bed.set_node(1, NodeState::Ready);
    bed.settle();
    assert_eq!(bed.view().tasks_of_service(web).count(), 0);
    assert_eq!(bed.running(other).len(), 3);
}

#[test]
fn after_a_day_the_addresses_of_a_node_that_is_cut_off_are_free() {
    let mut bed = Testbed::new(4);
    let net = bed.create_network(1, "10.1.0.0/29");
    let web = bed.create(1, on("web", 3, &[net]));
    bed.settle();
    bed.set_node(1, NodeState::Down);
    bed.remove(ObjectKey::Service(web));
    let other = bed.create(2, ServiceSpec { mode: ServiceMode::Global, ..on("other", 0, &[net]) });
    bed.settle();
    assert_eq!(bed.running(other).len(), 2);
    bed.advance(std::time::Duration::from_secs(24 * 60 * 60));
    bed.settle();
    assert_eq!(bed.view().tasks_of_service(web).count(), 0);
    assert_eq!(bed.running(other).len(), 3, "node 4 has the block of node 1");
}

#[test]
fn a_network_that_is_gone_is_named() {
    let mut bed = Testbed::new(1);
    let net = bed.create_network(1, "10.1.0.0/24");
    bed.update_node(1, |node| node.availability = Availability::Pause);
    let web = bed.create(1, on("web", 1, &[net]));
    bed.settle();
    // The task waits; its service leaves the network and takes no new task, since no place is free for one.
    let waiting = bed.wanted(web)[0].clone();
    bed.update(web, |spec| spec.task.networks.clear());
    let endpoint = ServiceStep::Endpoint(Endpoint::default());
    bed.apply(vec![Change::Service(web, endpoint), Change::Remove { key: ObjectKey::Network(net), expect: None }]);
    let dirty = crate::Dirty::all();
    let view = bed.view();
    let mut draft = crate::draft::Draft::new(&view, bed.now.plus(std::time::Duration::from_secs(9)), 0, &dirty);
    crate::schedule::step(&mut draft);
    let told = draft.task(waiting.id).unwrap().status.error.clone().unwrap();
    assert_eq!(told, format!("network {net} does not exist any more"));
    bed.update_node(1, |node| node.availability = Availability::Active);
    bed.settle();
    assert_eq!(bed.running(web).len(), 1, "the update made a task without that network");
}

#[test]
fn where_the_search_begins_depends_on_the_id() {
    let view = Testbed::new(1).view();
    let first = |seed: u128| {
        let mut pools = super::pools::Pools::default();
        let taken = pools.take(&view, [DEFAULT_NETWORK], BlockOwner::Node(node_id(1)), seed).unwrap();
        taken[0].address
    };
    let different: BTreeSet<_> = (0..64).map(first).collect();
    assert_eq!(different.len(), 64, "an address that is given back is not the next one to be given");
}

#[test]
fn before_there_is_a_cluster_nothing_is_given() {
    let mut bed = Testbed::new(0);
    bed.state = cluster_state::State::new();
    bed.apply(vec![Change::Create(Object::Node(Arc::new(testbed::node(1))))]);
    bed.create(1, spec("web", 1));
    bed.pass();
    assert_eq!((number(&bed, 1), endpoint(&bed, service_id(1)).vips.len()), (None, 0));
    bed.apply(
        [Object::Cluster(testbed::cluster().into()), Object::Network(testbed::default_network().into())].map(Change::Create).to_vec(),
    );
    bed.settle();
    assert_eq!((number(&bed, 1), bed.running(service_id(1)).len()), (Some(1), 1));
}
