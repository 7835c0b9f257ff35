//! What the affinities of a service say of each node, summed by weight.
//!
//! A wish about a service looks at whether that service has a task there now, not at how many; one about a service that does not exist
//! counts nowhere. A service may name itself: then a node gains or loses when it gets its first task.

use std::collections::BTreeSet;

use cluster_types::{Affinity, AffinityTarget, Constraint, ServiceId};

use super::fleet::Fleet;
use crate::constraint;
use crate::draft::Draft;

/// The sums.
#[derive(Debug, Clone, Default)]
pub(super) struct Affinities {
    /// What each node has whatever the service itself does, in the fleet's order; empty when nothing is wished.
    fixed: Vec<i32>,
    /// What a node has besides, once it has a task of the service itself.
    own: i32,
}

/// Where a service that an affinity names has its tasks.
pub(super) enum Company {
    /// It is the service that is placed.
    Own,
    /// On these nodes, by their place in the fleet.
    On(BTreeSet<usize>),
}

impl Affinities {
    /// `company` knows the services by their names and ids.
    pub(super) fn of(fleet: &mut Fleet, wishes: &[Affinity], company: impl Fn(&Fleet, &str) -> Company) -> Self {
        let mut sums = Self::default();
        if !wishes.is_empty() {
            sums.fixed = vec![0; fleet.rooms.len()];
        }
        for wish in wishes {
            let weight = i32::from(wish.weight);
            match &wish.target {
                AffinityTarget::With(service) => sums.add_company(weight, company(fleet, service)),
                AffinityTarget::Without(service) => sums.add_company(-weight, company(fleet, service)),
                AffinityTarget::Node(constraint) => sums.add_nodes(weight, constraint, fleet),
            }
        }
        sums
    }

    /// Nodes with the same value meet a constraint alike.
    fn add_nodes(&mut self, weight: i32, constraint: &Constraint, fleet: &mut Fleet) {
        let column = fleet.column(&constraint.key);
        let meets = |first: &usize| if constraint::holds(&fleet.rooms[*first].node, constraint) { weight } else { 0 };
        let weights: Vec<i32> = column.first.iter().map(meets).collect();
        for (sum, number) in self.fixed.iter_mut().zip(&column.numbers) {
            *sum += weights[*number as usize];
        }
    }

    fn add_company(&mut self, weight: i32, company: Company) {
        match company {
            Company::Own => self.own += weight,
            Company::On(nodes) => nodes.into_iter().for_each(|node| self.fixed[node] += weight),
        }
    }

    /// Of a node that has so many tasks of the service itself.
    pub(super) fn at(&self, node: usize, own: u32) -> i32 {
        self.fixed.get(node).copied().unwrap_or(0) + if own > 0 { self.own } else { 0 }
    }
}

/// Where a service is now, what this pass placed included.
pub(super) fn company(draft: &Draft<'_>, fleet: &Fleet, own: ServiceId, reference: &str) -> Company {
    let named = draft.view.service_by_name(reference).map(|service| service.id);
    let Some(id) = named.or_else(|| reference.parse().ok()) else { return Company::On(BTreeSet::new()) };
    if id == own {
        return Company::Own;
    }
    let live = draft.tasks_of(id).into_iter().filter(|task| task.is_wanted() && task.holds_resources());
    Company::On(live.filter_map(|task| fleet.find(task.node?)).collect())
}
