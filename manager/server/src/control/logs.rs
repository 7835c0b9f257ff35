//! Logs of a service or task: which tasks, and what of them. The broker brings the lines.

use std::sync::Arc;

use cluster_api::{ApiError, Kind, pb};
use cluster_types::TaskId;
use futures::stream::BoxStream;
use tonic::Status;

use super::reference;
use crate::core::Core;
use crate::logs::{self, Wanted};

/// The lines of a service's tasks, or of one task.
pub(super) async fn open(
    core: &Arc<Core>,
    request: &pb::LogsRequest,
) -> Result<BoxStream<'static, Result<pb::LogsResponse, Status>>, Status> {
    let term = core.term().ok_or_else(|| core.not_leading())?;
    let view = core.read_current().await?;
    let (service, tasks) = match reference::service(&view, &request.reference) {
        Ok(service) => (Some(service.id), view.tasks_of_service(service.id).map(|task| task.id).collect()),
        Err(error) if error.kind == Kind::NotFound => (None, vec![one(&view, &request.reference)?]),
        Err(error) => return Err(error.into()),
    };
    logs::read(core, term, Wanted { tasks, service, follow: request.follow, tail: request.tail, since_ms: request.since_ms })
}

fn one(view: &cluster_state::View, text: &str) -> Result<TaskId, ApiError> {
    let task = reference::task(view, text).map_err(|error| match error.kind {
        Kind::NotFound => ApiError::not_found("service or task", text),
        _ => error,
    })?;
    match task.node {
        Some(_) => Ok(task.id),
        None => Err(ApiError::precondition(format!("the task {text} has no node yet, so it has no log"))),
    }
}
