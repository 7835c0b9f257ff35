//! A service as views show it: made once, handed to every node in the part that it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{EndpointView, NetworkAttachment, NetworkId, NodeId, Service, ServiceNetworkView, ServiceView, Task, ViewItem};

use super::fabric::node_is_ready;
use super::takes_traffic;

/// A service in all of its networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prepared {
    /// The service with all of its networks, as most nodes get it.
    whole: Arc<ViewItem>,
    /// With its first network alone: for nodes that only let traffic in.
    first: Arc<ViewItem>,
    /// Tasks that only their own node sends traffic to, because it is not ready and others are.
    hidden: BTreeMap<NodeId, Vec<(NetworkId, EndpointView)>>,
}

/// A task that takes traffic, and whether others than its own node may send it some.
struct Candidate {
    node: NodeId,
    is_open: bool,
    endpoint: EndpointView,
}

impl Prepared {
    pub(super) fn of(view: &View, service: &Service) -> Self {
        let mut candidates = candidates(view, service);
        let (mut networks, mut hidden): (Vec<_>, BTreeMap<NodeId, Vec<_>>) = (Vec::new(), BTreeMap::new());
        for network in service.spec.task.network_ids() {
            let all = candidates.remove(&network).unwrap_or_default();
            let has_open = all.iter().any(|candidate| candidate.is_open);
            let (shown, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|candidate| candidate.is_open || !has_open);
            others.into_iter().for_each(|other| hidden.entry(other.node).or_default().push((network, other.endpoint)));
            networks.push(in_network(service, network, shown.into_iter().map(|candidate| candidate.endpoint).collect()));
        }
        let (id, name, ports) = (service.id, service.spec.name.clone(), service.endpoint.ports.clone());
        let (mode, affinity) = (service.spec.endpoint.mode, service.spec.endpoint.affinity);
        let service = ServiceView { id, name, mode, affinity, networks, ports };
        let first = (service.networks.len() > 1).then(|| ServiceView { networks: vec![service.networks[0].clone()], ..service.clone() });
        let whole = Arc::new(ViewItem::Service(service));
        let first = first.map_or_else(|| Arc::clone(&whole), |first| Arc::new(ViewItem::Service(first)));
        Self { whole, first, hidden }
    }

    /// The part that a node needs which has tasks in the networks `local`; none when it needs nothing of the service.
    pub(super) fn on(&self, node: NodeId, local: &BTreeSet<NetworkId>) -> Option<Arc<ViewItem>> {
        let ViewItem::Service(service) = &*self.whole else { return None };
        let is_published = !service.ports.is_empty();
        let needs = |place: usize, network: NetworkId| local.contains(&network) || (is_published && place == 0);
        let all = service.networks.iter().enumerate();
        let needed: Vec<&ServiceNetworkView> = all.filter(|(place, it)| needs(*place, it.network)).map(|(_, it)| it).collect();
        if needed.is_empty() {
            return None;
        }
        let own = self.hidden.get(&node);
        if own.is_none() && needed.len() == service.networks.len() {
            return Some(Arc::clone(&self.whole));
        }
        if own.is_none() && needed.len() == 1 && needed[0].network == service.networks[0].network {
            return Some(Arc::clone(&self.first));
        }
        let mut networks: Vec<ServiceNetworkView> = needed.into_iter().cloned().collect();
        for network in &mut networks {
            let own = own.into_iter().flatten().filter(|(id, _)| *id == network.network);
            network.endpoints.extend(own.map(|(_, endpoint)| endpoint.clone()));
            network.endpoints.sort();
        }
        Some(Arc::new(ViewItem::Service(ServiceView { networks, ..service.clone() })))
    }
}

/// The tasks of a service that take traffic, by network.
fn candidates(view: &View, service: &Service) -> BTreeMap<NetworkId, Vec<Candidate>> {
    let mut candidates: BTreeMap<NetworkId, Vec<Candidate>> = BTreeMap::new();
    for task in view.tasks_of_service(service.id).filter(|task| takes_traffic(task)) {
        let Some(node) = task.node else { continue };
        let hostname = hostname(view, service, task);
        let is_open = view.node(node).is_some_and(|node| node_is_ready(node));
        for has in &task.addresses {
            let endpoint = EndpointView { address: has.address, hostname: hostname.clone() };
            candidates.entry(has.network).or_default().push(Candidate { node, is_open, endpoint });
        }
    }
    candidates
}

/// The name that the container knows itself by.
fn hostname(view: &View, service: &Service, task: &Task) -> String {
    let given = view.spec_of(task).and_then(|spec| spec.task.container.hostname.clone());
    given.unwrap_or_else(|| task.name(&service.spec.name))
}

fn in_network(service: &Service, network: NetworkId, mut endpoints: Vec<EndpointView>) -> ServiceNetworkView {
    endpoints.sort();
    let attachment = service.spec.task.networks.iter().find(|attachment| attachment.network == network);
    let aliases = attachment.map(|attachment: &NetworkAttachment| attachment.aliases.clone()).unwrap_or_default();
    ServiceNetworkView { network, vip: service.endpoint.vips.get(&network).copied(), aliases, endpoints }
}
