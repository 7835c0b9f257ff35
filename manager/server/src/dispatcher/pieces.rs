//! Cuts a diff of assignments into messages that stay below the size limit (failures F4).

use cluster_api::pb;
use cluster_types::AssignmentDiff;
use cluster_types::limits::MESSAGE_BYTES;
use prost::Message;

/// Leaves room for the stamp and the frame, and for one spec of the largest size beside others.
const PIECE_BYTES: usize = MESSAGE_BYTES * 3 / 4;

/// The pieces of a diff; none of an empty one, unless it is a full set. `full` is on the first, `more` on all but the last.
pub(super) fn cut(diff: &AssignmentDiff) -> Vec<pb::Assignments> {
    let mut pieces = Vec::new();
    let mut piece = pb::Assignments { full: diff.full, ..Default::default() };
    let mut bytes = 0;
    for task in &diff.remove {
        piece.remove.push(task.to_string());
        bytes += cluster_types::id::ID_LENGTH + 2;
        close_when_full(&mut pieces, &mut piece, &mut bytes, 0);
    }
    for assignment in &diff.put {
        let message = pb::TaskAssignment::from(&**assignment);
        let size = message.encoded_len() + 8;
        close_when_full(&mut pieces, &mut piece, &mut bytes, size);
        piece.put.push(message);
        bytes += size;
    }
    if bytes > 0 || (diff.full && pieces.is_empty()) {
        pieces.push(piece);
    }
    let last = pieces.len().saturating_sub(1);
    for piece in &mut pieces[..last] {
        piece.more = true;
    }
    pieces
}

/// Begins another piece when `next` more bytes are too many for this one.
fn close_when_full(pieces: &mut Vec<pb::Assignments>, piece: &mut pb::Assignments, bytes: &mut usize, next: usize) {
    if *bytes > 0 && *bytes + next > PIECE_BYTES {
        pieces.push(std::mem::take(piece));
        *bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster_types::{DesiredState, ServiceId, TaskAssignment, TaskId, TaskSpec};
    use std::sync::Arc;

    fn assignment(number: u128, padding: usize) -> Arc<TaskAssignment> {
        let mut spec = TaskSpec::default();
        spec.container.args = vec!["x".repeat(padding)];
        Arc::new(TaskAssignment {
            task: TaskId::from_bits(number),
            service: ServiceId::from_bits(1),
            service_name: "web".into(),
            slot: 1,
            desired: DesiredState::Running,
            spec: Arc::new(spec),
            ports: Vec::new(),
        })
    }

    #[test]
    fn nothing_is_sent_for_nothing_but_an_empty_full_set() {
        assert!(cut(&AssignmentDiff::default()).is_empty());
        let empty = cut(&AssignmentDiff { full: true, ..Default::default() });
        assert_eq!(empty, [pb::Assignments { full: true, ..Default::default() }]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(24))]
        #[test]
        fn pieces_are_small_and_whole(sizes in proptest::collection::vec(0_usize..500_000, 0..12), removed in 0_u128..60_000, full: bool) {
            let put: Vec<_> = sizes.iter().enumerate().map(|(number, size)| assignment(number as u128, *size)).collect();
            let remove: Vec<_> = (0..removed).map(TaskId::from_bits).collect();
            let pieces = cut(&AssignmentDiff { full, put: put.clone(), remove: remove.clone() });
            for (place, piece) in pieces.iter().enumerate() {
                proptest::prop_assert!(piece.encoded_len() < MESSAGE_BYTES);
                proptest::prop_assert_eq!(piece.full, full && place == 0);
                proptest::prop_assert_eq!(piece.more, place + 1 < pieces.len());
            }
            let tasks: Vec<_> = pieces.iter().flat_map(|piece| &piece.put).map(|task| task.task.clone()).collect();
            proptest::prop_assert_eq!(tasks, put.iter().map(|task| task.task.to_string()).collect::<Vec<_>>());
            let gone: Vec<_> = pieces.iter().flat_map(|piece| piece.remove.clone()).collect();
            proptest::prop_assert_eq!(gone, remove.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }
}
