//! An immutable look at the state, as of one log index. Cheap to take, to clone and to keep: it shares what has not changed since.

use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_types::{
    Cluster, Network, NetworkId, Node, NodeId, Protocol, Rejection, RequestId, Service, ServiceId, ServiceSpec, Subnet, Task, TaskId,
    Timestamp, Version,
};

use crate::{Holder, Instances, Load, State};

/// The state as it was at [`View::index`]. All iteration is in a fixed order.
#[derive(Debug, Clone, Default)]
pub struct View {
    state: State,
}

impl View {
    pub(crate) fn of(state: State) -> Self {
        Self { state }
    }

    /// Log index of the last entry that it shows.
    #[must_use]
    pub fn index(&self) -> Version {
        self.state.index
    }

    /// The stamp of that entry: the time that its leader counted on.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.state.time
    }

    /// The cluster; none before `init`.
    #[must_use]
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.state.clusters.rows().next()
    }

    /// A node by its id.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Option<&Arc<Node>> {
        self.state.nodes.get(id)
    }

    /// All nodes by id.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.state.nodes.rows()
    }

    /// The nodes that are called down, by id.
    pub fn nodes_down(&self) -> impl Iterator<Item = NodeId> {
        self.state.nodes.index().down()
    }

    /// Whether a node is being emptied.
    #[must_use]
    pub fn is_drained(&self, node: NodeId) -> bool {
        self.state.nodes.index().is_drained(node)
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.state.nodes.len()
    }

    /// The nodes with a host name, which need not be unique, by id.
    pub fn nodes_by_hostname(&self, hostname: &str) -> impl Iterator<Item = &Arc<Node>> {
        self.state.nodes.index().get(hostname).filter_map(|id| self.node(id))
    }

    /// The nodes whose printed id starts with `prefix`.
    pub fn nodes_by_prefix(&self, prefix: &str) -> impl Iterator<Item = &Arc<Node>> {
        NodeId::with_prefix(prefix).into_iter().flat_map(|ids| self.state.nodes.range(ids))
    }

    /// A service by its id.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> Option<&Arc<Service>> {
        self.state.services.get(id)
    }

    /// All services by id.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.state.services.rows()
    }

    /// How many services there are.
    #[must_use]
    pub fn service_count(&self) -> usize {
        self.state.services.len()
    }

    /// The service with a name.
    #[must_use]
    pub fn service_by_name(&self, name: &str) -> Option<&Arc<Service>> {
        self.state.services.index().get(name).and_then(|id| self.service(id))
    }

    /// The services whose printed id starts with `prefix`.
    pub fn services_by_prefix(&self, prefix: &str) -> impl Iterator<Item = &Arc<Service>> {
        ServiceId::with_prefix(prefix).into_iter().flat_map(|ids| self.state.services.range(ids))
    }

    /// A task by its id.
    #[must_use]
    pub fn task(&self, id: TaskId) -> Option<&Arc<Task>> {
        self.state.tasks.get(id)
    }

    /// All tasks by id.
    pub fn tasks(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.state.tasks.rows()
    }

    /// How many tasks there are, ended ones included.
    #[must_use]
    pub fn task_count(&self) -> usize {
        self.state.tasks.len()
    }

    /// The tasks whose printed id starts with `prefix`.
    pub fn tasks_by_prefix(&self, prefix: &str) -> impl Iterator<Item = &Arc<Task>> {
        TaskId::with_prefix(prefix).into_iter().flat_map(|ids| self.state.tasks.range(ids))
    }

    /// The tasks of a service, ended ones included, by slot, then id. The service itself may be gone.
    pub fn tasks_of_service(&self, service: ServiceId) -> impl Iterator<Item = &Arc<Task>> {
        self.state.tasks.index().of_service(service).filter_map(|id| self.task(id))
    }

    /// The tasks of one slot, ended ones included, by id. All tasks of a global service are in slot 0.
    pub fn tasks_of_slot(&self, service: ServiceId, slot: u64) -> impl Iterator<Item = &Arc<Task>> {
        self.state.tasks.index().of_slot(service, slot).filter_map(|id| self.task(id))
    }

    /// The tasks on a node, ended ones included, by id.
    pub fn tasks_on_node(&self, node: NodeId) -> impl Iterator<Item = &Arc<Task>> {
        self.state.tasks.index().on_node(node).filter_map(|id| self.task(id))
    }

    /// A network by its id.
    #[must_use]
    pub fn network(&self, id: NetworkId) -> Option<&Arc<Network>> {
        self.state.networks.get(id)
    }

    /// All networks by id.
    pub fn networks(&self) -> impl Iterator<Item = &Arc<Network>> {
        self.state.networks.rows()
    }

    /// The network with a name.
    #[must_use]
    pub fn network_by_name(&self, name: &str) -> Option<&Arc<Network>> {
        self.state.networks.index().get(name).and_then(|id| self.network(id))
    }

    /// The networks whose printed id starts with `prefix`.
    pub fn networks_by_prefix(&self, prefix: &str) -> impl Iterator<Item = &Arc<Network>> {
        NetworkId::with_prefix(prefix).into_iter().flat_map(|ids| self.state.networks.range(ids))
    }

    /// The services whose current spec takes part in a network, by id.
    pub fn services_in_network(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Service>> {
        self.state.services.index().in_network(network).filter_map(|id| self.service(id))
    }

    /// The service that was given an ingress port.
    #[must_use]
    pub fn service_publishing(&self, port: u16, protocol: Protocol) -> Option<&Arc<Service>> {
        self.state.services.index().publishing(port, protocol).and_then(|id| self.service(id))
    }

    /// The numbers of nodes in the overlay that are taken, in order.
    pub fn node_numbers(&self) -> impl Iterator<Item = u16> {
        self.state.nodes.index().numbers()
    }

    /// Who has an address: a task that is placed and has not ended, or a service.
    #[must_use]
    pub fn address_holder(&self, address: Ipv4Addr) -> Option<Holder> {
        self.state.addresses.get(address)
    }

    /// The addresses in use in a subnet, in order.
    pub fn addresses_within(&self, subnet: Subnet) -> impl Iterator<Item = (Ipv4Addr, Holder)> {
        self.state.addresses.within(subnet)
    }

    /// The nodes of which tasks take something, by id, with what they take.
    pub fn loads(&self) -> impl Iterator<Item = (NodeId, Load)> {
        self.state.loads.iter()
    }

    /// The ports of hosts that tasks have, by node, each once.
    pub fn host_ports_in_use(&self) -> impl Iterator<Item = (NodeId, (u16, Protocol))> {
        self.state.loads.ports()
    }

    /// The nodes of whose generic resources some are in use, by id, with these.
    pub fn generic_in_use(&self) -> impl Iterator<Item = (NodeId, &Arc<Instances>)> {
        self.state.generics.in_use()
    }

    /// A state of its own that begins as this view, to try changes on. Costs nothing: it shares what it does not change.
    #[must_use]
    pub fn fork(&self) -> State {
        self.state.clone()
    }

    /// The services that have tasks, each once, by id. A service may be gone while its tasks are still here.
    pub fn services_of_tasks(&self) -> impl Iterator<Item = ServiceId> {
        self.state.tasks.index().services()
    }

    /// The nodes that tasks name, each once, by id. A node may be gone while its tasks are still here.
    pub fn nodes_of_tasks(&self) -> impl Iterator<Item = NodeId> {
        self.state.tasks.index().nodes()
    }

    /// What became of each change of an atomic request, while it is remembered.
    #[must_use]
    pub fn request(&self, request: RequestId) -> Option<&[Result<(), Rejection>]> {
        self.state.requests.get(request).map(Vec::as_slice)
    }

    /// A service's spec of some version, while it is current, previous, or a task is made from it.
    #[must_use]
    pub fn spec(&self, service: ServiceId, version: Version) -> Option<&Arc<ServiceSpec>> {
        self.state.revisions.get(service, version)
    }

    /// The spec that a task was made from. Always there for a task of this view.
    #[must_use]
    pub fn spec_of(&self, task: &Task) -> Option<&Arc<ServiceSpec>> {
        self.spec(task.service, task.spec_version)
    }
}
