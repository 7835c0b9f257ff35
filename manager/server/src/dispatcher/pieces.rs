//! Cuts differences of assignments and of network views into messages that stay below the size limit (failures F4).

use cluster_api::pb;
use cluster_types::limits::MESSAGE_BYTES;
use cluster_types::{AssignmentDiff, ViewDiff, ViewItem};
use prost::Message;

/// Leaves room for the stamp and the frame, and for one spec of the largest size beside others.
const PIECE_BYTES: usize = MESSAGE_BYTES * 3 / 4;
/// Endpoints of a service in one item: with the longest host names they take two thirds of a piece.
const MOST_ENDPOINTS: usize = 5_000;
/// What a message costs beside its own bytes.
const OVERHEAD: usize = 8;

/// The pieces of a diff of assignments; none of an empty one, unless it is a full set. `full` is on the first, `more` on all but the last.
pub(super) fn assignments(diff: &AssignmentDiff) -> Vec<pb::Assignments> {
    let mut cut = Cut::new(pb::Assignments { full: diff.full, ..Default::default() }, pb::Assignments::default());
    for task in &diff.remove {
        cut.place(cluster_types::id::ID_LENGTH + OVERHEAD).remove.push(task.to_string());
    }
    for assignment in &diff.put {
        let message = pb::TaskAssignment::from(&**assignment);
        cut.place(message.encoded_len() + OVERHEAD).put.push(message);
    }
    cut.end(diff.full, |piece| piece.more = true)
}

/// The same of a diff of network views. Each piece has the version.
pub(super) fn network(diff: &ViewDiff) -> Vec<pb::NetworkPiece> {
    let rest = pb::NetworkPiece { version: diff.version.0, ..Default::default() };
    let mut cut = Cut::new(pb::NetworkPiece { full: diff.full, ..rest.clone() }, rest);
    for key in &diff.remove {
        let message = pb::ViewKey::from(key);
        cut.place(message.encoded_len() + OVERHEAD).remove.push(message);
    }
    for message in diff.put.iter().flat_map(|item| parts(item)) {
        cut.place(message.encoded_len() + OVERHEAD).put.push(message);
    }
    cut.end(diff.full, |piece| piece.more = true)
}

/// An item of a view as messages that fit; the receiver joins those of one service.
fn parts(item: &ViewItem) -> Vec<pb::ViewItem> {
    match item {
        ViewItem::Service(service) => service.parts(MOST_ENDPOINTS).into_iter().map(|part| (&ViewItem::Service(part)).into()).collect(),
        ViewItem::Own(_) | ViewItem::Peer(_) | ViewItem::Network(_) => vec![item.into()],
    }
}

/// The pieces that are full, and the one that is being filled.
struct Cut<P> {
    done: Vec<P>,
    piece: P,
    bytes: usize,
    rest: P,
}

impl<P: Clone> Cut<P> {
    fn new(first: P, rest: P) -> Self {
        Self { done: Vec::new(), piece: first, bytes: 0, rest }
    }

    /// The piece that `next` more bytes go into: another one when they are too many for this one.
    fn place(&mut self, next: usize) -> &mut P {
        if self.bytes > 0 && self.bytes + next > PIECE_BYTES {
            self.done.push(std::mem::replace(&mut self.piece, self.rest.clone()));
            self.bytes = 0;
        }
        self.bytes += next;
        &mut self.piece
    }

    /// All pieces; an empty one only when it must be there.
    fn end(mut self, needed: bool, more: impl Fn(&mut P)) -> Vec<P> {
        if self.bytes > 0 || (needed && self.done.is_empty()) {
            self.done.push(self.piece);
        }
        let last = self.done.len().saturating_sub(1);
        self.done[..last].iter_mut().for_each(more);
        self.done
    }
}

#[cfg(test)]
mod tests;
