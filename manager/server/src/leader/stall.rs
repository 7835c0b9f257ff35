//! Notices when this process itself did not run for a while: starved of CPU, stopped, or its machine suspended. What it did not hear
//! meanwhile says nothing of the nodes, so their grace begins anew (failures A10, A12).

use std::sync::Mutex;
use std::time::Duration;

use cluster_types::Timestamp;

use crate::clock::Clock;

/// Between two signs of life.
const TICK: Duration = Duration::from_millis(200);
/// A sign of life that is so late tells of a stall.
const LATE: Duration = Duration::from_millis(800);

/// Since when this leader has listened without a break.
#[derive(Debug)]
pub(super) struct Listening(Mutex<Span>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    since: Timestamp,
    last: Timestamp,
}

impl Listening {
    /// It listens since its term began.
    pub(super) fn new(since: Timestamp) -> Self {
        Self(Mutex::new(Span { since, last: since }))
    }

    /// Since when, as of `now`. To be asked before anything is concluded from silence.
    pub(super) fn since(&self, now: Timestamp) -> Timestamp {
        let mut span = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *span = span.at(now);
        span.since
    }

    /// Gives signs of life until it is dropped.
    pub(super) async fn tick(&self, clock: &dyn Clock) {
        loop {
            self.since(clock.now());
            tokio::time::sleep(TICK).await;
        }
    }
}

impl Span {
    fn at(self, now: Timestamp) -> Self {
        let stalled = now.since(self.last) > LATE;
        if stalled {
            tracing::warn!(for_ms = now.since(self.last).as_millis(), "this manager did not run for a while: nodes get their grace anew");
        }
        Self { since: if stalled { now } else { self.since }, last: now.max(self.last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_moves_the_beginning_and_nothing_else_does() {
        let listening = Listening::new(Timestamp(1_000));
        for now in [1_000, 1_300, 2_000, 1_900, 2_700] {
            assert_eq!(listening.since(Timestamp(now)), Timestamp(1_000), "at {now}");
        }
        assert_eq!(listening.since(Timestamp(7_700)), Timestamp(7_700));
        assert_eq!(listening.since(Timestamp(7_900)), Timestamp(7_700));
    }
}
