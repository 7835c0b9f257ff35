//! What a reader sees of a state: one short text for each thing, without ids; and how one picture differs from the one before.

use std::collections::BTreeMap;

use cluster_decide::{drain_progress, job_progress};
use cluster_state::View;
use cluster_types::{Availability, DesiredState, Node, NodeState, ObjectKey, Service, ServiceId, Task, TaskState, Timestamp};

/// A line about each thing that there is.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture(BTreeMap<(Subject, ObjectKey), String>);

/// In this order they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Node,
    /// By service and slot, the older first.
    Task(ServiceId, u64, Timestamp),
    Job,
    Update,
}

impl Picture {
    /// Of all that there is.
    pub(super) fn of(view: &View) -> Self {
        let nodes = view.nodes().map(|node| ((Subject::Node, ObjectKey::Node(node.id)), describe_node(view, node)));
        let tasks = view.tasks().map(|task| ((subject(task), ObjectKey::Task(task.id)), describe_task(view, task)));
        let jobs =
            view.services().filter_map(|service| Some(((Subject::Job, ObjectKey::Service(service.id)), describe_job(view, service)?)));
        let updates =
            view.services().filter_map(|service| Some(((Subject::Update, ObjectKey::Service(service.id)), describe_update(service)?)));
        Self(nodes.chain(tasks).chain(jobs).chain(updates).collect())
    }

    /// What is new or other than in the picture before. Tasks that have ended are forgotten without a word.
    pub(super) fn since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a String> {
        self.0.iter().filter(|(key, text)| before.0.get(key) != Some(text)).map(|(_, text)| text)
    }
}

/// The tasks of a service that have not ended, as the picture has them.
pub(super) fn tasks(view: &View, service: &Service) -> Vec<String> {
    let mut tasks: Vec<&Task> = view.tasks_of_service(service.id).map(|task| &**task).collect();
    tasks.retain(|task| !task.status.state.is_terminal());
    tasks.sort_by_key(|task| subject(task));
    tasks.into_iter().map(|task| describe_task(view, task)).collect()
}

fn subject(task: &Task) -> Subject {
    Subject::Task(task.service, task.slot, task.meta.created)
}

fn describe_node(view: &View, node: &Node) -> String {
    let name = &node.description.hostname;
    match (node.status.state, node.spec.availability) {
        (NodeState::Ready, Availability::Active) => format!("{name}: ready"),
        (NodeState::Ready, Availability::Pause) => format!("{name}: paused"),
        (NodeState::Ready, Availability::Drain) => match drain_progress(view, node.id).left {
            0 => format!("{name}: drained"),
            left => format!("{name}: drains, {left} left"),
        },
        (state @ (NodeState::Down | NodeState::Disconnected | NodeState::Unknown), _) => format!("{name}: {}", state_of(state)),
    }
}

fn state_of(state: NodeState) -> &'static str {
    match state {
        NodeState::Ready => "ready",
        NodeState::Down => "down",
        NodeState::Disconnected => "disconnected",
        NodeState::Unknown => "unknown",
    }
}

fn describe_task(view: &View, task: &Task) -> String {
    let service = view.service(task.service).map_or("?", |service| &service.spec.name);
    let name = if task.slot == 0 { service.to_owned() } else { format!("{service}.{}", task.slot) };
    let image = view.spec_of(task).map_or("?", |spec| &spec.task.container.image);
    let Some(node) = task.node.and_then(|node| view.node(node)) else {
        let why = task.status.error.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        return format!("{name}: {} {image}{why}", task.status.state);
    };
    let is_down = node.status.state == NodeState::Down;
    format!("{name} on {}: {} {image}", node.description.hostname, word(task, is_down))
}

/// What a task does, in the word that matters to who waits for it.
fn word(task: &Task, is_down: bool) -> &'static str {
    match (task.status.state, task.desired) {
        (TaskState::Shutdown, _) => "stopped",
        (state, _) if state.is_terminal() => state.word(),
        (_, DesiredState::Shutdown | DesiredState::Remove) if is_down => "given up",
        _ if is_down => "awaited",
        (_, DesiredState::Shutdown | DesiredState::Remove) => "stopping",
        (TaskState::Running, _) => "running",
        (_, DesiredState::Ready) if task.not_before.is_some() => "waiting to start",
        (TaskState::Ready, DesiredState::Ready) => "prepared",
        (_, DesiredState::Ready) => "preparing",
        (_, DesiredState::Running) => "starting",
    }
}

fn describe_job(view: &View, service: &Service) -> Option<String> {
    let (job, progress) = (service.job.as_ref().filter(|job| job.iteration > 0)?, job_progress(view, service)?);
    let is_over = if job.ended.is_some() { ", over" } else { "" };
    Some(format!("{}: run {}: {} of {} complete{is_over}", service.spec.name, job.iteration, progress.completed, progress.wanted))
}

fn describe_update(service: &Service) -> Option<String> {
    let update = service.update.as_ref()?;
    let detail = if update.detail().is_empty() { String::new() } else { format!(": {}", update.detail()) };
    Some(format!("{}: update {}{detail}", service.spec.name, update.state.word()))
}
