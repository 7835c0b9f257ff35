//! Whether a spec can be had where it is to be: its networks exist, and its ports are nobody else's.
//!
//! What is judged here can change before the spec is applied; then apply refuses it, or the service's endpoint says what is missing.

use cluster_state::View;
use cluster_types::{PublishMode, PublishedPort, Service, ServiceId, ServiceSpec};

use super::{Problem, Problems};
use crate::allocate::ports::word;

/// What is in the way of a service spec in a cluster; `own` is the service that it is to be a new spec of. Empty is fine.
#[must_use]
pub fn service_in(view: &View, spec: &ServiceSpec, own: Option<ServiceId>) -> Vec<Problem> {
    let mut problems = Problems::default();
    for (place, attachment) in spec.task.networks.iter().enumerate() {
        if view.network(attachment.network).is_none() {
            problems.add(&format!("task.networks[{place}].network"), format!("network {} does not exist", attachment.network));
        }
    }
    way_out(&mut problems, view, spec);
    for (place, port) in spec.ports.iter().enumerate().filter(|(_, port)| port.published != 0) {
        if let Some((holder, mode)) = holder(view, port, own) {
            let number = format!("{}/{}", port.published, word(port.protocol));
            let name = &holder.spec.name;
            let reason = match mode {
                PublishMode::Ingress => format!("{number} is published by service {name} on every host"),
                PublishMode::Host => format!("{number} is published by service {name} on the hosts of its tasks"),
            };
            problems.add(&format!("ports[{place}].published"), reason);
        }
    }
    problems.list
}

/// A port on every host leads to the first network of a service.
fn way_out(problems: &mut Problems, view: &View, spec: &ServiceSpec) {
    let first = spec.task.network_ids().next().and_then(|network| view.network(network));
    let Some(network) = first.filter(|network| network.spec.internal) else { return };
    if let Some(place) = spec.ports.iter().position(|port| port.mode == PublishMode::Ingress) {
        let name = &network.spec.name;
        let reason = format!("network {name} is internal: name another network first, or use mode=host");
        problems.add(&format!("ports[{place}].mode"), reason);
    }
}

/// Another service that has the port in a way that leaves no room for this one. Two may open one port on single hosts: the scheduler keeps
/// their tasks apart.
fn holder<'a>(view: &'a View, port: &PublishedPort, own: Option<ServiceId>) -> Option<(&'a Service, PublishMode)> {
    let is_other = |service: &&Service| Some(service.id) != own;
    let given = view.service_publishing(port.published, port.protocol).map(|service| &**service);
    if let Some(other) = given.filter(is_other) {
        return Some((other, PublishMode::Ingress));
    }
    // What was asked for is not always given yet.
    let has_it = given.is_some();
    let clashes = |asked: &&PublishedPort| {
        let same = (asked.published, asked.protocol) == (port.published, port.protocol);
        same && match (asked.mode, port.mode) {
            (PublishMode::Host, PublishMode::Host) => false,
            (PublishMode::Ingress, PublishMode::Ingress) => !has_it,
            (PublishMode::Host, PublishMode::Ingress) | (PublishMode::Ingress, PublishMode::Host) => true,
        }
    };
    let others = view.services().map(|service| &**service).filter(is_other);
    others.flat_map(|other| other.spec.ports.iter().find(clashes).map(|asked| (other, asked.mode))).next()
}
