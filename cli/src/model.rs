//! Objects as a manager answers them: the domain object and what the leader filled in beside it.

use std::sync::Arc;

use cluster_api::{FieldError, pb};
use cluster_types::{Node, PublishedPort, Service, ServiceMode, Task};

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeView {
    pub(crate) node: Node,
    /// Whether it leads.
    pub(crate) leader: bool,
    /// Whether its manager seat answers.
    pub(crate) reachable: bool,
    /// Whether it is the host that was asked.
    pub(crate) is_self: bool,
}

/// A service with how many of its tasks run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServiceView {
    pub(crate) service: Service,
    pub(crate) running: u64,
    pub(crate) wanted: u64,
}

/// A task with the names around it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskView {
    pub(crate) task: Task,
    pub(crate) service_name: String,
    pub(crate) node_hostname: String,
    pub(crate) image: String,
    pub(crate) ports: Vec<PublishedPort>,
}

impl TryFrom<pb::Node> for NodeView {
    type Error = FieldError;

    fn try_from(node: pb::Node) -> Result<Self, FieldError> {
        let (leader, reachable) = (node.leader, node.reachable);
        Ok(Self { node: node.try_into()?, leader, reachable, is_self: false })
    }
}

impl TryFrom<pb::Service> for ServiceView {
    type Error = FieldError;

    fn try_from(service: pb::Service) -> Result<Self, FieldError> {
        let (running, wanted) = (service.running, service.wanted);
        Ok(Self { service: service.try_into()?, running, wanted })
    }
}

impl TryFrom<pb::Task> for TaskView {
    type Error = FieldError;

    fn try_from(mut task: pb::Task) -> Result<Self, FieldError> {
        let (service_name, node_hostname) = (std::mem::take(&mut task.service_name), std::mem::take(&mut task.node_hostname));
        let image = std::mem::take(&mut task.image);
        let ports = std::mem::take(&mut task.ports).into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(Self { task: task.try_into()?, service_name, node_hostname, image, ports })
    }
}

impl ServiceView {
    /// How many tasks should run: the spec's number, or for a global service the leader's count.
    pub(crate) fn goal(&self) -> u64 {
        match self.service.spec.mode {
            ServiceMode::Replicated { replicas } => replicas,
            ServiceMode::Global => self.wanted,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.service.spec.name
    }

    /// Its spec, to change it.
    pub(crate) fn spec(&self) -> &Arc<cluster_types::ServiceSpec> {
        &self.service.spec
    }
}

impl TaskView {
    /// `web.3`, or `web.<node id>` for a global service.
    pub(crate) fn name(&self) -> String {
        self.task.name(&self.service_name)
    }

    /// The ports that are open for it on its host, as far as it is known; else those that it should have.
    pub(crate) fn open_ports(&self) -> Vec<PublishedPort> {
        let bound = self.task.status.container.as_ref().map(|container| container.ports.iter().map(|binding| binding.port).collect());
        bound.filter(|ports: &Vec<_>| !ports.is_empty()).unwrap_or_else(|| self.ports.clone())
    }
}
