//! Services: create, update, remove, list.

use std::sync::Arc;

use cluster_api::convert::FieldError;
use cluster_api::pb;
use cluster_api::status::{ApiError, Kind, code};
use cluster_decide::validate::{self, Problem};
use cluster_state::View;
use cluster_types::{Change, Endpoint, Meta, Object, ObjectKey, Service, ServiceId, ServiceMode, ServiceSpec, TaskState, Version};

use super::conflicts::Conflicts;
use super::{needed, page, reference};
use crate::core::{Core, Freshness};
use crate::request::Key;

/// A new service. Its name must be free, its spec must make sense.
pub(super) async fn create(core: &Core, key: Key, request: pb::CreateServiceRequest) -> Result<pb::CreateServiceResponse, ApiError> {
    let spec = spec(request.spec)?;
    let view = core.read_current().await?;
    let id: ServiceId = key.made();
    let done = view.service(id).is_some();
    if !done {
        let mut problems = validate::service(&spec);
        problems.extend(validate::service_in(&view, &spec, None));
        sound(problems)?;
        free(&view, &spec.name)?;
    }
    let service = Service {
        meta: Meta::default(),
        id,
        spec: Arc::new(spec),
        spec_version: Version(0),
        previous_version: None,
        update: None,
        endpoint: Endpoint::default(),
    };
    let view = core.propose(key, vec![Change::Create(Object::Service(Arc::new(service)))]).await?;
    Ok(pb::CreateServiceResponse { service: Some(created(&view, id)?) })
}

/// Another spec for a service.
pub(super) async fn update(core: &Core, key: Key, request: pb::UpdateServiceRequest) -> Result<pb::UpdateServiceResponse, ApiError> {
    let spec = spec(request.spec)?;
    let view = core.read_current().await?;
    let service = reference::service(&view, &request.reference)?;
    let mut problems = validate::update(&service.spec, &spec);
    problems.extend(validate::service_in(&view, &spec, Some(service.id)));
    sound(problems)?;
    let expect = if request.expect == 0 { service.meta.version } else { Version(request.expect) };
    let object = Object::Service(Arc::new(Service { spec: Arc::new(spec), ..Service::clone(service) }));
    let id = service.id;
    let view = core.propose(key, vec![Change::Update { object, expect }]).await?;
    Ok(pb::UpdateServiceResponse { service: Some(created(&view, id)?) })
}

/// Removes a service; its tasks are stopped and removed by the deciders.
pub(super) async fn remove(core: &Core, key: Key, request: pb::RemoveServiceRequest) -> Result<pb::RemoveServiceResponse, ApiError> {
    let view = core.read_current().await?;
    let id = match reference::service(&view, &request.reference) {
        Ok(service) => service.id,
        Err(error) if error.kind == Kind::NotFound && view.request(key.request()).is_some() => {
            return Ok(pb::RemoveServiceResponse { id: request.reference });
        }
        Err(error) => return Err(error),
    };
    core.propose(key, vec![Change::Remove { key: ObjectKey::Service(id), expect: None }]).await?;
    Ok(pb::RemoveServiceResponse { id: id.to_string() })
}

/// All services by id, or one.
pub(super) async fn list(core: &Core, request: pb::ListServicesRequest) -> Result<(pb::ListServicesResponse, Freshness), ApiError> {
    let after = page::after::<ServiceId>(&request.page_token)?;
    let (view, freshness) = core.read().await;
    let conflicts = Conflicts::of(&view);
    let message = |service: &Arc<Service>| (service.id, message(&view, service, &conflicts));
    let page = if request.reference.is_empty() {
        page::cut(view.services().skip_while(|service| after.is_some_and(|after| service.id <= after)).map(message))
    } else {
        page::cut(std::iter::once(message(reference::service(&view, &request.reference)?)))
    };
    Ok((pb::ListServicesResponse { services: page.items, next_page_token: page.next }, freshness))
}

/// A service with what only the leader counts.
fn message(view: &View, service: &Service, conflicts: &Conflicts<'_>) -> pb::Service {
    let tasks = || view.tasks_of_service(service.id).filter(|task| task.is_wanted());
    let running = tasks().filter(|task| task.status.state == TaskState::Running).count();
    let wanted = match service.spec.mode {
        ServiceMode::Replicated { replicas } => replicas,
        ServiceMode::Global => tasks().filter_map(|task| task.node).collect::<std::collections::BTreeSet<_>>().len() as u64,
    };
    pb::Service { running: running as u64, wanted, port_conflicts: conflicts.of_service(service), ..service.into() }
}

fn created(view: &View, id: ServiceId) -> Result<pb::Service, ApiError> {
    let service = view.service(id).ok_or_else(|| ApiError::not_found("service", &id.to_string()))?;
    Ok(message(view, service, &Conflicts::of(view)))
}

fn spec(spec: Option<pb::ServiceSpec>) -> Result<ServiceSpec, ApiError> {
    let spec = needed("spec", spec)?;
    Ok(ServiceSpec::try_from(spec).map_err(|error| error.within("spec"))?)
}

/// Every problem at once, with the field that it is in.
fn sound(problems: Vec<Problem>) -> Result<(), ApiError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(problems.into_iter().map(|problem| FieldError::new(problem.field, problem.reason).within("spec")).collect()))
}

/// Said before it is proposed, though apply has the last word: most name clashes are old ones.
fn free(view: &View, name: &str) -> Result<(), ApiError> {
    match view.service_by_name(name) {
        Some(holder) => {
            let message = format!("the name `{name}` is taken by service {}", holder.id.short());
            Err(ApiError::new(Kind::Conflict, code::NAME_TAKEN, message)
                .hint("choose another name, or change that service with `cluster service update`"))
        }
        None => Ok(()),
    }
}
