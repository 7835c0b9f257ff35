//! One table for every kind of object: rows by id, a secondary index, and the bookkeeping of versions.
//!
//! Rows are shared and never changed in place: whoever holds an old one keeps it. A refused operation leaves the table as it was.

use std::sync::Arc;

use cluster_types::{Event, EventKind, Object, Rejection, Timestamp, Version};
use imbl::OrdMap;

use crate::index::Index;
use crate::record::Record;

/// Which entry changes things, and when its proposer said it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) index: Version,
    pub(crate) at: Timestamp,
}

impl Stamp {
    fn event(self, kind: EventKind, object: Object, before: Option<Object>) -> Event {
        Event { index: self.index, kind, object, before }
    }
}

/// The objects of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Table<R: Record> {
    rows: OrdMap<R::Id, Arc<R>>,
    index: R::Index,
}

impl<R: Record> Default for Table<R> {
    fn default() -> Self {
        Self { rows: OrdMap::new(), index: R::Index::default() }
    }
}

impl<R: Record> Table<R> {
    pub(crate) fn get(&self, id: R::Id) -> Option<&Arc<R>> {
        self.rows.get(&id)
    }

    /// All rows in the order of their ids.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Arc<R>> {
        self.rows.values()
    }

    /// The rows whose ids lie in a range, in order.
    pub(crate) fn range(&self, ids: std::ops::RangeInclusive<R::Id>) -> impl Iterator<Item = &Arc<R>> {
        self.rows.range(ids).map(|(_, row)| row)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn index(&self) -> &R::Index {
        &self.index
    }

    /// Puts a row as it is, new or in the place of another. From outside only for what a snapshot holds.
    pub(crate) fn restore(&mut self, row: Arc<R>) -> Option<Arc<R>> {
        let before = self.rows.insert(row.id(), Arc::clone(&row));
        if before.as_ref().is_none_or(|before| R::Index::moves(before, &row)) {
            before.iter().for_each(|before| self.index.remove(before));
            self.index.insert(&row);
        }
        before
    }

    /// A new row. Refused when its id is taken.
    pub(crate) fn create(&mut self, stamp: Stamp, mut row: R) -> Result<Event, Rejection> {
        if self.rows.contains_key(&row.id()) {
            return Err(Rejection::Exists(R::key(row.id())));
        }
        *row.meta_mut() = cluster_types::Meta { version: stamp.index, created: stamp.at, updated: stamp.at };
        let row = Arc::new(row);
        self.restore(Arc::clone(&row));
        Ok(stamp.event(EventKind::Created, R::object(row), None))
    }

    /// The row, at the expected version if one is named.
    pub(crate) fn at_version(&self, id: R::Id, expect: Option<Version>) -> Result<&Arc<R>, Rejection> {
        let row = self.get(id).ok_or(Rejection::Missing(R::key(id)))?;
        let found = row.meta().version;
        match expect {
            Some(expected) if expected != found => Err(Rejection::Conflict { key: R::key(id), expected, found }),
            Some(_) | None => Ok(row),
        }
    }

    /// Lets `edit` change a copy of the row, which then takes its place. No event when nothing differs: the version stays too.
    pub(crate) fn change(
        &mut self,
        stamp: Stamp,
        id: R::Id,
        edit: impl FnOnce(&mut R) -> Result<(), String>,
    ) -> Result<Option<Event>, Rejection> {
        let before = self.at_version(id, None)?;
        let mut row = R::clone(before);
        edit(&mut row).map_err(|reason| Rejection::Refused { key: R::key(id), reason })?;
        if row == **before {
            return Ok(None);
        }
        let meta = row.meta_mut();
        (meta.version, meta.updated) = (stamp.index, stamp.at);
        let row = Arc::new(row);
        let before = self.restore(Arc::clone(&row));
        Ok(Some(stamp.event(EventKind::Updated, R::object(row), before.map(R::object))))
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, stamp: Stamp, id: R::Id, expect: Option<Version>) -> Result<Event, Rejection> {
        let row = Arc::clone(self.at_version(id, expect)?);
        self.rows.remove(&id);
        self.index.remove(&row);
        Ok(stamp.event(EventKind::Removed, R::object(Arc::clone(&row)), Some(R::object(row))))
    }

    /// The index built anew, to compare with the kept one.
    pub(crate) fn rebuilt_index(&self) -> R::Index {
        let mut index = R::Index::default();
        self.rows.values().for_each(|row| index.insert(row));
        index
    }
}
