//! Lines of `service ps` and `node ps`: the newest task of each slot, its history below it.

use std::cmp::Reverse;

use cluster_types::{HealthState, TaskState, Timestamp};
use serde_json::{Value, json};

use super::{Row, capital, ports, short};
use crate::model::TaskView;
use crate::render::age;

/// A task in a list.
#[derive(Debug, Clone)]
pub(crate) struct TaskRow {
    view: TaskView,
    /// Whether a newer task of the same slot stands above it.
    old: bool,
    now: Timestamp,
}

impl TaskRow {
    /// The lines of some tasks, by service and slot, newest first.
    pub(crate) fn rows(mut views: Vec<TaskView>, now: Timestamp) -> Vec<Self> {
        views.sort_by_cached_key(|view| (place(view), Reverse((view.task.meta.created, view.task.id))));
        let mut rows: Vec<Self> = Vec::with_capacity(views.len());
        for view in views {
            let old = rows.last().is_some_and(|above| place(&above.view) == place(&view));
            rows.push(Self { view, old, now });
        }
        rows
    }

    /// The task's state and since when.
    fn current(&self) -> String {
        let status = &self.view.task.status;
        let health = self.health().map(|word| format!(" ({word})")).unwrap_or_default();
        let state = format!("{} {}", capital(status.state.word()), age::ago(status.at, self.now).to_lowercase());
        format!("{}{health}", state.trim_end())
    }

    /// As `docker ps` has it, while the container is up.
    fn health(&self) -> Option<&'static str> {
        let status = &self.view.task.status;
        let up = matches!(status.state, TaskState::Starting | TaskState::Running);
        let health = status.health.as_ref().filter(|_| up)?;
        Some(match health.state {
            HealthState::Starting => "starting",
            HealthState::Healthy if health.ready => "healthy",
            HealthState::Healthy => "not ready",
            HealthState::Unhealthy => "unhealthy",
        })
    }

    fn error(&self) -> String {
        error(&self.view)
    }
}

/// Tasks of one place come one after the other: a slot, or a node for a global service.
fn place(view: &TaskView) -> (String, u64, String) {
    let node = if view.task.slot == 0 { view.task.node.map(|node| node.to_string()).unwrap_or_default() } else { String::new() };
    (view.service_name.clone(), view.task.slot, node)
}

/// Why a task is not where it should be: its error, or how its container ended.
pub(crate) fn error(view: &TaskView) -> String {
    let status = &view.task.status;
    let container = status.container.as_ref();
    let exit = container.and_then(|container| container.exit_code).filter(|code| *code != 0);
    let oom = container.is_some_and(|container| container.oom_killed);
    match (&status.error, exit) {
        (Some(error), _) => error.clone(),
        (None, Some(code)) if oom => format!("out of memory: exit code {code}"),
        (None, Some(code)) if status.state == TaskState::Failed => format!("exit code {code}"),
        (None, _) => String::new(),
    }
}

impl Row for TaskRow {
    const HEADINGS: &'static [&'static str] = &["ID", "NAME", "IMAGE", "NODE", "DESIRED STATE", "CURRENT STATE", "ERROR", "PORTS"];

    fn id(&self) -> String {
        self.view.task.id.to_string()
    }

    fn cells(&self, no_trunc: bool) -> Vec<String> {
        vec![
            short(&self.id(), no_trunc),
            format!("{}{}", if self.old { r" \_ " } else { "" }, self.view.name()),
            self.view.image.clone(),
            self.view.node_hostname.clone(),
            capital(self.view.task.desired.word()),
            self.current(),
            self.error().lines().collect::<Vec<_>>().join("; "),
            ports(&self.view.open_ports()),
        ]
    }

    /// What it printed before it failed: of the newest task of a place, and of all with whole texts.
    fn below(&self, no_trunc: bool) -> Vec<String> {
        let status = &self.view.task.status;
        let shown = no_trunc || !self.old;
        let probe = status.health.as_ref().filter(|health| health.state == HealthState::Unhealthy).map(|health| health.output.as_str());
        let texts = status.output.as_deref().into_iter().chain(probe).filter(|_| shown);
        texts.flat_map(str::lines).map(|line| format!("    | {line}")).collect()
    }

    fn json(&self) -> Value {
        let status = &self.view.task.status;
        json!({
            "Health": self.health(),
            "ExitCode": status.container.as_ref().and_then(|container| container.exit_code),
            "Output": status.output,
            "ID": self.id(),
            "Name": self.view.name(),
            "Image": self.view.image,
            "Node": self.view.node_hostname,
            "DesiredState": capital(self.view.task.desired.word()),
            "CurrentState": self.current(),
            "Error": self.error(),
            "Ports": ports(&self.view.open_ports()),
        })
    }
}
