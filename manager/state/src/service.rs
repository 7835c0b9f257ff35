//! The steps of a service, and its history of specs. Called by [`crate::apply`] on a copy of the object; an error is the reason of the
//! rejection.
//!
//! Any difference moves the spec version, a mere change of the replicas too: the rollout compares task templates, so tasks of an older
//! version with the same template stay.

use std::sync::Arc;

use cluster_types::{Author, JobStatus, Revision, Service, ServiceSpec, ServiceStep, Steer, UpdateState, UpdateStatus, Version, limits};

use crate::revisions::Revisions;
use crate::table::Stamp;

/// One step of a service. `revisions` has the specs that it can go back to.
pub(crate) fn step(service: &mut Service, step: &ServiceStep, revisions: &Revisions, stamp: Stamp) -> Result<(), String> {
    match step {
        ServiceStep::Update(status) => {
            is_current(service, status.target)?;
            has_seen(service, status)?;
            service.update = Some(status.clone());
        }
        ServiceStep::Endpoint(endpoint) => service.endpoint = endpoint.clone(),
        ServiceStep::RollBack { from, to, author } => {
            is_current(service, *from)?;
            let spec = revisions.get(service.id, *to).ok_or_else(|| format!("spec version {} is not in its history", to.0))?;
            roll_back(service, *to, &Arc::clone(spec), author, stamp)?;
            // A job has no update: the spec that comes back begins another run.
            service.update = service.update.take().filter(|_| !service.spec.mode.is_job());
        }
        ServiceStep::Steer(target, steer) => {
            is_current(service, *target)?;
            steer_update(service, *steer, stamp)?;
        }
        ServiceStep::Job(job) => job_goes_on(service, job)?,
    }
    Ok(())
}

fn is_current(service: &Service, version: Version) -> Result<(), String> {
    if version == service.spec_version {
        return Ok(());
    }
    Err(format!("the update to spec version {} is out of date: {} is current", version.0, service.spec_version.0))
}

/// What a user told the update holds: a rollout that had not seen it yet looks again.
fn has_seen(service: &Service, status: &UpdateStatus) -> Result<(), String> {
    let steered = service.update.as_ref().map_or(Version::default(), |update| update.steered);
    if status.steered == steered {
        return Ok(());
    }
    Err(format!("the update was steered at {}, and this status has seen {}", steered.0, status.steered.0))
}

/// Another spec of a service, by its author. The same spec again changes nothing.
pub(crate) fn respec(service: &mut Service, spec: &Arc<ServiceSpec>, author: &Author, stamp: Stamp) -> Result<(), String> {
    if spec.name != service.spec.name {
        return Err(format!("the name cannot change from `{}` to `{}`", service.spec.name, spec.name));
    }
    if *spec == service.spec {
        return Ok(());
    }
    revise(service, spec, author, None, stamp)
}

/// The first entry of a new service's history.
pub(crate) fn first_revision(author: &Author, stamp: Stamp) -> Vec<Revision> {
    vec![Revision { number: 1, spec_version: stamp.index, at: stamp.at, author: author.clone(), restores: None }]
}

fn revise(service: &mut Service, spec: &Arc<ServiceSpec>, author: &Author, restores: Option<u64>, stamp: Stamp) -> Result<(), String> {
    if service.spec_version == stamp.index {
        return Err("its spec has been written by this very entry".to_owned());
    }
    let number = service.history.last().map_or(1, |last| last.number + 1);
    service.history.push(Revision { number, spec_version: stamp.index, at: stamp.at, author: author.clone(), restores });
    let superfluous = service.history.len().saturating_sub(limits::REVISIONS);
    service.history.drain(..superfluous);
    service.author = author.clone();
    service.spec_version = stamp.index;
    service.spec = Arc::clone(spec);
    Ok(())
}

/// The number of tasks is not taken back: scaling and rolling back are different wishes. The rollback goes by the config of the spec that
/// it leaves.
fn roll_back(service: &mut Service, to: Version, spec: &Arc<ServiceSpec>, author: &Author, stamp: Stamp) -> Result<(), String> {
    let restores = service.history.iter().find(|revision| revision.spec_version == to).map(|revision| revision.number);
    let restores = restores.ok_or_else(|| format!("spec version {} is not in its history", to.0))?;
    let spec = Arc::new(ServiceSpec { mode: service.spec.mode, ..ServiceSpec::clone(spec) });
    if spec == service.spec {
        return Err(format!("it is as revision {restores} was already"));
    }
    let (left, config) = (service.spec_version, service.spec.rollback);
    revise(service, &spec, author, Some(restores), stamp)?;
    let why = if author.message.is_empty() { String::new() } else { format!(": {}", author.message) };
    service.update = Some(UpdateStatus {
        state: UpdateState::RollbackStarted,
        target: service.spec_version,
        started: stamp.at,
        not_before: Some(stamp.at),
        message: format!("rolling back to revision {restores}{why}"),
        progressed: stamp.at,
        base: left,
        config: Some(config),
        counted: stamp.index,
        forgiven: stamp.index,
        steered: stamp.index,
        ..UpdateStatus::default()
    });
    Ok(())
}

fn steer_update(service: &mut Service, steer: Steer, stamp: Stamp) -> Result<(), String> {
    use UpdateState::{Canary, Paused, RollbackPaused, RollbackStarted, Updating};
    let current = service.spec_version;
    let Some(update) = service.update.as_mut().filter(|update| update.target == current) else {
        return Err("there is no update to its spec".to_owned());
    };
    let state = match (steer, update.state) {
        (Steer::Pause, Updating | Canary) => Paused,
        (Steer::Pause, RollbackStarted) => RollbackPaused,
        (Steer::Resume, Paused) => Updating,
        (Steer::Resume, RollbackPaused) => RollbackStarted,
        (Steer::Promote, Canary) => Updating,
        (Steer::Pause | Steer::Resume | Steer::Promote, state) => return Err(format!("the update is {}", state.word())),
    };
    update.message = match steer {
        Steer::Pause => "paused by a user",
        Steer::Resume => "resumed by a user",
        Steer::Promote => "promoted by a user",
    }
    .to_owned();
    update.state = state;
    update.steered = stamp.index;
    update.promoted |= steer == Steer::Promote;
    if steer != Steer::Pause {
        (update.progressed, update.not_before) = (stamp.at, Some(stamp.at));
    }
    if steer == Steer::Resume {
        (update.failed, update.counted, update.forgiven) = (0, stamp.index, stamp.index);
    }
    Ok(())
}

/// A run goes forward only: what is settled stays settled, for the tasks that say so may be gone already.
fn job_goes_on(service: &mut Service, job: &JobStatus) -> Result<(), String> {
    let found = service.job.clone().unwrap_or_default();
    if job.iteration < found.iteration {
        return Err(format!("run {} has begun and never goes back to {}", found.iteration, job.iteration));
    }
    let settled = |job: &JobStatus| job.settled.count_to(u64::MAX);
    if job.iteration == found.iteration && (settled(job) < settled(&found) || (job.ended.is_none() && found.ended.is_some())) {
        return Err(format!("more of run {} is done than that says", found.iteration));
    }
    service.job = Some(job.clone());
    Ok(())
}
