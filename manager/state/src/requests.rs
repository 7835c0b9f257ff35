//! The outcomes of the last atomic requests, so that one proposed twice (its first answer was lost) is applied once.
//!
//! Bounded, first in first out, and part of the snapshot: every manager forgets the same request at the same index.

use std::sync::Arc;

use cluster_types::{Rejection, RequestId};
use imbl::{OrdMap, Vector};

/// Requests whose outcomes are kept. A proposal is retried for seconds, not for ten thousand further requests.
pub const REQUESTS_KEPT: usize = 10_000;

/// What became of each change of an entry.
pub(crate) type Outcomes = Vec<Result<(), Rejection>>;

/// The memory of requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    outcomes: OrdMap<RequestId, Arc<Outcomes>>,
    order: Vector<RequestId>,
}

impl Requests {
    pub(crate) fn get(&self, request: RequestId) -> Option<&Outcomes> {
        self.outcomes.get(&request).map(|outcomes| &**outcomes)
    }

    /// Remembers a request that is not yet known; forgets the oldest beyond the bound.
    pub(crate) fn insert(&mut self, request: RequestId, outcomes: Arc<Outcomes>) {
        if self.outcomes.insert(request, outcomes).is_none() {
            self.order.push_back(request);
        }
        while self.order.len() > REQUESTS_KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.outcomes.remove(&oldest);
            }
        }
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RequestId, &Arc<Outcomes>)> {
        self.order.iter().filter_map(|request| Some((*request, self.outcomes.get(request)?)))
    }

    /// Whether both halves hold the same requests, within the bound.
    pub(crate) fn is_sound(&self) -> bool {
        self.order.len() <= REQUESTS_KEPT && self.order.len() == self.outcomes.len() && self.iter().count() == self.order.len()
    }
}
