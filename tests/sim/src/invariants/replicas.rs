//! I5: at the same index every manager has the same state. A sample of indexes, since a hash costs a walk over everything.

use std::collections::BTreeMap;

use cluster_state::State;

use super::Found;

/// Every so manieth index is compared.
const SAMPLE: u64 = 512;

/// The hash of the first manager at each index of the sample.
#[derive(Default)]
pub(super) struct Replicas(BTreeMap<u64, u64>);

impl Replicas {
    pub(super) fn sample(&mut self, index: u64, state: &State) -> Found {
        if index.is_multiple_of(SAMPLE) { self.compare(index, state) } else { Ok(()) }
    }

    pub(super) fn compare(&mut self, index: u64, state: &State) -> Found {
        let hash = state.hash();
        let first = *self.0.entry(index).or_insert(hash);
        if first == hash {
            Ok(())
        } else {
            Err(format!("at {index} the state's hash is {hash:016x} on one manager, {first:016x} on another"))
        }
    }
}
