//! Ingress ports: open on every host, so that each belongs to one service. As asked, or out of a range where the cluster chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use cluster_types::{Protocol, PublishMode, PublishedPort, Service, ServiceId, bug};

use crate::draft::Draft;

/// Where the cluster chooses from. Swarm's range.
const AUTOMATIC: RangeInclusive<u16> = 30_000..=32_767;

type Port = (u16, Protocol);

/// The ports that a pass gives.
#[derive(Default)]
pub(super) struct Ports {
    /// Those given so far, and to whom.
    given: BTreeMap<Port, String>,
    /// Those that services open on single hosts: the cluster does not choose them. Known once it has to choose.
    on_hosts: Option<BTreeSet<Port>>,
}

impl Ports {
    /// The ports of a service in the order of its spec. Those that it asks for come first, then those that were chosen before.
    pub(super) fn give(&mut self, draft: &Draft<'_>, service: &Service, lacks: &mut Vec<String>) -> Vec<PublishedPort> {
        let wanted: Vec<&PublishedPort> = service.spec.ports.iter().filter(|port| is_ingress(port)).collect();
        let mut given = vec![None; wanted.len()];
        for (given, port) in given.iter_mut().zip(&wanted).filter(|(_, port)| port.published != 0) {
            *given = self.asked(draft, service, port, lacks);
        }
        for (given, port) in given.iter_mut().zip(&wanted).filter(|(_, port)| port.published == 0) {
            *given = self.kept(service, port);
        }
        for (given, port) in given.iter_mut().zip(&wanted).filter(|(given, port)| given.is_none() && port.published == 0) {
            *given = self.chosen(draft, service, port, lacks);
        }
        given.into_iter().flatten().collect()
    }

    fn asked(&mut self, draft: &Draft<'_>, service: &Service, port: &PublishedPort, lacks: &mut Vec<String>) -> Option<PublishedPort> {
        match self.holder(draft, service.id, (port.published, port.protocol)) {
            Some(holder) => {
                lacks.push(format!("port {}/{} is published by service {holder}", port.published, word(port.protocol)));
                None
            }
            None => self.note(service, *port),
        }
    }

    /// The port that was chosen for the same port of the containers, unless the service now asks for it by number.
    fn kept(&mut self, service: &Service, port: &PublishedPort) -> Option<PublishedPort> {
        let is_for =
            |has: &&PublishedPort| (has.target, has.protocol) == (port.target, port.protocol) && AUTOMATIC.contains(&has.published);
        let mut has = service.endpoint.ports.iter().filter(is_for).filter(|has| !self.given.contains_key(&(has.published, has.protocol)));
        let published = has.next()?.published;
        self.note(service, PublishedPort { published, ..*port })
    }

    fn chosen(&mut self, draft: &Draft<'_>, service: &Service, port: &PublishedPort, lacks: &mut Vec<String>) -> Option<PublishedPort> {
        let Some(published) = self.free(draft, service.id, port.protocol) else {
            let (first, last) = (AUTOMATIC.start(), AUTOMATIC.end());
            lacks.push(format!("no port from {first} to {last} is free for port {}/{}", port.target, word(port.protocol)));
            return None;
        };
        self.note(service, PublishedPort { published, ..*port })
    }

    /// Who else has a port, or gets it in this pass.
    fn holder(&self, draft: &Draft<'_>, own: ServiceId, (number, protocol): Port) -> Option<String> {
        let holder = draft.view.service_publishing(number, protocol).filter(|holder| holder.id != own && !bug!(PortTwice));
        holder.map(|holder| holder.spec.name.clone()).or_else(|| self.given.get(&(number, protocol)).cloned())
    }

    fn free(&mut self, draft: &Draft<'_>, own: ServiceId, protocol: Protocol) -> Option<u16> {
        let on_hosts = self.on_hosts.take().unwrap_or_else(|| on_hosts(draft));
        let is_free = |number: &u16| !on_hosts.contains(&(*number, protocol)) && self.holder(draft, own, (*number, protocol)).is_none();
        let free = AUTOMATIC.into_iter().find(is_free);
        self.on_hosts = Some(on_hosts);
        free
    }

    fn note(&mut self, service: &Service, port: PublishedPort) -> Option<PublishedPort> {
        self.given.insert((port.published, port.protocol), service.spec.name.clone());
        Some(port)
    }
}

fn is_ingress(port: &PublishedPort) -> bool {
    match port.mode {
        PublishMode::Ingress => true,
        PublishMode::Host => false,
    }
}

/// The word for people.
pub(crate) fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

fn on_hosts(draft: &Draft<'_>) -> BTreeSet<Port> {
    let ports = draft.view.services().flat_map(|service| service.spec.ports.iter().filter(|port| !is_ingress(port)));
    ports.map(|port| (port.published, port.protocol)).collect()
}
