//! The leader loop: an event or a due timer wakes it, it runs a pass over the newest view, proposes the plan, and looks again.
//!
//! An idle cluster has no delay between an event and the pass: what comes in while a plan is under way is taken together by the next one.

use std::future::Future;
use std::time::Duration;

use cluster_decide::{Dirty, Plan, liveness};
use cluster_raft::{Feed, Subscription};
use cluster_types::limits::CHANGES_PER_ENTRY;
use futures::FutureExt as _;
use tokio::time::Instant;

use super::stall::Listening;
use crate::core::Core;

/// The longest sleep without an event: an upper bound on what a missed wake-up can cost.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// After a plan that could not be proposed.
const RETRY: Duration = Duration::from_millis(100);

/// A pass that found nothing to do is followed by the next one after as much time as it took, at most this: events that come in a rush, such
/// as thousands of reports, are taken together, and deciding never takes more than half a processor. In an idle cluster that is no delay.
const REST_MAX: Duration = Duration::from_millis(50);
/// A pass or proposal that takes so long has hung: the leader is wedged (failures A9).
const WEDGED: Duration = Duration::from_secs(5);

/// Decides until it is dropped, or can no longer: then leadership must be given up.
pub(super) async fn run(core: &Core, listening: &Listening) {
    let (_, mut feed) = core.raft.subscribe();
    let mut dirty = Dirty::all();
    while drain(&mut feed, &mut dirty) {
        let begun = Instant::now();
        let step = tokio::time::timeout(WEDGED, step(core, listening, std::mem::take(&mut dirty)));
        let Ok(Some(next)) = step.await else { return };
        dirty = next.carry;
        if let Some(sleep) = next.sleep {
            tokio::time::sleep(begun.elapsed().min(REST_MAX)).await;
            if !wait(&mut feed, &mut dirty, sleep).await {
                return;
            }
        }
    }
}

/// What follows a step.
struct Next {
    carry: Dirty,
    /// How long there is nothing to do unless an event comes; none when the state changed meanwhile.
    sleep: Option<Duration>,
}

/// One pass, and its plan proposed. None when the pass failed.
async fn step(core: &Core, listening: &Listening, dirty: Dirty) -> Option<Next> {
    let plan = pass(core, listening, dirty).await?;
    for note in &plan.notes {
        tracing::debug!(about = %note.about, "{}", note.text);
    }
    if plan.changes.is_empty() {
        let sleep = plan.wake_at.map_or(LOOK_AGAIN, |at| at.since(core.clock.now())).min(LOOK_AGAIN);
        return Some(Next { carry: plan.carry, sleep: Some(sleep) });
    }
    if propose(core, plan.changes).await {
        return Some(Next { carry: plan.carry, sleep: None });
    }
    settle(core).await;
    Some(Next { carry: Dirty::all(), sleep: None })
}

/// Waits until the fate of a plan is known that was not applied in time: it may still be in the log, and be applied beside another one, which
/// would fill places twice. An entry behind it is applied after it. A leader that waits for too long is wedged.
async fn settle(core: &Core) {
    loop {
        tokio::time::sleep(RETRY).await;
        if core.propose_each(Vec::new()).await.is_ok() {
            return;
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
fn pass(core: &Core, listening: &Listening, dirty: Dirty) -> impl Future<Output = Option<Plan>> + use<> {
    let view = core.raft.view();
    let now = core.clock.now();
    let presence = liveness::Presence {
        leader_since: listening.since(now),
        sessions: core.sessions.heard(),
        grace: liveness::grace(view.node_count()),
    };
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
