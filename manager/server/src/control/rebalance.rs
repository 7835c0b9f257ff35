//! Moving tasks: rebalances, and how far a drain is.

use cluster_api::{ApiError, pb};
use cluster_decide::drain_progress;
use cluster_decide::rebalance::{self, Move};
use cluster_state::View;
use cluster_types::Change;

use super::explain::hostname;
use super::reference;
use crate::core::{Core, Freshness};
use crate::request::Key;

/// The moves that even out all services, or one; carried out unless it is a dry run.
pub(super) async fn rebalance(core: &Core, key: Key, request: pb::RebalanceRequest) -> Result<pb::RebalanceResponse, ApiError> {
    let view = core.read_current().await?;
    let only = if request.service.is_empty() { None } else { Some(reference::service(&view, &request.service)?.id) };
    let moves = rebalance::plan(&view, core.clock.now(), only);
    let answer = pb::RebalanceResponse { moves: moves.iter().map(|step| message(&view, step)).collect() };
    if !request.dry_run && !moves.is_empty() {
        core.propose(key, moves.iter().map(Move::change).collect::<Vec<Change>>()).await?;
    }
    Ok(answer)
}

fn message(view: &View, step: &Move) -> pb::Move {
    let name = view.service(step.service).map(|service| service.spec.name.clone()).unwrap_or_default();
    pb::Move {
        task: step.task.to_string(),
        task_name: view.task(step.task).map(|task| task.name(&name)).unwrap_or_default(),
        from_hostname: hostname(view, step.from),
        to_hostname: hostname(view, step.to),
    }
}

/// What a drained node still has.
pub(super) async fn drain(core: &Core, request: pb::GetDrainRequest) -> Result<(pb::GetDrainResponse, Freshness), ApiError> {
    let (view, freshness) = core.read().await;
    let node = reference::node(&view, &request.reference)?;
    let progress = drain_progress(&view, node.id);
    let stuck = progress.cannot_move.into_iter().map(|(task_name, reason)| pb::Stuck { task_name, reason });
    let answer = pb::GetDrainResponse {
        left: progress.left as u64,
        moving: progress.moving as u64,
        cannot_move: stuck.collect(),
        availability: pb::Availability::from(node.spec.availability).into(),
    };
    Ok((answer, freshness))
}
