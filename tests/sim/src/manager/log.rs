//! A manager's log on its disk: entries from some index on, of which the first ones are synced and survive a power cut.

use std::sync::Arc;

use cluster_seeds::Chance;
use cluster_types::Entry;

/// One entry with the term of the leader that appended it; none is the mark of a new leader.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) term: u64,
    pub(crate) entry: Option<Entry>,
}

/// See the module. Entries up to `base` are in the snapshot.
#[derive(Debug, Default)]
pub(crate) struct Log {
    base: u64,
    base_term: u64,
    entries: Vec<Arc<Logged>>,
    synced: u64,
    /// Counts the times that its end was cut off: what was being synced before says nothing about what came after.
    epoch: u64,
}

impl Log {
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    pub(crate) fn last(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    pub(crate) fn last_term(&self) -> u64 {
        self.entries.last().map_or(self.base_term, |last| last.term)
    }

    pub(crate) fn synced(&self) -> u64 {
        self.synced
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Arc<Logged>> {
        let place = index.checked_sub(self.base + 1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// The term of an entry; none when it is not there any more, or not yet.
    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base { Some(self.base_term) } else { self.get(index).map(|logged| logged.term) }
    }

    /// Entries after an index.
    pub(crate) fn after(&self, index: u64, most: usize) -> Vec<Arc<Logged>> {
        let skip = usize::try_from(index.saturating_sub(self.base)).unwrap_or(usize::MAX);
        self.entries.iter().skip(skip).take(most).cloned().collect()
    }

    pub(crate) fn append(&mut self, logged: Arc<Logged>) -> u64 {
        self.entries.push(logged);
        self.last()
    }

    /// Cuts off what is from an index on.
    pub(crate) fn truncate(&mut self, from: u64) {
        let keep = usize::try_from(from.saturating_sub(self.base + 1)).unwrap_or(0);
        self.entries.truncate(keep);
        self.synced = self.synced.min(self.last());
        self.epoch += 1;
    }

    /// Entries up to an index are on the disk, if they are still those of the time when that was asked for.
    pub(crate) fn note_synced(&mut self, epoch: u64, upto: u64) {
        if epoch == self.epoch {
            self.synced = self.synced.max(upto.min(self.last()));
        }
    }

    /// Entries up to an index are in a snapshot now.
    pub(crate) fn compact(&mut self, upto: u64) {
        let Some(term) = self.term_at(upto) else { return };
        let gone = usize::try_from(upto - self.base).unwrap_or(0);
        self.entries.drain(..gone);
        (self.base, self.base_term) = (upto, term);
        self.synced = self.synced.max(upto);
    }

    /// A snapshot takes the place of everything.
    pub(crate) fn reset(&mut self, index: u64, term: u64) {
        *self = Self { base: index, base_term: term, entries: Vec::new(), synced: index, epoch: self.epoch + 1 };
    }

    /// The power goes: of what was not synced, some of the first entries may be on the disk all the same. Whether anything was lost.
    pub(crate) fn crash(&mut self, chance: &mut Chance) -> bool {
        let unsynced = self.last() - self.synced;
        let survive = chance.below(unsynced + 1);
        self.truncate(self.synced + survive + 1);
        self.synced = self.last();
        survive < unsynced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(terms: &[u64]) -> Log {
        let mut log = Log::default();
        for term in terms {
            log.append(Arc::new(Logged { term: *term, entry: None }));
        }
        log
    }

    #[test]
    fn what_is_synced_survives_and_nothing_else_must() {
        for seed in 0..20 {
            let mut log = log(&[1, 1, 2, 2]);
            log.note_synced(log.epoch(), 2);
            log.crash(&mut Chance::new(seed, 0));
            assert!((2..=4).contains(&log.last()) && log.synced() == log.last());
        }
    }

    #[test]
    fn a_sync_of_entries_that_were_cut_off_says_nothing() {
        let mut log = log(&[1, 1, 1]);
        let epoch = log.epoch();
        log.truncate(2);
        log.append(Arc::new(Logged { term: 2, entry: None }));
        log.note_synced(epoch, 3);
        assert_eq!((log.last(), log.synced(), log.term_at(2)), (2, 0, Some(2)));
    }

    #[test]
    fn a_snapshot_takes_the_place_of_the_beginning() {
        let mut log = log(&[1, 2, 3]);
        log.compact(2);
        assert_eq!((log.base(), log.last(), log.term_at(2), log.term_at(1)), (2, 3, Some(2), None));
        assert_eq!(log.after(2, 9).len(), 1);
    }
}
