//! The leader loop: an event or a due timer wakes it, it runs a pass over the newest view, proposes the plan, and looks again.
//!
//! An idle cluster has no delay between an event and the pass: what comes in while a plan is under way is taken together by the next one.

use std::future::Future;
use std::time::Duration;

use cluster_decide::{Dirty, Plan, liveness};
use cluster_raft::{Feed, Subscription};
use cluster_types::Timestamp;
use cluster_types::limits::CHANGES_PER_ENTRY;
use futures::FutureExt as _;

use crate::core::Core;

/// The longest sleep without an event: an upper bound on what a missed wake-up can cost.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// After a plan that could not be proposed.
const RETRY: Duration = Duration::from_millis(100);

/// Decides until it is dropped, or can no longer.
pub(super) async fn run(core: &Core, since: Timestamp) {
    let (_, mut feed) = core.raft.subscribe();
    let mut dirty = Dirty::all();
    loop {
        if !drain(&mut feed, &mut dirty) {
            return;
        }
        let Some(plan) = pass(core, since, std::mem::take(&mut dirty)).await else { return };
        for note in &plan.notes {
            tracing::debug!(about = %note.about, "{}", note.text);
        }
        let wake_at = plan.wake_at;
        dirty = plan.carry;
        if plan.changes.is_empty() {
            let sleep = wake_at.map_or(LOOK_AGAIN, |at| at.since(core.clock.now())).min(LOOK_AGAIN);
            if !wait(&mut feed, &mut dirty, sleep).await {
                return;
            }
        } else if !propose(core, plan.changes).await {
            dirty = Dirty::all();
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Notes what has happened already. Whether the feed goes on.
fn drain(feed: &mut Subscription, dirty: &mut Dirty) -> bool {
    while let Some(message) = feed.next().now_or_never() {
        if !note(message, dirty) {
            return false;
        }
    }
    true
}

/// Waits for an event, at most for `sleep`, and notes it. Whether the feed goes on.
async fn wait(feed: &mut Subscription, dirty: &mut Dirty, sleep: Duration) -> bool {
    match tokio::time::timeout(sleep, feed.next()).await {
        Ok(message) => note(message, dirty),
        Err(_) => true,
    }
}

fn note(message: Option<Feed>, dirty: &mut Dirty) -> bool {
    match message {
        Some(Feed::Applied(applied)) => applied.events.iter().for_each(|event| dirty.note(event)),
        Some(Feed::Resync) => *dirty = Dirty::all(),
        None => return false,
    }
    true
}

/// One pass, beside the executor: it may take milliseconds, and heartbeats must not wait for it.
fn pass(core: &Core, since: Timestamp, dirty: Dirty) -> impl Future<Output = Option<Plan>> + use<> {
    let view = core.raft.view();
    let now = core.clock.now();
    let presence = liveness::Presence { leader_since: since, sessions: core.sessions.heard(), grace: liveness::grace(view.node_count()) };
    let seed = rand::random();
    let passing = tokio::task::spawn_blocking(move || cluster_decide::pass(&view, now, seed, &dirty, &presence));
    async move { passing.await.inspect_err(|error| tracing::error!(%error, "a pass failed")).ok() }
}

/// Proposes a plan in bounded batches. A change that is refused met a newer state: the events of that state have the next pass look again.
async fn propose(core: &Core, changes: Vec<cluster_types::Change>) -> bool {
    let batches: Vec<_> = changes.chunks(CHANGES_PER_ENTRY).map(<[_]>::to_vec).collect();
    let proposals = batches.into_iter().map(|batch| core.propose_each(batch));
    match futures::future::try_join_all(proposals).await {
        Ok(outcomes) => {
            for rejection in outcomes.into_iter().flatten().filter_map(Result::err) {
                tracing::debug!(%rejection, "a planned change met a newer state");
            }
            true
        }
        Err(error) => {
            tracing::warn!(%error, "a plan was not proposed");
            false
        }
    }
}
