//! Small objects for tests, told apart by a number.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_types::*;

pub(super) fn node(number: u128) -> Arc<Node> {
    let description = NodeDescription { hostname: format!("host{}", number % 3), ..NodeDescription::default() };
    let (id, spec, status) = (NodeId::from_bits(number), NodeSpec::default(), NodeStatus::default());
    Arc::new(Node { meta: Meta::default(), id, spec, description, status, manager: None, number: None, network: NodeNetwork::default() })
}

pub(super) fn spec(name: &str, replicas: u64, image: &str) -> Arc<ServiceSpec> {
    let container = ContainerSpec { image: image.to_owned(), ..ContainerSpec::default() };
    Arc::new(ServiceSpec {
        name: name.to_owned(),
        task: TaskSpec { container, ..TaskSpec::default() },
        mode: ServiceMode::Replicated { replicas },
        ..ServiceSpec::default()
    })
}

pub(super) fn service(number: u128, spec: Arc<ServiceSpec>) -> Arc<Service> {
    Arc::new(Service::new(ServiceId::from_bits(number), ServiceSpec::clone(&spec), Author::default()))
}

pub(super) fn task(number: u128, service: u128, spec_version: Version, slot: u64) -> Arc<Task> {
    Arc::new(Task::new(TaskId::from_bits(number), ServiceId::from_bits(service), spec_version, slot))
}

/// A small network. With prefix 28 it has four blocks of four addresses; with 27 it meets one of its neighbours.
pub(super) fn network(number: u128, prefix: u8) -> Arc<Network> {
    let base = Ipv4Addr::from(0x0A00_0000 + u32::try_from(number % 8 * 16).unwrap());
    let spec = NetworkSpec { name: format!("net{}", number % 5), ..NetworkSpec::default() };
    let subnet = Subnet::around(base, prefix).unwrap();
    Arc::new(Network { meta: Meta::default(), id: NetworkId::from_bits(number), spec, subnet, blocks: BTreeMap::new() })
}

pub(super) fn address(network: u128, last: u8) -> TaskAddress {
    TaskAddress { network: NetworkId::from_bits(network), address: Ipv4Addr::new(10, 0, 0, last) }
}

pub(super) fn cluster(number: u128) -> Arc<Cluster> {
    let secret = JoinSecret { words: [1, 2], expires: None };
    Arc::new(Cluster {
        meta: Meta::default(),
        id: ClusterId::from_bits(number),
        name: "test".to_owned(),
        incarnation: 0,
        ca: CaRoot { certificate: "certificate".to_owned(), key: "key".to_owned() },
        join: JoinSecrets { worker: secret.clone(), manager: secret },
        network: NetworkPool::standard(),
    })
}

pub(super) fn entry(request: u128, mode: EntryMode, changes: Vec<Change>) -> Entry {
    Entry { request: RequestId::from_bits(request), at: Timestamp(1_000 + u64::try_from(request).unwrap()), mode, changes }
}
