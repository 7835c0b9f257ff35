//! Why a task is where it is, or waits: the table of all nodes.

use std::fmt::Write as _;

use cluster_api::{ApiError, pb};
use cluster_decide::schedule::{Score, Subject, Table, Verdict, why};
use cluster_state::View;
use cluster_types::NodeId;

use super::reference;
use crate::core::{Core, Freshness};

/// The table for a service or a task.
pub(super) async fn explain(core: &Core, request: pb::ExplainRequest) -> Result<(pb::ExplainResponse, Freshness), ApiError> {
    let (view, freshness) = core.read().await;
    // A name is a service's before it is a task's: `web`, then `web.3`.
    let subject = match reference::service(&view, &request.reference) {
        Ok(service) => Subject::Service(service.id),
        Err(unknown) => Subject::Task(reference::task(&view, &request.reference).map_err(|_| unknown)?.id),
    };
    let table = why(&view, core.clock.now(), subject).ok_or_else(|| ApiError::not_found("service", &request.reference))?;
    Ok((message(&view, &table), freshness))
}

fn message(view: &View, table: &Table) -> pb::ExplainResponse {
    let task = table.task.and_then(|id| view.task(id));
    let nodes = table.rows.iter().map(|row| {
        let (rank, verdict) = words(view, &row.verdict);
        pb::NodeVerdict { node: row.node.to_string(), hostname: row.hostname.clone(), rank, verdict }
    });
    pb::ExplainResponse {
        service: table.service.to_string(),
        service_name: table.name.clone(),
        task: table.task.map(|id| id.to_string()).unwrap_or_default(),
        task_name: task.map(|task| task.name(&table.name)).unwrap_or_default(),
        placed: table.placed.map(|id| id.to_string()).unwrap_or_default(),
        placed_hostname: table.placed.map(|id| hostname(view, id)).unwrap_or_default(),
        waiting: table.waiting,
        nodes: nodes.collect(),
        remedies: table.remedies.clone(),
    }
}

pub(super) fn hostname(view: &View, node: NodeId) -> String {
    view.node(node).map_or_else(|| node.to_string(), |node| node.description.hostname.clone())
}

/// The rank, 0 for none, and the words.
fn words(view: &View, verdict: &Verdict) -> (u64, String) {
    match verdict {
        Verdict::Fits(score) => (score.place, fits(score)),
        Verdict::Refused(refusal) => (0, refusal.to_string()),
        Verdict::HasOne => (0, "has its task of the service".to_owned()),
        Verdict::Bound(node) => (0, format!("the task belongs on {}", hostname(view, *node))),
    }
}

/// What ranks it, in the order of its weight.
fn fits(score: &Score) -> String {
    let mut text = "fits".to_owned();
    if score.failures > 0 {
        let _ = write!(text, ", failed there {} times lately", score.failures);
    }
    for level in &score.levels {
        let value = if level.value.is_empty() { "(none)" } else { &level.value };
        let _ = write!(text, ", {} of the service in {}={value}", level.tasks, level.key);
    }
    let _ = write!(text, ", {} of the service here", score.own);
    if score.affinity != 0 {
        let _ = write!(text, ", affinity {:+}", score.affinity);
    }
    let _ = write!(text, ", {} % free, {} tasks in all", score.free / 10, score.tasks);
    text
}
