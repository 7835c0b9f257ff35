//! I12: an agent never acts on the word of an older leader than one that it has obeyed and saved.

use std::collections::BTreeMap;

use cluster_task::Fence;
use cluster_types::SessionStamp;

use super::Found;

/// Whom each host has obeyed, as far as it is on its disk.
#[derive(Default)]
pub(super) struct Fences(BTreeMap<usize, Fence>);

impl Fences {
    pub(super) fn saved(&mut self, host: usize, fence: Fence) {
        let known = self.0.entry(host).or_default();
        *known = fence.max(*known);
    }

    pub(super) fn obeyed(&self, host: usize, stamp: SessionStamp) -> Found {
        let told = Fence { incarnation: stamp.incarnation, term: stamp.term };
        match self.0.get(&host) {
            Some(known) if told < *known => {
                Err(format!("host {host} obeys the leader of term {}, and has obeyed that of term {}", told.term, known.term))
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn forget(&mut self, host: usize) {
        self.0.remove(&host);
    }
}
