//! Dry runs: what a change of a service would do. The real deciders run on a copy of the state, off the leader loop.

use std::collections::BTreeSet;

use cluster_api::{ApiError, pb};
use cluster_decide::plan::{self, Preview, Wish};
use cluster_state::View;
use cluster_types::NodeId;

use super::explain::hostname;
use super::reference;
use super::service;
use crate::core::{Core, Freshness};

/// The preview of a new service, or of another spec for one.
pub(super) async fn preview(core: &Core, request: pb::PreviewServiceRequest) -> Result<(pb::PreviewServiceResponse, Freshness), ApiError> {
    let spec = service::spec(request.spec)?;
    let (view, freshness) = core.read().await;
    let wish = if request.reference.is_empty() {
        service::acceptable(&view, &spec, None)?;
        Wish::Create(spec)
    } else {
        let old = reference::service(&view, &request.reference)?;
        service::acceptable(&view, &spec, Some(old))?;
        Wish::Update(old.id, spec)
    };
    let now = core.clock.now();
    // Several passes over a large service take longer than an executor's thread may be held.
    let computed = tokio::task::spawn_blocking(move || plan::preview(&view, now, &wish).map(|preview| message(&view, &preview)));
    let answer = computed.await.map_err(|error| ApiError::internal(format!("the preview broke off: {error}")))?;
    Ok((answer?, freshness))
}

fn message(view: &View, preview: &Preview) -> pb::PreviewServiceResponse {
    let nodes: BTreeSet<NodeId> = preview.starts.keys().chain(preview.stops.keys()).copied().collect();
    let node = |node: &NodeId| pb::NodeChange {
        node: node.to_string(),
        hostname: hostname(view, *node),
        starts: preview.starts.get(node).copied().unwrap_or(0),
        stops: preview.stops.get(node).copied().unwrap_or(0),
    };
    let field = |change: &plan::FieldChange| pb::FieldChange {
        field: change.field.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
    };
    pb::PreviewServiceResponse {
        version: preview.version.map_or(0, |version| version.0),
        fields: preview.fields.iter().map(field).collect(),
        nodes: nodes.iter().map(node).collect(),
        kept: preview.kept,
        waiting: preview.waits.iter().map(|(reason, tasks)| pb::Waiting { reason: reason.clone(), tasks: *tasks }).collect(),
        never: preview.never.clone().unwrap_or_default(),
        settles: preview.settles,
        update: preview.update.map(|state| pb::UpdateState::from(state).into()),
    }
}
