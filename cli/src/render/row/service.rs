//! Lines of `service ls`.

use cluster_types::{ServiceMode, UpdateState};
use serde_json::{Value, json};

use super::{Row, ports, short};
use crate::model::{ServiceView, TaskView};

/// A service in a list. Of jobs and of services that are updated the tasks are known too.
#[derive(Debug, Clone)]
pub(crate) struct ServiceRow {
    view: ServiceView,
    tasks: Vec<TaskView>,
}

/// The line about something that is not as the spec of a service wants it.
pub(crate) fn warning(name: &str, trouble: &str) -> String {
    format!("warning: {name}: {}", trouble.lines().collect::<Vec<_>>().join("; "))
}

/// One word for how a service is, and for an update that goes on how far it is.
pub(crate) fn state(view: &ServiceView, tasks: &[TaskView]) -> String {
    let of = |word: &str| {
        let (done, all) = updated(view, tasks);
        format!("{word} {done}/{all}")
    };
    match view.service.update.as_ref().map(|update| update.state) {
        _ if view.spec().mode.is_job() => job(view).to_owned(),
        Some(UpdateState::Updating) => of("updating"),
        Some(UpdateState::RollbackStarted) => of("rolling back"),
        Some(UpdateState::Canary) => "canary".to_owned(),
        Some(UpdateState::Paused) => "paused".to_owned(),
        Some(UpdateState::RollbackPaused) => "rollback paused".to_owned(),
        _ if view.running < view.goal() => "degraded".to_owned(),
        Some(UpdateState::RollbackCompleted) => "rolled back".to_owned(),
        Some(UpdateState::Completed) | None => "ok".to_owned(),
    }
}

/// Whether [`state`] and the counts want to know the tasks.
pub(crate) fn wants_tasks(view: &ServiceView) -> bool {
    view.spec().mode.is_job() || view.service.update.as_ref().is_some_and(|update| update.state.is_running())
}

fn job(view: &ServiceView) -> &'static str {
    match view.service.job.as_ref() {
        Some(job) if job.iteration > 0 && job.ended.is_none() => "running",
        Some(job) if job.next.is_some() => "scheduled",
        Some(job) if job.ended.is_some() => "ended",
        Some(_) | None => "waiting",
    }
}

/// How many tasks of the update run, of how many.
fn updated(view: &ServiceView, tasks: &[TaskView]) -> (u64, u64) {
    let Some(update) = &view.service.update else { return (0, 0) };
    let new = |view: &&TaskView| view.task.is_wanted() && view.task.status.is_serving() && view.task.spec_version >= update.target;
    let all = if update.places == 0 { view.goal() } else { update.places };
    (all.min(tasks.iter().filter(new).count() as u64), all)
}

impl ServiceRow {
    pub(crate) fn new(view: ServiceView, tasks: Vec<TaskView>) -> Self {
        Self { view, tasks }
    }

    /// As docker: of a job also how many completed.
    fn replicas(&self) -> String {
        let running = self.view.running;
        let (completed, wanted) = self.view.completions(&self.tasks);
        match self.view.spec().mode {
            ServiceMode::Replicated { .. } | ServiceMode::Global => format!("{running}/{}", self.view.goal()),
            ServiceMode::ReplicatedJob { max_concurrent, .. } => format!("{running}/{max_concurrent} ({completed}/{wanted} completed)"),
            ServiceMode::GlobalJob => format!("{running}/{wanted} ({completed}/{wanted} completed)"),
        }
    }
}

impl Row for ServiceRow {
    const HEADINGS: &'static [&'static str] = &["ID", "NAME", "MODE", "REPLICAS", "STATE", "IMAGE", "PORTS"];

    fn id(&self) -> String {
        self.view.service.id.to_string()
    }

    fn cells(&self, no_trunc: bool) -> Vec<String> {
        let spec = self.view.spec();
        let most = spec.task.placement.max_per_node;
        let most = if most == 0 { String::new() } else { format!(" (max {most} per node)") };
        vec![
            short(&self.id(), no_trunc),
            spec.name.clone(),
            spec.mode.word().to_owned(),
            format!("{}{most}", self.replicas()),
            state(&self.view, &self.tasks),
            spec.task.container.image.clone(),
            ports(&self.view.service.endpoint.ports),
        ]
    }

    fn json(&self) -> Value {
        let spec = self.view.spec();
        json!({
            "ID": self.id(),
            "Name": spec.name,
            "Mode": spec.mode.word(),
            "Replicas": self.replicas(),
            "State": state(&self.view, &self.tasks),
            "Image": spec.task.container.image,
            "Ports": ports(&self.view.service.endpoint.ports),
        })
    }
}
