//! Small objects for tests, told apart by a number.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::*;

pub(super) fn node(number: u128) -> Arc<Node> {
    let description = NodeDescription { hostname: format!("host{}", number % 3), ..NodeDescription::default() };
    let (id, spec, status) = (NodeId::from_bits(number), NodeSpec::default(), NodeStatus::default());
    Arc::new(Node { meta: Meta::default(), id, spec, description, status, manager: None })
}

pub(super) fn spec(name: &str, replicas: u64, image: &str) -> Arc<ServiceSpec> {
    let container = ContainerSpec { image: image.to_owned(), ..ContainerSpec::default() };
    Arc::new(ServiceSpec {
        name: name.to_owned(),
        labels: BTreeMap::new(),
        task: TaskSpec { container, ..TaskSpec::default() },
        mode: ServiceMode::Replicated { replicas },
        update: UpdateConfig::default(),
        ports: Vec::new(),
    })
}

pub(super) fn service(number: u128, spec: Arc<ServiceSpec>) -> Arc<Service> {
    let (meta, spec_version, id) = (Meta::default(), Version(0), ServiceId::from_bits(number));
    Arc::new(Service { meta, id, spec, spec_version, previous_version: None, update: None })
}

pub(super) fn task(number: u128, service: u128, spec_version: Version, slot: u64) -> Arc<Task> {
    Arc::new(Task {
        meta: Meta::default(),
        id: TaskId::from_bits(number),
        service: ServiceId::from_bits(service),
        spec_version,
        slot,
        node: None,
        desired: DesiredState::Running,
        status: TaskStatus::default(),
        not_before: None,
        failures: 0,
    })
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
    })
}

pub(super) fn entry(request: u128, mode: EntryMode, changes: Vec<Change>) -> Entry {
    Entry { request: RequestId::from_bits(request), at: Timestamp(1_000 + u64::try_from(request).unwrap()), mode, changes }
}
