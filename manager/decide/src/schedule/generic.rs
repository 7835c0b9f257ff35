//! Generic resources of one node: what is free, and which instances a task gets.
//!
//! A named instance is one that the node names. Of a kind that is only counted, instances are numbers that mean nothing but how many there
//! are, so a task keeps the one that it has when the count shrinks below it. Called by the fleet and by enforce.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster_state::Instances;
use cluster_types::{GenericGrant, GenericNeeds, GenericPool, GenericPools};

/// What tasks have of a node, by kind. A pass reads that of every node and changes that of a few, so it copies only these.
#[derive(Debug, Clone)]
pub(super) enum Taken {
    /// As the state has it.
    Known(Arc<Instances>),
    /// A copy of it that this pass changed.
    Changed(Names),
}

/// The names of instances, by kind.
type Names = BTreeMap<String, BTreeSet<String>>;

/// A kind of which there is too little.
pub(super) struct Lack {
    pub(super) kind: String,
    pub(super) needs: u64,
    pub(super) free: u64,
}

impl Default for Taken {
    fn default() -> Self {
        Self::Changed(Names::new())
    }
}

impl Taken {
    /// A task gives back what it was granted.
    pub(super) fn give_back(&mut self, grant: &GenericGrant) {
        for (kind, names) in grant {
            self.change(|taken| {
                if let Some(taken) = taken.get_mut(kind) {
                    taken.retain(|name| !names.contains(name));
                }
            });
        }
    }

    /// The first kind of which too little is free.
    pub(super) fn lack(&self, pools: &GenericPools, needs: &GenericNeeds) -> Option<Lack> {
        let free = |kind: &String| pools.get(kind).map_or(0, |pool| self.free(kind, pool));
        let (kind, needs, free) = needs.iter().map(|(kind, needs)| (kind, *needs, free(kind))).find(|(_, needs, free)| free < needs)?;
        Some(Lack { kind: kind.clone(), needs, free })
    }

    /// How many instances of a kind are free.
    pub(super) fn free(&self, kind: &str, pool: &GenericPool) -> u64 {
        match pool {
            GenericPool::Count(count) => count.saturating_sub(self.count(kind) as u64),
            GenericPool::Named(names) => names.iter().filter(|name| !self.has(kind, name)).count() as u64,
        }
    }

    /// Gives the first free instances of each kind. That there are enough was asked before.
    pub(super) fn take(&mut self, pools: &GenericPools, needs: &GenericNeeds) -> GenericGrant {
        let mut grant = GenericGrant::new();
        for (kind, count) in needs {
            let count = usize::try_from(*count).unwrap_or(usize::MAX);
            let is_free = |name: &String| !self.has(kind, name);
            let names: Vec<String> = match pools.get(kind) {
                None => Vec::new(),
                Some(GenericPool::Count(_)) => (0_u64..).map(|name| name.to_string()).filter(is_free).take(count).collect(),
                Some(GenericPool::Named(names)) => names.iter().filter(|name| is_free(name)).take(count).cloned().collect(),
            };
            self.change(|taken| taken.entry(kind.clone()).or_default().extend(names.iter().cloned()));
            grant.insert(kind.clone(), names);
        }
        grant
    }

    fn count(&self, kind: &str) -> usize {
        match self {
            Self::Known(taken) => taken.get(kind).map_or(0, BTreeMap::len),
            Self::Changed(taken) => taken.get(kind).map_or(0, BTreeSet::len),
        }
    }

    fn has(&self, kind: &str, name: &str) -> bool {
        match self {
            Self::Known(taken) => taken.get(kind).is_some_and(|names| names.contains_key(name)),
            Self::Changed(taken) => taken.get(kind).is_some_and(|names| names.contains(name)),
        }
    }

    /// Edits the copy of this pass, which is made at the first edit.
    fn change(&mut self, edit: impl FnOnce(&mut Names)) {
        let mut names = match std::mem::take(self) {
            Self::Known(taken) => taken.iter().map(|(kind, names)| (kind.clone(), names.keys().cloned().collect())).collect(),
            Self::Changed(names) => names,
        };
        edit(&mut names);
        *self = Self::Changed(names);
    }
}

/// What the tasks of a node may keep of what they were given, the first of them first.
#[derive(Debug, Default)]
pub(crate) struct Kept(BTreeMap<String, u64>);

impl Kept {
    /// Takes a task's instances in, or names the kind that the node no longer has enough of, or no longer has that instance of.
    pub(crate) fn keep<'a>(&mut self, pools: &GenericPools, grant: &'a GenericGrant) -> Result<(), &'a str> {
        let fits = |(kind, names): &(&String, &Vec<String>)| match pools.get(*kind) {
            None => names.is_empty(),
            Some(GenericPool::Count(count)) => self.0.get(*kind).copied().unwrap_or(0).saturating_add(names.len() as u64) <= *count,
            Some(GenericPool::Named(has)) => names.iter().all(|name| has.contains(name)),
        };
        if let Some((kind, _)) = grant.iter().find(|granted| !fits(granted)) {
            return Err(kind);
        }
        grant.iter().for_each(|(kind, names)| *self.0.entry(kind.clone()).or_default() += names.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cluster_types::TaskId;

    use super::*;

    fn named(names: &[&str]) -> GenericPool {
        GenericPool::Named(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn grant(kind: &str, names: &[&str]) -> GenericGrant {
        GenericGrant::from([(kind.to_owned(), names.iter().map(|name| (*name).to_owned()).collect())])
    }

    #[test]
    fn named_instances_are_given_in_order_and_again_when_they_are_back() {
        let pools = GenericPools::from([("gpu".to_owned(), named(&["a", "b", "c"]))]);
        let needs = GenericNeeds::from([("gpu".to_owned(), 2)]);
        let mut taken = Taken::default();
        assert_eq!(taken.take(&pools, &needs), grant("gpu", &["a", "b"]));
        let lack = taken.lack(&pools, &needs).unwrap();
        assert_eq!((lack.kind.as_str(), lack.needs, lack.free), ("gpu", 2, 1));
        taken.give_back(&grant("gpu", &["a"]));
        assert!(taken.lack(&pools, &needs).is_none());
        assert_eq!(taken.take(&pools, &needs), grant("gpu", &["a", "c"]));
    }

    #[test]
    fn what_the_state_knows_is_copied_before_it_is_changed() {
        let instances = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), TaskId::from_bits(7))).collect();
        let known = Arc::new(Instances::from([("gpu".to_owned(), instances(&["a", "c"]))]));
        let pools = GenericPools::from([("gpu".to_owned(), named(&["a", "b", "c", "d"])), ("seat".to_owned(), GenericPool::Count(1))]);
        let mut taken = Taken::Known(Arc::clone(&known));
        assert_eq!(["gpu", "seat"].map(|kind| taken.free(kind, &pools[kind])), [2, 1]);
        let mut before = taken.clone();
        before.give_back(&grant("gpu", &["a"]));
        assert_eq!(before.free("gpu", &pools["gpu"]), 3);
        assert_eq!(taken.take(&pools, &GenericNeeds::from([("gpu".to_owned(), 1)])), grant("gpu", &["b"]));
        assert_eq!(taken.free("gpu", &pools["gpu"]), 1);
        assert_eq!(known["gpu"], instances(&["a", "c"]), "others see it too");
    }

    #[test]
    fn counted_instances_are_numbered() {
        let pools = GenericPools::from([("seat".to_owned(), GenericPool::Count(2))]);
        let needs = GenericNeeds::from([("seat".to_owned(), 1)]);
        let mut taken = Taken::default();
        assert_eq!(taken.take(&pools, &needs), grant("seat", &["0"]));
        assert_eq!(taken.take(&pools, &needs), grant("seat", &["1"]));
        assert!(taken.lack(&pools, &needs).is_some());
    }

    #[test]
    fn a_pool_that_shrinks_keeps_what_it_can() {
        let pools = GenericPools::from([("gpu".to_owned(), named(&["b"])), ("seat".to_owned(), GenericPool::Count(1))]);
        let mut kept = Kept::default();
        assert_eq!(kept.keep(&pools, &grant("gpu", &["a"])), Err("gpu"));
        assert_eq!(kept.keep(&pools, &grant("gpu", &["b"])), Ok(()));
        assert_eq!(kept.keep(&pools, &grant("seat", &["7"])), Ok(()), "a number means nothing");
        assert_eq!(kept.keep(&pools, &grant("seat", &["0"])), Err("seat"));
        assert_eq!(kept.keep(&pools, &grant("disk", &["0"])), Err("disk"));
    }
}
