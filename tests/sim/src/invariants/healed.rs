//! I16: some time after the last fault there is one leader, what runs is what is wanted, names and ports lead to what runs, and nothing is
//! left over.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster_decide::liveness::Presence;
use cluster_decide::{Dirty, constraint, network_view, pass};
use cluster_state::{Holder, View};
use cluster_types::{Availability, Node, NodeId, RestartCondition, Service, ServiceMode, Task, TaskId, TaskState, ViewItem, ViewItems};

use super::Found;
use crate::manager::Manager;
use crate::world::World;

/// Looks at everything. What is wrong first.
pub(crate) fn look(world: &World) -> Found {
    one_leader(world)?;
    let leader = world.managers.iter().find(|manager| manager.leader.is_some()).ok_or("nobody leads")?;
    let view = leader.state.view();
    rests(world, leader)?;
    nodes(world, &view)?;
    view.services().try_for_each(|service| as_wanted(&view, service))?;
    view.tasks().try_for_each(|task| has_service(&view, task))?;
    containers(world, &view)?;
    names(world, &view)?;
    nothing_to_decide(leader, &view, world)
}

fn one_leader(world: &World) -> Found {
    let leaders: Vec<usize> = world.managers.iter().filter(|manager| manager.leader.is_some()).map(|manager| manager.id).collect();
    if leaders.len() != 1 {
        return Err(format!("the leaders are {leaders:?}"));
    }
    let behind = world.managers.iter().find(|manager| !manager.is_up || manager.applied != world.managers[leaders[0]].applied);
    behind.map_or(Ok(()), |manager| Err(format!("manager {} is down or behind", manager.id)))
}

fn rests(world: &World, leader: &Manager) -> Found {
    if leader.leader.as_ref().is_none_or(|leader| !leader.rests()) {
        return Err("the leader is busy".to_owned());
    }
    if world.awaits_hosts() || world.clients.iter().any(crate::client::Client::waits) {
        return Err("a client or host waits".to_owned());
    }
    let does = |host: &crate::host::Host| host.agent.as_ref().map_or(Some("is down".to_owned()), crate::host::Agent::does);
    let busy = world.hosts.iter().find_map(|host| does(host).map(|does| (host.index, does)));
    busy.map_or(Ok(()), |(host, does)| Err(format!("agent {host} {does}")))
}

fn nodes(world: &World, view: &View) -> Found {
    let known: BTreeSet<_> = world.hosts.iter().map(|host| host.node).collect();
    let wrong = view.nodes().find(|node| node.status.state != cluster_types::NodeState::Ready || !known.contains(&node.id));
    wrong.map_or(Ok(()), |node| Err(format!("node {} is {:?}", node.description.hostname, node.status.state)))
}

/// A service has as many places as it asks for, each with a task that runs, or has ended for good, or says why it waits.
fn as_wanted(view: &View, service: &Service) -> Found {
    let name = &service.spec.name;
    let held = service.update.as_ref().is_some_and(|update| !update.state.is_completed());
    let wanted: Vec<&Arc<Task>> = view.tasks_of_service(service.id).filter(|task| task.is_wanted()).collect();
    let places: BTreeSet<_> = wanted.iter().map(|task| place(task)).collect();
    let fits = |node: &&Arc<Node>| constraint::unmet(node, &service.spec.task.placement.constraints).is_none();
    let expected = match service.spec.mode {
        ServiceMode::Replicated { replicas } => usize::try_from(replicas).unwrap_or(usize::MAX)..=usize::try_from(replicas).unwrap_or(0),
        ServiceMode::Global => {
            let open = view.nodes().filter(fits).filter(|node| node.takes_tasks()).count();
            // A paused node keeps what it has.
            open..=view.nodes().filter(fits).count()
        }
        ServiceMode::ReplicatedJob { max_concurrent, .. } => return job(service, &wanted, max_concurrent),
        ServiceMode::GlobalJob => return job(service, &wanted, u64::MAX),
    };
    if !expected.contains(&places.len()) {
        return Err(format!("service {name} has {} places instead of {expected:?}", places.len()));
    }
    let moves = wanted.iter().filter(|task| finds_no_room(view, task, &wanted) || is_given_up(service, task, &wanted)).count();
    if wanted.len() > places.len() + moves && !held {
        let words = wanted.iter().map(|task| in_words(view, task)).collect::<Vec<_>>().join(", ");
        return Err(format!("service {name} has {} tasks in {} places: {words}", wanted.len(), places.len()));
    }
    wanted.into_iter().filter(|task| !is_closed(view, task)).try_for_each(|task| as_it_should(service, task, held))
}

/// A slot, or the node of a global service's task.
fn place(task: &Task) -> (u64, Option<NodeId>) {
    (task.slot, task.node.filter(|_| task.slot == 0))
}

/// Whether a task has no node, or none that lets it in, and says why.
fn waits(task: &Task) -> bool {
    task.status.state < TaskState::Assigned && task.status.error.is_some()
}

fn in_words(view: &View, task: &Task) -> String {
    let node = task.node.and_then(|node| view.node(node)).map_or("no node", |node| &node.description.hostname);
    let (state, error) = (task.status.state, task.status.error.as_deref().unwrap_or_default());
    let leaves = if task.relocate { " and leaves it" } else { "" };
    format!("{}.{} {state} {error} on {node}{leaves}", task.id.short(), task.slot)
}

/// A job that goes on has tasks at work, no more than it may.
fn job(service: &Service, wanted: &[&Arc<Task>], most: u64) -> Found {
    let name = &service.spec.name;
    let live = wanted.iter().filter(|task| !task.status.state.is_terminal()).count();
    if live as u64 > most {
        return Err(format!("the job {name} has {live} tasks at work: {most} are allowed"));
    }
    // One on each node waits for its first node.
    let goes_on = service.job.as_ref().is_some_and(|job| job.is_on() && job.wanted > 0);
    if goes_on != (live > 0) { Err(format!("the job {name} goes on: {goes_on}, with {live} tasks at work")) } else { Ok(()) }
}

/// A replacement that finds no room: the task that it is to replace stays, on a node that is drained, until there is some.
fn finds_no_room(view: &View, task: &Task, wanted: &[&Arc<Task>]) -> bool {
    let leaves = |other: &Task| {
        let node = other.node.and_then(|node| view.node(node));
        other.relocate || node.is_some_and(|node| node.spec.availability == Availability::Drain)
    };
    waits(task) && wanted.iter().any(|other| other.id != task.id && other.slot == task.slot && leaves(other))
}

/// A place that an update went on without, such as one of a node that was paused meanwhile: its new task waits beside the old one, which
/// serves until that starts.
fn is_given_up(service: &Service, task: &Task, wanted: &[&Arc<Task>]) -> bool {
    let gave_up = service.update.as_ref().is_some_and(|update| task.meta.created < update.given_up);
    let serves = |other: &Task| place(other) == place(task) && other.spec_version < task.spec_version && other.status.is_serving();
    gave_up && waits(task) && wanted.iter().any(|other| serves(other))
}

/// On a node that is paused, a task of a global service that ended has no successor before the node takes tasks again.
fn is_closed(view: &View, task: &Task) -> bool {
    let node = task.node.and_then(|node| view.node(node));
    task.slot == 0 && task.status.state.is_terminal() && node.is_some_and(|node| !node.takes_tasks())
}

fn as_it_should(service: &Service, task: &Task, held: bool) -> Found {
    let state = task.status.state;
    let policy = &service.spec.task.restart;
    let is_over = state.is_terminal() && (policy.condition != RestartCondition::Any || policy.max_attempts > 0 || held);
    let loops = service.spec.task.container.image.starts_with("done") || task.failures > 0;
    let is_coming = loops && (state.is_terminal() || task.not_before.is_some());
    if state == TaskState::Running || waits(task) || is_over || is_coming || (held && task.desired == cluster_types::DesiredState::Ready) {
        return Ok(());
    }
    Err(format!("task {} of {} is {state}, wanted {}", task.id.short(), service.spec.name, task.desired))
}

fn has_service(view: &View, task: &Task) -> Found {
    if view.service(task.service).is_some() { Ok(()) } else { Err(format!("task {} of a service that is gone is left", task.id.short())) }
}

/// What runs on the hosts is what the state says, and of other tasks nothing is left.
fn containers(world: &World, view: &View) -> Found {
    let mut running: BTreeMap<TaskId, usize> = BTreeMap::new();
    for host in &world.hosts {
        for task in host.runtime.tasks() {
            let known = view.task(task).is_some_and(|task| task.node == Some(host.node));
            if !known {
                return Err(format!("host {} still has something of task {}", host.index, task.short()));
            }
        }
        running.extend(host.runtime.running().map(|(task, _)| (task, host.index)));
    }
    for task in view.tasks() {
        let runs = running.remove(&task.id).is_some();
        if runs != (task.status.state == TaskState::Running) {
            return Err(format!("task {} is {}, and its container runs: {runs}", task.id.short(), task.status.state));
        }
        if runs && !task.is_wanted() {
            return Err(format!("task {} runs and is not wanted", task.id.short()));
        }
    }
    Ok(())
}

/// Every host has the view that it should have.
fn names(world: &World, view: &View) -> Found {
    for host in &world.hosts {
        if host.view != network_view::wanted(view, host.node) {
            return Err(format!("host {} has another network view than it should", host.index));
        }
        let dead = endpoints(&host.view).find(|address| !serves(view, *address));
        if let Some(address) = dead {
            return Err(format!("host {} sends traffic to {address}, where nothing serves", host.index));
        }
    }
    Ok(())
}

fn endpoints(view: &ViewItems) -> impl Iterator<Item = Ipv4Addr> + '_ {
    let services = view.values().filter_map(|item| if let ViewItem::Service(service) = &**item { Some(service) } else { None });
    services.flat_map(|service| service.networks.iter()).flat_map(|network| network.endpoints.iter()).map(|endpoint| endpoint.address)
}

fn serves(view: &View, address: Ipv4Addr) -> bool {
    let task = match view.address_holder(address) {
        Some(Holder::Task(task)) => view.task(task),
        Some(Holder::Service(_)) | None => None,
    };
    task.is_some_and(|task| task.status.is_serving() && task.is_wanted())
}

/// A full pass finds nothing that the leader would have to do.
fn nothing_to_decide(leader: &Manager, view: &View, world: &World) -> Found {
    let now = leader.clock_reading(world.context.now);
    let presence = Presence {
        leader_since: now,
        sessions: view.nodes().map(|node| (node.id, now)).collect(),
        grace: cluster_decide::liveness::grace(view.node_count()),
    };
    let plan = pass(view, now, 0, &Dirty::all(), &presence);
    plan.changes.first().map_or(Ok(()), |change| Err(format!("a full pass would still change something: {change:?}")))
}
