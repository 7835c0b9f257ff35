//! After the faults: everything must become what was asked for, within a bound.

use std::net::Ipv4Addr;

use cluster_types::{ViewItem, ViewItems};

use super::{HEALS_WITHIN, World};
use crate::invariants::healed;

/// Between two looks.
const LOOK: u64 = 2_000;

impl World {
    /// Lives on without faults until all is well.
    pub(super) fn heal(&mut self) {
        self.clear_up();
        let begun = self.context.now;
        let mut wrong = String::new();
        while self.context.now < begun + HEALS_WITHIN {
            let until = self.context.now + LOOK;
            while self.context.queue.next_at().is_some_and(|at| at <= until) {
                if !self.step() {
                    return;
                }
            }
            self.context.now = until;
            self.join_the_lost();
            self.rejoin();
            match healed::look(self) {
                Ok(()) => {
                    self.healed_in = self.context.now - begun;
                    self.context.say("all is well");
                    return self.check_all(true);
                }
                Err(text) => wrong = text,
            }
        }
        self.context.watch.fail("I16", format!("{} s after the last fault: {wrong}", HEALS_WITHIN / 1_000));
    }

    /// A host whose wish to join got lost has it again.
    fn join_the_lost(&mut self) {
        if self.rejoins.is_empty()
            && !self.clients.iter().any(crate::client::Client::waits)
            && let Some(lost) = self.hosts.iter().find(|host| !host.is_member)
        {
            self.rejoins.push((self.context.now, lost.index));
        }
    }

    /// Whether hosts are to join again.
    pub(crate) fn awaits_hosts(&self) -> bool {
        !self.rejoins.is_empty() || self.hosts.iter().any(|host| !host.is_member)
    }
}

/// Whether traffic goes to an address by a view.
pub(crate) fn shows(view: &ViewItems, address: Ipv4Addr) -> bool {
    view.values().any(|item| match &**item {
        ViewItem::Service(service) => {
            service.networks.iter().any(|network| network.endpoints.iter().any(|endpoint| endpoint.address == address))
        }
        ViewItem::Own(_) | ViewItem::Peer(_) | ViewItem::Network(_) => false,
    })
}
