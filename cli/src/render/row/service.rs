//! Lines of `service ls`.

use cluster_types::{ServiceMode, UpdateState};
use serde_json::{Value, json};

use super::{Row, ports, short};
use crate::model::ServiceView;

/// A service in a list.
#[derive(Debug, Clone)]
pub(crate) struct ServiceRow(pub(crate) ServiceView);

/// The line about something that is not as the spec of a service wants it.
pub(crate) fn warning(name: &str, trouble: &str) -> String {
    format!("warning: {name}: {}", trouble.lines().collect::<Vec<_>>().join("; "))
}

/// One word for how a service is, and for an update that goes on how far it is.
pub(crate) fn state(view: &ServiceView) -> String {
    let places = view.service.update.as_ref().map(|update| update.places).filter(|places| *places > 0);
    let all = places.unwrap_or_else(|| view.goal());
    let done = view.updated.min(all);
    match view.service.update.as_ref().map(|update| update.state) {
        _ if view.spec().mode.is_job() => job(view).to_owned(),
        Some(UpdateState::Updating) => format!("updating {done}/{all}"),
        Some(UpdateState::RollbackStarted) => format!("rolling back {done}/{all}"),
        Some(UpdateState::Canary) => "canary".to_owned(),
        Some(UpdateState::Paused) => "paused".to_owned(),
        Some(UpdateState::RollbackPaused) => "rollback paused".to_owned(),
        _ if view.running < view.goal() => "degraded".to_owned(),
        Some(UpdateState::RollbackCompleted) => "rolled back".to_owned(),
        Some(UpdateState::Completed) | None => "ok".to_owned(),
    }
}

fn job(view: &ServiceView) -> &'static str {
    match view.service.job.as_ref() {
        Some(job) if job.iteration > 0 && job.ended.is_none() => "running",
        Some(job) if job.next.is_some() => "scheduled",
        Some(job) if job.ended.is_some() => "ended",
        Some(_) | None => "waiting",
    }
}

impl ServiceRow {
    /// As docker: of a job also how many completed.
    fn replicas(&self) -> String {
        let running = self.0.running;
        let (completed, wanted) = self.0.completions;
        match self.0.spec().mode {
            ServiceMode::Replicated { .. } | ServiceMode::Global => format!("{running}/{}", self.0.goal()),
            ServiceMode::ReplicatedJob { max_concurrent, .. } => format!("{running}/{max_concurrent} ({completed}/{wanted} completed)"),
            ServiceMode::GlobalJob => format!("{running}/{wanted} ({completed}/{wanted} completed)"),
        }
    }
}

impl Row for ServiceRow {
    const HEADINGS: &'static [&'static str] = &["ID", "NAME", "MODE", "REPLICAS", "STATE", "IMAGE", "PORTS"];

    fn id(&self) -> String {
        self.0.service.id.to_string()
    }

    fn cells(&self, no_trunc: bool) -> Vec<String> {
        let spec = self.0.spec();
        let most = spec.task.placement.max_per_node;
        let most = if most == 0 { String::new() } else { format!(" (max {most} per node)") };
        vec![
            short(&self.id(), no_trunc),
            spec.name.clone(),
            spec.mode.word().to_owned(),
            format!("{}{most}", self.replicas()),
            state(&self.0),
            spec.task.container.image.clone(),
            ports(&self.0.service.endpoint.ports),
        ]
    }

    fn json(&self) -> Value {
        let spec = self.0.spec();
        json!({
            "ID": self.id(),
            "Name": spec.name,
            "Mode": spec.mode.word(),
            "Replicas": self.replicas(),
            "State": state(&self.0),
            "Image": spec.task.container.image,
            "Ports": ports(&self.0.service.endpoint.ports),
        })
    }
}
