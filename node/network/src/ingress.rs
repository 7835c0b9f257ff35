//! The published ports of ingress mode on this host: each is held by a bound socket, as host-mode ports are, and one that another program
//! has (sshd's!) stays that program's: it is a conflict, told and tried again.

use std::collections::{BTreeMap, BTreeSet};

use cluster_types::{Protocol, PublishedPort, ViewItem, ViewItems};

use crate::port::HeldPort;

/// Names a port of a host.
pub(crate) type PortKey = (u16, Protocol);

/// The ports that are held, and those that could not be.
#[derive(Debug, Default)]
pub(crate) struct Ingress {
    held: BTreeMap<PortKey, HeldPort>,
    closed: BTreeSet<PortKey>,
}

impl Ingress {
    /// Takes what the view has and is not held, leaves what it has not. Says whether anything changed.
    pub(crate) fn settle(&mut self, view: &ViewItems) -> bool {
        let wanted = wanted(view);
        let (had, closed) = (self.held.len(), std::mem::take(&mut self.closed));
        self.held.retain(|key, _| wanted.contains_key(key));
        let mut changed = self.held.len() != had;
        for (key, port) in wanted {
            if self.held.contains_key(&key) {
                continue;
            }
            match HeldPort::take(port) {
                Ok(held) => {
                    self.held.insert(key, held);
                    changed = true;
                }
                Err(error) => {
                    if !closed.contains(&key) {
                        tracing::warn!(%error, "a published port is not open on this host");
                    }
                    self.closed.insert(key);
                }
            }
        }
        changed || self.closed != closed
    }

    /// Ports that are not open here.
    pub(crate) fn closed(&self) -> &BTreeSet<PortKey> {
        &self.closed
    }

    /// Gives every port back.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

fn wanted(view: &ViewItems) -> BTreeMap<PortKey, PublishedPort> {
    let services = view.values().filter_map(|item| if let ViewItem::Service(service) = &**item { Some(service) } else { None });
    let ports = services.flat_map(|service| &service.ports).filter(|port| port.published != 0);
    ports.map(|port| ((port.published, port.protocol), *port)).collect()
}
