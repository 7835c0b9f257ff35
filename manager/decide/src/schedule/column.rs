//! What the nodes have under one constraint key, each value a number: comparing numbers is cheap, and looking at what a node says of itself
//! is not. Preferences and affinities read the same columns; the fleet keeps them for a pass.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cluster_types::constraint::ConstraintKey;

use super::fleet::Room;
use crate::constraint;

/// One key.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// The number of each node's value, in the fleet's order. Numbers begin at 0.
    pub(super) numbers: Vec<u32>,
    /// The first node that has each value, by its place in the fleet.
    pub(super) first: Vec<usize>,
}

impl Column {
    pub(super) fn of(rooms: &[Room], key: &ConstraintKey) -> Self {
        let mut known: BTreeMap<Cow<'_, str>, u32> = BTreeMap::new();
        let (mut numbers, mut first) = (Vec::with_capacity(rooms.len()), Vec::new());
        for (place, room) in rooms.iter().enumerate() {
            let next = u32::try_from(first.len()).unwrap_or(u32::MAX);
            let number = *known.entry(constraint::value(&room.node, key)).or_insert(next);
            if number == next {
                first.push(place);
            }
            numbers.push(number);
        }
        Self { numbers, first }
    }
}
