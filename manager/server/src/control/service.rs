//! Services: create, update, remove, list.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster_api::convert::FieldError;
use cluster_api::pb;
use cluster_api::status::{ApiError, Kind, code};
use cluster_decide::job_progress;
use cluster_decide::validate::{self, Problem};
use cluster_state::View;
use cluster_types::{
    Author, Change, Object, ObjectKey, Revision, Service, ServiceId, ServiceMode, ServiceSpec, ServiceStep, Task, Version, limits,
};

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
        acceptable(&view, &spec, None)?;
    }
    let service = Service::new(id, spec, author(request.message)?);
    let view = core.propose(key, vec![Change::Create(Object::Service(Arc::new(service)))]).await?;
    Ok(pb::CreateServiceResponse { service: Some(created(&view, id)?) })
}

/// Another spec for a service.
pub(super) async fn update(core: &Core, key: Key, request: pb::UpdateServiceRequest) -> Result<pb::UpdateServiceResponse, ApiError> {
    let spec = spec(request.spec)?;
    let view = core.read_current().await?;
    let service = reference::service(&view, &request.reference)?;
    acceptable(&view, &spec, Some(service))?;
    let expect = if request.expect == 0 { service.meta.version } else { Version(request.expect) };
    let id = service.id;
    let object = Object::Service(Arc::new(Service::new(id, spec, author(request.message)?)));
    let view = core.propose(key, vec![Change::Update { object, expect }]).await?;
    Ok(pb::UpdateServiceResponse { service: Some(created(&view, id)?) })
}

/// Back to an earlier spec of its history. Number 0 is the revision before the current one.
pub(super) async fn roll_back(core: &Core, key: Key, request: pb::RollBackServiceRequest) -> Result<pb::RollBackServiceResponse, ApiError> {
    let view = core.read_current().await?;
    let service = reference::service(&view, &request.reference)?;
    let id = service.id;
    if view.request(key.request()).is_none() {
        let to = revision(service, request.to)?;
        let step = ServiceStep::RollBack { from: service.spec_version, to, author: author(request.message)? };
        let view = core.propose(key, vec![Change::Service(id, step)]).await?;
        return Ok(pb::RollBackServiceResponse { service: Some(created(&view, id)?) });
    }
    Ok(pb::RollBackServiceResponse { service: Some(created(&view, id)?) })
}

fn revision(service: &Service, number: u64) -> Result<Version, ApiError> {
    let earlier = || service.history.iter().rev().skip(1);
    let found = match number {
        0 => earlier().next(),
        number => earlier().find(|revision| revision.number == number),
    };
    found.map(|revision| revision.spec_version).ok_or_else(|| {
        let name = &service.spec.name;
        let message = match number {
            0 => format!("service `{name}` has no earlier revision to go back to"),
            number => format!("service `{name}` has no earlier revision {number}"),
        };
        ApiError::new(Kind::NotFound, code::NOT_FOUND, message).hint(format!("`cluster service history {name}` lists its revisions"))
    })
}

/// Pauses, resumes or promotes the update that is under way.
pub(super) async fn steer(core: &Core, key: Key, request: pb::SteerUpdateRequest) -> Result<pb::SteerUpdateResponse, ApiError> {
    let steer = pb::Steer::try_from(request.steer).map_err(|_| FieldError::new("steer", "is not a known value"))?.into();
    let view = core.read_current().await?;
    let service = reference::service(&view, &request.reference)?;
    let id = service.id;
    let view = core.propose(key, vec![Change::Service(id, ServiceStep::Steer(service.spec_version, steer))]).await?;
    Ok(pb::SteerUpdateResponse { service: Some(created(&view, id)?) })
}

/// Who asks: whoever holds the daemon's socket is the operator.
fn author(message: String) -> Result<Author, ApiError> {
    if message.len() > limits::NOTE_BYTES {
        let reason = format!("is {} bytes long: at most {} are kept", message.len(), limits::NOTE_BYTES);
        return Err(FieldError::new("message", reason).into());
    }
    Ok(Author { by: "operator".to_owned(), message })
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
    let running = tasks().filter(|task| task.status.is_serving()).count();
    let wanted = match service.spec.mode {
        ServiceMode::Replicated { replicas } => replicas,
        ServiceMode::ReplicatedJob { max_concurrent, .. } => max_concurrent,
        ServiceMode::Global | ServiceMode::GlobalJob => tasks().filter_map(|task| task.node).collect::<BTreeSet<_>>().len() as u64,
    };
    let serves = |task: &&Arc<Task>, target| task.status.is_serving() && task.spec_version >= target;
    let updated = service.update.as_ref().map_or(0, |update| tasks().filter(|task| serves(task, update.target)).count());
    let progress = job_progress(view, service);
    let progress = progress.map(|job| pb::JobProgress { completed: job.completed, running: job.running, wanted: job.wanted });
    let port_conflicts = conflicts.of_service(service);
    let (running, updated) = (running as u64, updated as u64);
    pb::Service { running, wanted, updated, port_conflicts, progress, history: history(view, service), ..service.into() }
}

/// The revisions with the images of their specs.
fn history(view: &View, service: &Service) -> Vec<pb::Revision> {
    let image = |version| view.spec(service.id, version).map(|spec| spec.task.container.image.clone()).unwrap_or_default();
    let message = |revision: &Revision| pb::Revision { image: image(revision.spec_version), ..revision.into() };
    service.history.iter().map(message).collect()
}

fn created(view: &View, id: ServiceId) -> Result<pb::Service, ApiError> {
    let service = view.service(id).ok_or_else(|| ApiError::not_found("service", &id.to_string()))?;
    Ok(message(view, service, &Conflicts::of(view)))
}

/// Whether a spec may be that of a new service, or the next one of a service.
pub(super) fn acceptable(view: &View, spec: &ServiceSpec, of: Option<&Service>) -> Result<(), ApiError> {
    let mut problems = of.map_or_else(|| validate::service(spec), |service| validate::update(&service.spec, spec));
    problems.extend(validate::service_in(view, spec, of.map(|service| service.id)));
    sound(problems)?;
    if of.is_none() { free(view, &spec.name) } else { Ok(()) }
}

pub(super) fn spec(spec: Option<pb::ServiceSpec>) -> Result<ServiceSpec, ApiError> {
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
