//! I9: no address and no published port is given twice. By the events of the objects, not by the indexes that apply goes by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use cluster_state::{Applied, View};
use cluster_types::{EventKind, Object, ObjectKey, Protocol, PublishMode, Task};

use super::Found;

/// Who has what.
#[derive(Default)]
pub(super) struct Addresses {
    addresses: BTreeMap<Ipv4Addr, ObjectKey>,
    ports: BTreeMap<(u16, Protocol), ObjectKey>,
}

impl Addresses {
    pub(super) fn follow(&mut self, applied: &Applied, view: &View) -> Found {
        for event in &applied.events {
            if let Some(before) = &event.before {
                self.give_back(before);
            }
            if event.kind != EventKind::Removed {
                self.take(&event.object)?;
            }
        }
        let tasks = applied.events.iter().filter_map(|event| if let Object::Task(task) = &event.object { Some(task) } else { None });
        tasks.filter(|task| task.holds_resources()).try_for_each(|task| host_ports(view, task))
    }

    fn give_back(&mut self, object: &Object) {
        let key = object.key();
        for address in addresses(object) {
            if self.addresses.get(&address) == Some(&key) {
                self.addresses.remove(&address);
            }
        }
        for port in ports(object) {
            if self.ports.get(&port) == Some(&key) {
                self.ports.remove(&port);
            }
        }
    }

    fn take(&mut self, object: &Object) -> Found {
        let key = object.key();
        for address in addresses(object) {
            if let Some(other) = self.addresses.insert(address, key).filter(|other| *other != key) {
                return Err(format!("{key} gets {address}, which {other} has"));
            }
        }
        for port in ports(object) {
            if let Some(other) = self.ports.insert(port, key).filter(|other| *other != key) {
                return Err(format!("{key} gets port {}, which {other} has", port.0));
            }
        }
        Ok(())
    }
}

fn addresses(object: &Object) -> Vec<Ipv4Addr> {
    match object {
        Object::Task(task) if task.holds_resources() => task.addresses.iter().map(|has| has.address).collect(),
        Object::Service(service) => service.endpoint.vips.values().copied().collect(),
        Object::Task(_) | Object::Cluster(_) | Object::Node(_) | Object::Network(_) => Vec::new(),
    }
}

fn ports(object: &Object) -> Vec<(u16, Protocol)> {
    match object {
        Object::Service(service) => service.endpoint.ports.iter().map(|port| (port.published, port.protocol)).collect(),
        Object::Task(_) | Object::Cluster(_) | Object::Node(_) | Object::Network(_) => Vec::new(),
    }
}

/// A host's port is open for one task.
fn host_ports(view: &View, task: &Task) -> Found {
    let ports = |task: &Task| -> BTreeSet<(u16, Protocol)> {
        let all = view.spec_of(task).into_iter().flat_map(|spec| spec.ports.iter());
        all.filter(|port| port.mode == PublishMode::Host && port.published != 0).map(|port| (port.published, port.protocol)).collect()
    };
    let (own, Some(node)) = (ports(task), task.node) else { return Ok(()) };
    if own.is_empty() || view.task(task.id).is_none_or(|now| !now.holds_resources()) {
        return Ok(());
    }
    let other = view.tasks_on_node(node).find(|other| other.id != task.id && other.holds_resources() && !ports(other).is_disjoint(&own));
    other.map_or(Ok(()), |other| Err(format!("tasks {} and {} have the same port of their host", task.id.short(), other.id.short())))
}
