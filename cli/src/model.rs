//! Objects as a manager answers them: the domain object and what the leader filled in beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_api::{FieldError, pb};
use cluster_types::{Network, Node, PublishMode, PublishedPort, Service, ServiceMode, Task, Version};

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
    /// How many tasks of what its update brings serve.
    pub(crate) updated: u64,
    /// Of a job: how many tasks of its last run completed, and how many are to.
    pub(crate) completions: (u64, u64),
    /// The images of its revisions.
    pub(crate) images: BTreeMap<Version, String>,
    /// Ingress ports that are not open on some host, in words.
    pub(crate) conflicts: Vec<String>,
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

/// A network with what is used of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NetworkView {
    pub(crate) network: Network,
    /// Addresses that are given, and that may still be.
    pub(crate) used: u64,
    pub(crate) free: u64,
    /// Names of the services that take part in it.
    pub(crate) services: Vec<String>,
    /// In the order of their numbers.
    pub(crate) blocks: Vec<BlockView>,
}

/// A block of a network with what is used of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BlockView {
    pub(crate) subnet: String,
    /// Id of the node that it belongs to; empty for addresses of services.
    pub(crate) node: String,
    pub(crate) node_hostname: String,
    pub(crate) used: u64,
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

    fn try_from(mut service: pb::Service) -> Result<Self, FieldError> {
        let (running, wanted, updated) = (service.running, service.wanted, service.updated);
        let conflicts = std::mem::take(&mut service.port_conflicts);
        let progress = service.progress.take().unwrap_or_default();
        let image = |revision: &mut pb::Revision| (Version(revision.spec_version), std::mem::take(&mut revision.image));
        let images = service.history.iter_mut().map(image).collect();
        let service = Service::try_from(service)?;
        let completions = completions(&service, &progress);
        Ok(Self { service, running, wanted, updated, completions, images, conflicts })
    }
}

impl TryFrom<pb::Network> for NetworkView {
    type Error = FieldError;

    fn try_from(mut network: pb::Network) -> Result<Self, FieldError> {
        let (used, free, services) = (network.used, network.free, std::mem::take(&mut network.services));
        let block = |block: &pb::Block| BlockView {
            subnet: block.subnet.clone(),
            node: block.node.clone(),
            node_hostname: block.node_hostname.clone(),
            used: block.used,
        };
        let blocks = network.blocks.iter().map(block).collect();
        Ok(Self { network: network.try_into()?, used, free, services, blocks })
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
            ServiceMode::Global | ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob => self.wanted,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.service.spec.name
    }

    /// What is not as its spec wants it, though its tasks run: addresses and ports that it did not get, and hosts where a port is not open.
    pub(crate) fn troubles(&self) -> impl Iterator<Item = &str> {
        self.service.endpoint.error.iter().chain(&self.conflicts).map(String::as_str)
    }

    /// Its spec, to change it.
    pub(crate) fn spec(&self) -> &Arc<cluster_types::ServiceSpec> {
        &self.service.spec
    }
}

/// Before its first run a job is to complete as often as its spec says.
fn completions(service: &Service, progress: &pb::JobProgress) -> (u64, u64) {
    let wanted = match service.spec.mode {
        ServiceMode::ReplicatedJob { total, .. } if service.job.as_ref().is_none_or(|job| job.iteration == 0) => total,
        _ => progress.wanted,
    };
    (progress.completed, wanted)
}

impl NetworkView {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.network.spec.name
    }
}

impl TaskView {
    /// `web.3`, or `web.<node id>` for a global service.
    pub(crate) fn name(&self) -> String {
        self.task.name(&self.service_name)
    }

    /// The ports that are open for it on its host alone, as far as it is known; else those that it should have. Ingress ports are the
    /// service's, not the task's.
    pub(crate) fn open_ports(&self) -> Vec<PublishedPort> {
        let bound: Option<Vec<PublishedPort>> =
            self.task.status.container.as_ref().map(|container| container.ports.iter().map(|binding| binding.port).collect());
        let ports = bound.filter(|ports| !ports.is_empty()).unwrap_or_else(|| self.ports.clone());
        ports.into_iter().filter(|port| port.mode == PublishMode::Host).collect()
    }
}
