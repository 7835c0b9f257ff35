//! Of our own: a leader decides nothing before the fate of its last plan is known (decision 7). A plan that is not in what it looks at, and is
//! applied after all, would be carried out twice.

use std::collections::BTreeMap;

use super::Found;

/// The last entry of a plan, in each term.
#[derive(Default)]
pub(super) struct Plans(BTreeMap<u64, u64>);

impl Plans {
    /// A plan goes into the log up to the entry `last`; it was made over the state of the entry `seen`.
    pub(super) fn proposed(&mut self, term: u64, seen: u64, last: u64) -> Found {
        let before = self.0.insert(term, last).unwrap_or_default();
        if before > seen {
            return Err(format!(
                "the leader of term {term} decides over the state of entry {seen}, and its plan up to {before} is under way"
            ));
        }
        Ok(())
    }
}
