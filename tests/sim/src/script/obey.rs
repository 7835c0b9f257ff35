//! What each command asks of the cluster, and what is told of it.

use std::sync::Arc;

use cluster_decide::{rebalance, validate};
use cluster_types::{
    Author, Change, EntryMode, Node, NodeSpec, NodeStatus, NodeStep, Object, Service, ServiceId, ServiceMode, ServiceSpec, ServiceStep,
    TaskState,
};

use super::command::Command;
use super::stage::Stage;
use super::{agents, options, picture};

/// Does what a command says. That the cluster refuses it is an outcome, not an error.
pub(super) fn obey(stage: &mut Stage, command: Command) -> Result<Vec<String>, String> {
    match command {
        Command::Tick(turns) => stage.tick(turns).map(or_nothing),
        Command::Settle => stage.settle().map(or_nothing),
        Command::Wait(time) => stage.wait(time).map(or_nothing),
        Command::Nodes(count, labels) => stage.join(count, &labels).map(|()| Vec::new()),
        Command::Tasks(name) => Ok(picture::tasks(&stage.view(), &*stage.service(&name)?)),
        Command::Rebalance => even_out(stage).map(or_nothing),
        other => {
            let change = change(stage, other)?;
            let refusal = judge(&change).and_then(|()| stage.propose(vec![change], EntryMode::Atomic)).err();
            Ok(refusal.map_or_else(|| stage.news(), |reason| vec![format!("refused: {reason}")]))
        }
    }
}

/// That nothing happened is worth a word.
fn or_nothing(story: Vec<String>) -> Vec<String> {
    if story.is_empty() { vec!["(nothing moves)".to_owned()] } else { story }
}

/// What the control service would propose.
fn change(stage: &Stage, command: Command) -> Result<Change, String> {
    match command {
        Command::Create(name, said) => {
            let id = ServiceId::from_bits(1 + stage.view().service_count() as u128);
            let mut spec = options::blank(&name);
            options::say(&mut spec, &said)?;
            Ok(Change::Create(Object::Service(Arc::new(Service::new(id, spec, Author::default())))))
        }
        Command::Update(name, said) => respec(&*stage.service(&name)?, |spec| options::say(spec, &said)),
        Command::Scale(name, count) => respec(&*stage.service(&name)?, |spec| scale(spec, count)),
        Command::Rollback(name) => roll_back(&*stage.service(&name)?),
        Command::Steer(name, steer) => {
            let service = stage.service(&name)?;
            Ok(Change::Service(service.id, ServiceStep::Steer(service.spec_version, steer)))
        }
        Command::Availability(name, availability) => {
            let mut node = Node::clone(&*stage.node(&name)?);
            node.spec = NodeSpec { availability, ..node.spec };
            Ok(Change::Update { expect: node.meta.version, object: Object::Node(Arc::new(node)) })
        }
        Command::Node(name, state) => {
            let status = NodeStatus { state, since: stage.now, ..NodeStatus::default() };
            Ok(Change::Node(stage.node(&name)?.id, NodeStep::Status(status)))
        }
        Command::Fail(name, slot) => fail(stage, &name, slot),
        told @ (Command::Tick(_) | Command::Settle | Command::Wait(_) | Command::Nodes(..) | Command::Tasks(_) | Command::Rebalance) => {
            Err(format!("{told:?} changes no one thing"))
        }
    }
}

/// Whether the spec makes sense.
fn judge(change: &Change) -> Result<(), String> {
    let (Change::Create(Object::Service(service)) | Change::Update { object: Object::Service(service), .. }) = change else {
        return Ok(());
    };
    validate::service(&service.spec).first().map_or(Ok(()), |problem| Err(problem.to_string()))
}

fn respec(service: &Service, change: impl FnOnce(&mut ServiceSpec) -> Result<(), String>) -> Result<Change, String> {
    let mut spec = ServiceSpec::clone(&service.spec);
    change(&mut spec)?;
    let object = Object::Service(Arc::new(Service { spec: Arc::new(spec), ..service.clone() }));
    Ok(Change::Update { object, expect: service.meta.version })
}

fn scale(spec: &mut ServiceSpec, count: u64) -> Result<(), String> {
    let ServiceMode::Replicated { replicas } = &mut spec.mode else { return Err("only replicated services are scaled".to_owned()) };
    *replicas = count;
    Ok(())
}

fn roll_back(service: &Service) -> Result<Change, String> {
    let earlier = service.history.iter().rev().nth(1).ok_or("there is no earlier revision")?;
    let step = ServiceStep::RollBack { from: service.spec_version, to: earlier.spec_version, author: Author::default() };
    Ok(Change::Service(service.id, step))
}

fn fail(stage: &Stage, name: &str, slot: u64) -> Result<Change, String> {
    let (view, service) = (stage.view(), stage.service(name)?);
    let task = view.tasks_of_slot(service.id, slot).find(|task| task.is_wanted() && task.status.state == TaskState::Running);
    let report = task.and_then(|task| agents::report(task, TaskState::Failed, stage.now));
    report.ok_or_else(|| format!("no task {name}.{slot} runs"))
}

fn even_out(stage: &mut Stage) -> Result<Vec<String>, String> {
    let view = stage.view();
    let moves = rebalance::plan(&view, stage.now, None);
    let host = |id| view.node(id).map_or("?", |node| node.description.hostname.as_str());
    let describe = |step: &rebalance::Move| {
        let (service, task) = (view.service(step.service)?, view.task(step.task)?);
        Some(format!("{} is to move from {} to {}", task.name(&service.spec.name), host(step.from), host(step.to)))
    };
    let told = moves.iter().filter_map(describe).collect();
    stage.propose(moves.iter().map(rebalance::Move::change).collect(), EntryMode::Each)?;
    Ok(told)
}
