//! What a manager does while it leads: decide, dispatch, keep the members in order. When one of these ends by itself, leadership is given
//! up: a leader that does not decide is worse than none (failures A9).

mod decide;
mod stall;

use std::sync::Arc;
use std::time::Duration;

use cluster_raft::Feed;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::core::{Core, Term};
use crate::dispatcher::routes;
use crate::leader::stall::Listening;
use crate::seat;

/// After leadership was given up and nobody took it.
const BREATH: Duration = Duration::from_secs(1);

/// Leads whenever Raft says so, until `stop`.
pub(crate) async fn run(core: Arc<Core>, stop: CancellationToken) {
    let mut leadership = core.raft.leadership();
    loop {
        let now = *leadership.borrow_and_update();
        let end = async {
            if now.is_self_and_ready && lead(&core, now.term).await == End::GaveUp {
                // Whoever leads next, this loop looks again.
                tokio::time::sleep(BREATH).await;
            } else if leadership.changed().await.is_err() {
                stop.cancel();
            }
        };
        tokio::select! {
            () = stop.cancelled() => return core.end_term(),
            () = end => {},
        }
    }
}

/// How a term ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Raft says that another manager leads, or nobody.
    Over,
    /// A part of the work ended.
    GaveUp,
}

/// Leads in one term, until it is over.
async fn lead(core: &Arc<Core>, number: u64) -> End {
    let term = core.begin_term(number);
    tracing::info!(term = number, "this manager leads");
    let mut parts = start(core, &term);
    let end = tokio::select! {
        () = over(core, number) => End::Over,
        ended = parts.join_next() => {
            tracing::error!(?ended, "a part of the leader ended: giving up leadership");
            End::GaveUp
        }
    };
    parts.shutdown().await;
    core.end_term();
    if end == End::GaveUp {
        give_up(core).await;
    }
    tracing::info!(term = number, "this manager no longer leads");
    end
}

/// Asks the voter that has most of the log to lead.
async fn give_up(core: &Core) {
    let progress = core.raft.progress();
    let voters = core.raft.membership().voters;
    let others = progress.members.into_iter().filter(|(id, _)| voters.iter().any(|voter| voter.id == *id));
    if let Some((successor, _)) = others.max_by_key(|(_, matched)| *matched)
        && let Err(error) = core.raft.transfer_leader(successor).await
    {
        tracing::error!(%error, "leadership could not be given up");
    }
}

fn start(core: &Arc<Core>, term: &Term) -> JoinSet<()> {
    let mut parts = JoinSet::new();
    let [decider, router, reporter, members, looker] = std::array::from_fn(|_| Arc::clone(core));
    let listening = Arc::new(Listening::new(term.since));
    let (ticker, ticking) = (Arc::clone(core), Arc::clone(&listening));
    parts.spawn(async move { decide::run(&decider, &listening).await });
    parts.spawn(async move { ticking.tick(ticker.clock.as_ref()).await });
    parts.spawn(async move { route(&router).await });
    parts.spawn(async move { looker.looks.run(&looker.raft).await });
    parts.spawn(async move { reporter.reports.run(&reporter).await });
    parts.spawn(async move { seat::members(&members).await });
    parts
}

/// Wakes the sessions that each applied entry concerns.
async fn route(core: &Core) {
    let (view, mut feed) = core.raft.subscribe();
    // What happened before the subscription was in the view of every session, or is looked at now.
    core.looks.begin(view.index());
    core.sessions.wake_all(view.index());
    while let Some(message) = feed.next().await {
        match message {
            Feed::Applied(applied) => {
                core.looks.note(&applied);
                routes::follow(core, applied.index, &applied.events);
            }
            Feed::Resync => {
                let index = core.raft.view().index();
                core.looks.begin(index);
                core.sessions.wake_all(index);
            }
        }
    }
}

async fn over(core: &Core, number: u64) {
    let mut leadership = core.raft.leadership();
    // An error means that Raft has shut down.
    drop(leadership.wait_for(|now| !now.is_self_and_ready || now.term != number).await);
}
