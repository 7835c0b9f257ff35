//! Ingress ports that are not open on some host because another program has them, as the hosts say. Computed once for a list of services.

use std::collections::BTreeMap;

use cluster_state::View;
use cluster_types::{NodeState, Protocol, Service};

use super::network::some_of;

/// Hosts that are named for one port at most.
const HOSTS_NAMED: usize = 10;

/// The hosts on which each port is not open, by host name.
pub(super) struct Conflicts<'v>(BTreeMap<(u16, Protocol), Vec<&'v str>>);

impl<'v> Conflicts<'v> {
    /// What the nodes that are there say.
    pub(super) fn of(view: &'v View) -> Self {
        let mut hosts: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for node in view.nodes().filter(|node| node.status.state != NodeState::Down) {
            for port in &node.network.conflicts {
                hosts.entry(*port).or_default().push(node.description.hostname.as_str());
            }
        }
        Self(hosts)
    }

    /// Those of a service, in words.
    pub(super) fn of_service(&self, service: &Service) -> Vec<String> {
        let words = |(published, protocol): (u16, Protocol)| {
            let hosts = some_of(self.0.get(&(published, protocol))?, HOSTS_NAMED)?;
            Some(format!("port {published}/{} is not open on {hosts}: another program has it", word(protocol)))
        };
        service.endpoint.ports.iter().filter_map(|port| words((port.published, port.protocol))).collect()
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}
