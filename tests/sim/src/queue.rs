//! What is to happen, by virtual time; what is due at the same time happens in the order in which it was asked for.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::event::Event;

/// See the module.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Due>,
    count: u64,
}

struct Due {
    at: u64,
    number: u64,
    event: Event,
}

impl Queue {
    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.heap.push(Due { at, number: self.count, event });
    }

    pub(crate) fn pop(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|due| (due.at, due.event))
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|due| due.at)
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
