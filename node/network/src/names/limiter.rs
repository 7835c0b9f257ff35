//! How much may be under way at the same time: in all, and for each container, so that one cannot take every place of a host.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

/// Gives places.
#[derive(Debug)]
pub(super) struct Limiter {
    most: usize,
    most_each: usize,
    taken: Arc<Mutex<BTreeMap<Ipv4Addr, usize>>>,
}

/// A place. Dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    asker: Ipv4Addr,
    taken: Arc<Mutex<BTreeMap<Ipv4Addr, usize>>>,
}

impl Limiter {
    /// Of `most` places, each container may have a quarter.
    pub(super) fn new(most: usize) -> Self {
        Self { most, most_each: most / 4, taken: Arc::default() }
    }

    /// A place, when one is free.
    pub(super) fn take(&self, asker: Ipv4Addr) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(&asker).copied().unwrap_or(0);
        if own >= self.most_each || taken.values().sum::<usize>() >= self.most {
            return None;
        }
        taken.insert(asker, own + 1);
        Some(Place { asker, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.asker) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.asker)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_container_cannot_take_every_place() {
        let limiter = Limiter::new(8);
        let asker = |last| Ipv4Addr::new(10, 0, 0, last);
        let greedy: Vec<Place> = std::iter::from_fn(|| limiter.take(asker(1))).collect();
        assert_eq!(greedy.len(), 2);
        let others: Vec<Place> = (2..20).filter_map(|last| limiter.take(asker(last))).collect();
        assert_eq!(others.len(), 6);
        drop(greedy);
        assert!(limiter.take(asker(1)).is_some());
        drop(others);
        assert!(limiter.taken.lock().unwrap().is_empty());
    }
}
