//! What the log says, as a value: votes, marks, and the entries that are not purged. Recovery builds it from records; the store keeps it up.
//!
//! Pure: the same records in the same order give the same contents.

use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};

use super::record::Record;
use crate::types::{LogEntry, LogId, Vote, entry_size};

/// The contents of a log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// The newest vote.
    pub vote: Option<Vote>,
    /// Entries up to this one are known to be committed.
    pub committed: Option<LogId>,
    /// The last entry that was purged.
    pub purged: Option<LogId>,
    /// The entries after it, without a gap.
    entries: VecDeque<LogEntry>,
    /// About how many bytes the entries take.
    bytes: usize,
}

impl Contents {
    /// Takes one record in.
    pub fn take(&mut self, record: Record) {
        match record {
            Record::Entry(entry) => self.append(entry),
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Truncate(after) => self.truncate(after.map_or(0, |id| id.index + 1)),
            Record::Purge(upto) => self.purge(upto),
            Record::Committed(upto) => self.committed = Some(upto),
        }
    }

    /// The id of the newest entry, purged or not.
    #[must_use]
    pub fn last(&self) -> Option<LogId> {
        self.entries.back().map(|entry| entry.log_id).or(self.purged)
    }

    /// About how many bytes the entries take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The entries whose index is in `range`.
    pub fn range(&self, range: &impl RangeBounds<u64>) -> impl Iterator<Item = &LogEntry> {
        let first = self.first();
        let place = |index: u64| usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX).min(self.entries.len());
        let from = match range.start_bound() {
            Bound::Included(index) => place(*index),
            Bound::Excluded(index) => place(index.saturating_add(1)),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(index) => place(index.saturating_add(1)),
            Bound::Excluded(index) => place(*index),
            Bound::Unbounded => self.entries.len(),
        };
        self.entries.range(from..to.max(from))
    }

    /// Index of the first entry, or where it would be.
    fn first(&self) -> u64 {
        self.entries.front().map_or_else(|| self.purged.map_or(0, |id| id.index + 1), |entry| entry.log_id.index)
    }

    fn append(&mut self, entry: LogEntry) {
        self.truncate(entry.log_id.index);
        self.bytes += entry_size(&entry);
        self.entries.push_back(entry);
    }

    /// Takes back the entries from index `from` on.
    fn truncate(&mut self, from: u64) {
        while let Some(entry) = self.entries.pop_back_if(|entry| entry.log_id.index >= from) {
            self.bytes -= entry_size(&entry);
        }
    }

    fn purge(&mut self, upto: LogId) {
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.log_id.index <= upto.index) {
            self.bytes -= entry_size(&entry);
        }
        self.purged = self.purged.max(Some(upto));
    }
}
