//! Whether a task must be replaced because its service's spec changed since it was made.
//!
//! What the container is made from counts: the container with its health checks, its resources, networks and host ports, and the counter
//! of forced updates. Changed constraints count only when the task's node does not meet them; preferences, affinities and the ranking are
//! for tasks that have no node yet. Restart policy, update and rollback config, what happens when a node is lost, labels of the service, the
//! number of replicas, ingress ports, aliases and how its name is answered need no new task.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::{PublishMode, PublishedPort, Service, ServiceSpec, Task, Version};

use crate::constraint;
use crate::draft::Draft;

/// Judges the tasks of one service; each older spec is compared once.
pub(crate) struct Staleness {
    spec: Arc<ServiceSpec>,
    version: Version,
    differs: BTreeMap<Version, bool>,
}

impl Staleness {
    pub(crate) fn new(service: &Service) -> Self {
        Self { spec: Arc::clone(&service.spec), version: service.spec_version, differs: BTreeMap::new() }
    }

    pub(crate) fn is_stale(&mut self, draft: &Draft<'_>, task: &Task) -> bool {
        if task.spec_version == self.version {
            return false;
        }
        let spec = &self.spec;
        let differs =
            *self.differs.entry(task.spec_version).or_insert_with(|| draft.spec_of(task).is_none_or(|old| needs_restart(old, spec)));
        differs || self.misplaced(draft, task)
    }

    /// A task that waits for a node goes by the constraints that it was made with, so changed ones make another task.
    fn misplaced(&self, draft: &Draft<'_>, task: &Task) -> bool {
        let placement = &self.spec.task.placement;
        match task.node.and_then(|node| draft.node(node)) {
            Some(node) => !constraint::belongs(node, placement),
            None => draft.spec_of(task).is_none_or(|old| old.task.placement != *placement),
        }
    }
}

/// Whether two specs ask for the same tasks in the same places: an update to the one is as good as one to the other.
pub(super) fn is_same_template(one: &ServiceSpec, other: &ServiceSpec) -> bool {
    let (here, there) = (&one.task.placement, &other.task.placement);
    !needs_restart(one, other)
        && here.constraints == there.constraints
        && here.max_per_node == there.max_per_node
        && here.platforms == there.platforms
}

fn needs_restart(old: &ServiceSpec, new: &ServiceSpec) -> bool {
    let (before, after) = (&old.task, &new.task);
    before.container != after.container
        || before.reservation != after.reservation
        || before.limits != after.limits
        || before.generic != after.generic
        || before.network != after.network
        || !before.network_ids().eq(after.network_ids())
        || before.force_update != after.force_update
        || !host_ports(old).eq(host_ports(new))
}

/// Ports on every host are opened there, not with the container.
fn host_ports(spec: &ServiceSpec) -> impl Iterator<Item = &PublishedPort> {
    spec.ports.iter().filter(|port| port.mode == PublishMode::Host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed;
    use cluster_types::{
        DEFAULT_NETWORK, EndpointMode, GenericNeeds, HealthSpec, NetworkAttachment, NetworkId, NodeLoss, Ranking, RestartCondition,
        ServiceMode,
    };
    use std::time::Duration;

    fn differs(change: impl FnOnce(&mut ServiceSpec)) -> bool {
        let old = testbed::spec("web", 3);
        let mut new = old.clone();
        change(&mut new);
        needs_restart(&old, &new)
    }

    #[test]
    fn only_what_the_container_is_made_from_needs_a_restart() {
        assert!(differs(|spec| spec.task.container.image = "web:2".into()));
        assert!(differs(|spec| spec.task.reservation.memory += 1));
        assert!(differs(|spec| spec.task.limits.pids += 1));
        assert!(differs(|spec| spec.task.force_update += 1));
        assert!(differs(|spec| spec.task.container.health.retries = Some(7)));
        assert!(differs(|spec| spec.task.container.readiness = Some(HealthSpec::default())));
        assert!(differs(|spec| spec.task.generic = GenericNeeds::from([("gpu".to_owned(), 1)])));
        assert!(differs(|spec| spec.ports.push(testbed::host_port(80))));
        let attach = |network, alias: &str| vec![NetworkAttachment { network, aliases: vec![alias.to_owned()] }];
        assert!(differs(|spec| spec.task.networks = attach(NetworkId::from_bits(9), "db")));
        assert!(!differs(|spec| spec.task.networks = attach(DEFAULT_NETWORK, "db")));
        assert!(!differs(|spec| spec.ports.push(PublishedPort { mode: PublishMode::Ingress, ..testbed::host_port(80) })));
        assert!(!differs(|spec| spec.endpoint.mode = EndpointMode::Dnsrr));
        assert!(!differs(|spec| spec.mode = ServiceMode::Replicated { replicas: 9 }));
        assert!(!differs(|spec| spec.task.restart.condition = RestartCondition::None));
        assert!(!differs(|spec| spec.update.delay = Duration::from_secs(1)));
        assert!(!differs(|spec| spec.rollback.parallelism = 9));
        assert!(!differs(|spec| spec.task.on_node_lost = NodeLoss::Keep));
        assert!(!differs(|spec| spec.task.placement.preferences.push("node.labels.zone".into())));
        assert!(!differs(|spec| spec.task.placement.affinities.push("service!=db".parse().unwrap())));
        assert!(!differs(|spec| spec.task.placement.ranking = Ranking::Binpack));
        assert!(!differs(|spec| drop(spec.labels.insert("a".into(), "b".into()))));
        assert!(!differs(|spec| spec.task.placement.constraints.push("node.role==worker".parse().unwrap())));
    }
}
