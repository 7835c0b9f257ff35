//! I1: what was acknowledged is on a quorum and stays for ever. And what that stands on: one leader in a term, and one entry at an index.

use std::collections::BTreeMap;

use cluster_types::RequestId;

use super::Found;

/// The log as it was committed first.
#[derive(Default)]
pub(super) struct Acknowledged {
    begins: u64,
    entries: Vec<(u64, Option<RequestId>)>,
    elected: BTreeMap<u64, usize>,
}

impl Acknowledged {
    pub(super) fn begin(&mut self, index: u64) {
        self.begins = index;
    }

    pub(super) fn elected(&mut self, manager: usize, term: u64) -> Found {
        match self.elected.insert(term, manager) {
            Some(other) if other != manager => Err(format!("managers {other} and {manager} both lead in term {term}")),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether it is the first that applies the entry.
    pub(super) fn applied(&mut self, manager: usize, index: u64, term: u64, request: Option<RequestId>) -> Result<bool, String> {
        let place = usize::try_from(index - self.begins - 1).unwrap_or(usize::MAX);
        match self.entries.get(place) {
            Some(known) if *known == (term, request) => Ok(false),
            Some((known, _)) => Err(format!("manager {manager} applies an entry of term {term} at {index}, where one of {known} was")),
            None if place == self.entries.len() => {
                self.entries.push((term, request));
                Ok(true)
            }
            None => {
                Err(format!("manager {manager} applies {index}, and nobody has applied {}", self.begins + self.entries.len() as u64 + 1))
            }
        }
    }

    pub(super) fn acknowledged(&self, index: u64, key: RequestId) -> Found {
        let place = usize::try_from(index - self.begins - 1).unwrap_or(usize::MAX);
        match self.entries.get(place) {
            Some((_, Some(request))) if *request == key => Ok(()),
            other => Err(format!("a client was told that its request {key} is at {index}, where there is {other:?}")),
        }
    }
}
