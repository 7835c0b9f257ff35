//! The table that was written last, with what it was made of: when only services changed, the next one is made of those alone, so that a
//! change costs the same among ten services and among ten thousand. Pure.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_types::{Protocol, ServiceView, ViewItem, ViewItems};

use super::desired::{add_hairpin, part};
use super::{Forward, Ruleset, Wanted, change, desired};

/// What a table is made of.
#[derive(Debug, Clone, Default)]
pub struct Basis {
    /// Names the daemon.
    pub tag: String,
    /// The view.
    pub view: Arc<ViewItems>,
    /// Addresses of containers on this host.
    pub attached: BTreeSet<Ipv4Addr>,
    /// Host-mode ports of containers on this host.
    pub forwards: Vec<Forward>,
    /// Ingress ports that this host could not take.
    pub closed: BTreeSet<(u16, Protocol)>,
}

/// A table that was, or is about to be, written.
#[derive(Debug, Default)]
pub struct Draft {
    basis: Basis,
    rules: Ruleset,
    written: bool,
}

/// What two services cannot both have. Where they do, the first gets it, and a change of one may change the other's rules.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Address(Ipv4Addr),
    Port(u16, Protocol),
}

impl Basis {
    /// What the whole table is made of.
    #[must_use]
    pub fn wanted(&self) -> Wanted<'_> {
        Wanted { tag: &self.tag, view: &self.view, attached: &self.attached, forwards: &self.forwards, closed: &self.closed }
    }

    fn claims_of_forwards(&self) -> impl Iterator<Item = Claim> + '_ {
        self.forwards.iter().map(|forward| Claim::Port(forward.published, forward.protocol))
    }
}

impl Draft {
    /// Makes the table of a new basis. Gives the text that brings the kernel there: empty when it is there already. Until `written` says
    /// that the kernel took it, the next text is the whole document.
    pub fn turn(&mut self, basis: Basis) -> String {
        if !self.written {
            self.rules = desired(&basis.wanted());
            self.basis = basis;
            return self.rules.document();
        }
        let text = self.turn_services(&basis).unwrap_or_else(|| {
            let rules = desired(&basis.wanted());
            let text = change(&self.rules, &rules);
            self.rules = rules;
            text
        });
        self.basis = basis;
        self.written = text.is_empty();
        text
    }

    /// The kernel has this table.
    pub fn written(&mut self) {
        self.written = true;
    }

    /// Whether it has.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.written
    }

    /// The whole table.
    #[must_use]
    pub fn rules(&self) -> &Ruleset {
        &self.rules
    }

    /// Turns only the services that changed. None, and nothing done, when more changed, or when a changed one meets another.
    fn turn_services(&mut self, basis: &Basis) -> Option<String> {
        let old = &self.basis;
        // A host without a number has no table.
        if self.rules.base.is_empty() || old.tag != basis.tag || old.forwards != basis.forwards || old.closed != basis.closed {
            return None;
        }
        let (before, after) = changed(&old.view, &basis.view)?;
        let touched: BTreeSet<Claim> = before.iter().chain(&after).flat_map(|service| claims(service)).collect();
        let forwarded = basis.claims_of_forwards().any(|claim| touched.contains(&claim));
        if forwarded || meets(&old.view, &before, &touched) || meets(&basis.view, &after, &touched) {
            return None;
        }
        let (mut before, mut after) = (part(&old.wanted(), before), part(&basis.wanted(), after));
        old.attached.difference(&basis.attached).for_each(|gone| add_hairpin(&mut before, *gone));
        basis.attached.difference(&old.attached).for_each(|come| add_hairpin(&mut after, *come));
        let text = change(&before, &after);
        self.rules.replace(&before, after);
        Some(text)
    }
}

/// The services that differ, as they were and as they are. None when something else differs.
fn changed<'a>(old: &'a ViewItems, new: &'a ViewItems) -> Option<(Vec<&'a ServiceView>, Vec<&'a ServiceView>)> {
    let differ = |one: &'a ViewItems, other: &ViewItems| {
        // Items that did not change are the same in memory: this does not look inside of them.
        let items = one.iter().filter(|(key, item)| other.get(key) != Some(item));
        items.map(|(_, item)| service(item)).collect::<Option<Vec<_>>>()
    };
    Some((differ(old, new)?, differ(new, old)?))
}

/// Whether two of `these` services claim the same, or another one claims something of `touched`.
fn meets(view: &ViewItems, these: &[&ServiceView], touched: &BTreeSet<Claim>) -> bool {
    let (mut own, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for service in these {
        ids.insert(service.id);
        let claimed: BTreeSet<Claim> = claims(service).collect();
        if !claimed.into_iter().all(|claim| own.insert(claim)) {
            return true;
        }
    }
    let others = view.values().filter_map(|item| service(item)).filter(|service| !ids.contains(&service.id));
    others.flat_map(claims).any(|claim| touched.contains(&claim))
}

fn claims(service: &ServiceView) -> impl Iterator<Item = Claim> + '_ {
    let addresses = service.networks.iter().filter_map(|network| network.vip).map(Claim::Address);
    addresses.chain(service.ports.iter().map(|port| Claim::Port(port.published, port.protocol)))
}

fn service(item: &ViewItem) -> Option<&ServiceView> {
    if let ViewItem::Service(service) = item { Some(service) } else { None }
}

impl Ruleset {
    /// Takes a part out and puts another in its place.
    fn replace(&mut self, old: &Self, new: Self) {
        old.chains.keys().for_each(|name| drop(self.chains.remove(name)));
        self.chains.extend(new.chains);
        for (name, gone) in &old.sets {
            if let Some(set) = self.sets.get_mut(name) {
                gone.elements.keys().for_each(|key| drop(set.elements.remove(key)));
            }
        }
        for (name, come) in new.sets {
            if let Some(set) = self.sets.get_mut(&name) {
                set.elements.extend(come.elements);
            }
        }
    }
}

#[cfg(test)]
mod tests;
