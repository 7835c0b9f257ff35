//! What each service is given: an address in each of its networks, and its ingress ports with their real numbers.
//!
//! What it has and still wants, it keeps. What cannot be had is named in the endpoint's error, the rest is given all the same, and a service
//! that lacks something is looked at in every pass.

use std::collections::BTreeMap;
use std::iter;
use std::net::Ipv4Addr;

use cluster_types::{BlockOwner, Change, Endpoint, EndpointMode, NetworkId, Service, ServiceStep, limits};

use super::pools::Pools;
use super::ports::Ports;
use crate::draft::Draft;

/// Looks at each service that changed or lacks something.
pub(super) fn settle(draft: &mut Draft<'_>, pools: &mut Pools) {
    let mut ports = Ports::default();
    for id in draft.endpoints_due() {
        let Some(service) = draft.service(id) else { continue };
        let mut lacks = Vec::new();
        let vips = vips(draft, pools, &service, &mut lacks);
        let ports = ports.give(draft, &service, &mut lacks);
        if !lacks.is_empty() {
            draft.lack(id);
        }
        let endpoint = Endpoint { vips, ports, error: in_words(&lacks) };
        if endpoint != service.endpoint {
            draft.push(Change::Service(id, ServiceStep::Endpoint(endpoint)));
        }
    }
}

fn vips(draft: &Draft<'_>, pools: &mut Pools, service: &Service, lacks: &mut Vec<String>) -> BTreeMap<NetworkId, Ipv4Addr> {
    match service.spec.endpoint.mode {
        EndpointMode::Dnsrr => return BTreeMap::new(),
        EndpointMode::Vip => {}
    }
    let mut vips = BTreeMap::new();
    for network in service.spec.task.network_ids() {
        let kept = service.endpoint.vips.get(&network).filter(|_| draft.view.network(network).is_some()).copied();
        let given = || pools.take(draft.view, iter::once(network), BlockOwner::Services, service.id.bits());
        match kept.map_or_else(given, |vip| Ok(vec![cluster_types::TaskAddress { network, address: vip }])) {
            Ok(addresses) => vips.extend(addresses.into_iter().map(|has| (has.network, has.address))),
            Err(lack) => lacks.push(lack.to_string()),
        }
    }
    vips
}

fn in_words(lacks: &[String]) -> Option<String> {
    let mut text = lacks.join("; ");
    text.truncate(text.floor_char_boundary(limits::ERROR_BYTES));
    (!text.is_empty()).then_some(text)
}
