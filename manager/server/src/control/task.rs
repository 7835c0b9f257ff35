//! Tasks: list, by service, by node, or one.

use cluster_api::{ApiError, pb};
use cluster_state::View;
use cluster_types::{NodeId, PublishMode, ServiceId, Task, TaskId};

use super::{page, reference};
use crate::core::{Core, Freshness};

/// The tasks for which all that is given holds, by id.
pub(super) async fn list(core: &Core, request: pb::ListTasksRequest) -> Result<(pb::ListTasksResponse, Freshness), ApiError> {
    let after = page::after::<TaskId>(&request.page_token)?;
    let (view, freshness) = core.read().await;
    let service = named(&request.service, |text| reference::service(&view, text).map(|service| service.id))?;
    let node = named(&request.node, |text| reference::node(&view, text).map(|node| node.id))?;
    let mut tasks = match named(&request.reference, |text| reference::task(&view, text))? {
        Some(task) => vec![task],
        None => chosen(&view, service, node),
    };
    tasks.retain(|task| service.is_none_or(|id| task.service == id) && node.is_none_or(|id| task.node == Some(id)));
    tasks.retain(|task| after.is_none_or(|after| task.id > after));
    let page = page::cut(tasks.into_iter().map(|task| (task.id, message(&view, task))));
    Ok((pb::ListTasksResponse { tasks: page.items, next_page_token: page.next }, freshness))
}

/// The tasks among which to look, in the order of their ids.
fn chosen(view: &View, service: Option<ServiceId>, node: Option<NodeId>) -> Vec<&std::sync::Arc<Task>> {
    match (service, node) {
        (Some(service), _) => {
            let mut tasks: Vec<_> = view.tasks_of_service(service).collect();
            tasks.sort_by_key(|task| task.id);
            tasks
        }
        (None, Some(node)) => view.tasks_on_node(node).collect(),
        (None, None) => view.tasks().collect(),
    }
}

fn named<T>(reference: &str, resolve: impl FnOnce(&str) -> Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    if reference.is_empty() { Ok(None) } else { resolve(reference).map(Some) }
}

/// A task with the names of what it belongs to.
fn message(view: &View, task: &Task) -> pb::Task {
    let spec = view.spec_of(task);
    let open: Vec<pb::PublishedPort> =
        task.status.container.iter().flat_map(|container| &container.ports).map(|bound| (&bound.port).into()).collect();
    let asked = || spec.iter().flat_map(|spec| &spec.ports).filter(|port| port.mode == PublishMode::Host).map(Into::into).collect();
    pb::Task {
        service_name: spec.map(|spec| spec.name.clone()).unwrap_or_default(),
        node_hostname: task.node.and_then(|node| view.node(node)).map(|node| node.description.hostname.clone()).unwrap_or_default(),
        image: spec.map(|spec| spec.task.container.image.clone()).unwrap_or_default(),
        ports: if open.is_empty() { asked() } else { open },
        ..task.into()
    }
}
