//! I14: what apply keeps beside the objects (indexes, loads, addresses, revisions) is what it would be if it were built anew from them.

use cluster_state::State;

use super::Found;

pub(super) fn check(state: &State) -> Found {
    state.check().into_iter().next().map_or(Ok(()), Err)
}
