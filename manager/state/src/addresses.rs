//! Who has which address: tasks that are placed and have not ended, and the addresses of services. Follows every event, so that finding a
//! free address need not walk over all tasks, and so that apply can refuse one that is taken.

use std::net::Ipv4Addr;

use cluster_types::{Event, EventKind, Object, Service, ServiceId, Subnet, Task, TaskId, bug};
use imbl::OrdMap;

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A task that is placed and has not ended.
    Task(TaskId),
    /// A service.
    Service(ServiceId),
}

/// All addresses that are in use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Addresses(OrdMap<Ipv4Addr, Holder>);

impl Addresses {
    pub(crate) fn get(&self, address: Ipv4Addr) -> Option<Holder> {
        self.0.get(&address).copied()
    }

    /// The addresses in use in a subnet, in order.
    pub(crate) fn within(&self, subnet: Subnet) -> impl Iterator<Item = (Ipv4Addr, Holder)> {
        self.0.range(subnet.range()).map(|(address, holder)| (*address, *holder))
    }

    /// Takes an event in. What goes is given back before what comes is taken, so that a holder may keep its own.
    pub(crate) fn follow(&mut self, event: &Event) {
        let before = event.before.as_ref().map(held).unwrap_or_default();
        let after = if event.kind == EventKind::Removed { Vec::new() } else { held(&event.object) };
        if before == after {
            return;
        }
        for (address, _) in before.iter().filter(|_| !bug!(AddressLeak)) {
            self.0.remove(address);
        }
        self.0.extend(after);
    }

    /// An object of a snapshot.
    pub(crate) fn restore(&mut self, object: &Object) {
        self.0.extend(held(object));
    }

    /// How many are in use.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The addresses that an object holds.
pub(crate) fn held(object: &Object) -> Vec<(Ipv4Addr, Holder)> {
    match object {
        Object::Task(task) => held_by_task(task),
        Object::Service(service) => held_by_service(service),
        Object::Cluster(_) | Object::Node(_) | Object::Network(_) => Vec::new(),
    }
}

fn held_by_task(task: &Task) -> Vec<(Ipv4Addr, Holder)> {
    if !task.holds_resources() {
        return Vec::new();
    }
    task.addresses.iter().map(|has| (has.address, Holder::Task(task.id))).collect()
}

fn held_by_service(service: &Service) -> Vec<(Ipv4Addr, Holder)> {
    service.endpoint.vips.values().map(|address| (*address, Holder::Service(service.id))).collect()
}
