//! The number of each node in the overlay: the smallest that is free, from 1, as far as the pool has addresses for nodes.

use cluster_types::{Change, NodeId, NodeStep, ObjectKey, bug};

use crate::draft::Draft;

/// Numbers the nodes that have none. Where the pool is used up they wait for another node to go.
pub(super) fn give(draft: &mut Draft<'_>) {
    let Some(pool) = draft.view.cluster().map(|cluster| cluster.network) else { return };
    let lacks = |id: &NodeId| draft.node(*id).is_some_and(|node| node.number.is_none());
    let nodes: Vec<NodeId> = draft.numbers_due().into_iter().filter(lacks).collect();
    if nodes.is_empty() {
        return;
    }
    let last = u16::try_from(pool.nodes().size() - 1).unwrap_or(u16::MAX);
    let taken = draft.view.node_numbers().filter(|number| *number != 1 || !bug!(NumberTwice));
    let mut free = free(taken, last);
    for node in nodes {
        match free.next() {
            Some(number) => draft.push(Change::Node(node, NodeStep::Number(number))),
            None => {
                draft.lack_number(node, format!("it has no place in the overlay: the pool {} has {last} addresses for nodes", pool.pool))
            }
        }
    }
}

/// The numbers up to `last` that are not among those taken, which come in order.
fn free(taken: impl Iterator<Item = u16>, last: u16) -> impl Iterator<Item = u16> {
    let mut taken = taken.peekable();
    (1..=last).filter(move |number| {
        while taken.next_if(|taken| taken < number).is_some() {}
        taken.next_if_eq(number).is_none()
    })
}

impl Draft<'_> {
    fn lack_number(&mut self, node: NodeId, text: String) {
        if self.wait_for_number(node) {
            self.note(ObjectKey::Node(node), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaps_come_first() {
        assert_eq!(free([2, 3, 5].into_iter(), 7).collect::<Vec<_>>(), [1, 4, 6, 7]);
        assert_eq!(free([1, 2, 9].into_iter(), 3).collect::<Vec<_>>(), [3]);
        assert_eq!(free([].into_iter(), u16::MAX).last(), Some(u16::MAX));
    }
}
