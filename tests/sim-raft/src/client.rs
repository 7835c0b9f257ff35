//! Clients: each wants one thing after another of the managers, and asks again with the same key when it hears nothing.

use std::sync::Arc;
use std::time::Duration;

use cluster_raft::Timing;
use cluster_raft::types::Command;
use cluster_seeds::Chance;
use cluster_state::View;
use cluster_types::{Author, Change, Entry, EntryMode, Object, ObjectKey, RequestId, Service, ServiceMode, ServiceSpec, Timestamp};
use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, RaftError};

use crate::fault::Class;
use crate::platform::{now, sleep, within};
use crate::world::World;

/// Services that there may be at once.
const SERVICES: u64 = 8;
/// How often a client asks for the same.
const TRIES: u32 = 20;
/// An hour, in milliseconds.
const HOUR: u64 = 3_600_000;

/// Lives until the weather is fair.
pub(crate) async fn live(world: Arc<World>) {
    loop {
        let pause = world.chance(|chance| chance.millis(1..=150));
        sleep(pause).await;
        if world.lock().weather.is_fair {
            return;
        }
        if world.chance(|chance| chance.percent(15)) {
            read(&world).await;
        } else {
            write(&world).await;
        }
    }
}

/// One request, asked until it is done or the client gives up. Gives whether it is done.
pub(crate) async fn write(world: &World) -> bool {
    let Some((_, process)) = any(world) else { return false };
    let view = process.publisher.view();
    let (entry, jumped) = world.chance(|chance| wish(&view, chance));
    if jumped {
        world.fired(Class::ClockJump);
    }
    let Ok(command) = Command::encode(&entry) else { return false };
    let mut named = None;
    for _ in 0..TRIES {
        match ask(world, named.take(), &command, entry.request).await {
            Answer::Done => return true,
            Answer::Ask(other) => named = other,
        }
        let pause = world.chance(|chance| chance.millis(5..=200));
        sleep(pause).await;
    }
    false
}

enum Answer {
    Done,
    /// Again, and there if it is known where.
    Ask(Option<u64>),
}

async fn ask(world: &World, named: Option<u64>, command: &Command, request: RequestId) -> Answer {
    let manager = named.unwrap_or_else(|| world.chance(|chance| chance.within(1..=world.managers)));
    let Some((raft, process)) = world.running(manager) else { return Answer::Ask(None) };
    let written = within(Timing::default().propose, raft.client_write(command.clone())).await;
    if !process.is_alive() {
        return Answer::Ask(None);
    }
    match written {
        Some(Ok(written)) => {
            world.acknowledged(written.log_id, request);
            Answer::Done
        }
        Some(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward) | ClientWriteError::LogEntryDiscarded(forward)))) => {
            Answer::Ask(forward.leader_id)
        }
        Some(Err(_)) | None => Answer::Ask(None),
    }
}

/// A read that a manager confirms by asking the others.
async fn read(world: &World) {
    let Some((raft, process)) = any(world) else { return };
    let before = world.lock().checks.acknowledged;
    let confirmed = within(Duration::from_secs(2), raft.ensure_linearizable(ReadPolicy::ReadIndex)).await;
    if matches!(confirmed, Some(Ok(_))) && process.is_alive() {
        let inner = &mut *world.lock();
        inner.reads += 1;
        let found = inner.checks.read(process.id, before);
        inner.found(found);
    }
}

fn any(world: &World) -> Option<(crate::manager::Raft, crate::manager::Process)> {
    let id = world.chance(|chance| chance.within(1..=world.managers));
    world.running(id)
}

/// What a client thinks of, in view of what there is, and whether its clock has jumped.
fn wish(view: &View, chance: &mut Chance) -> (Entry, bool) {
    let name = format!("service-{}", chance.below(SERVICES));
    let change = match view.service_by_name(&name) {
        None => Change::Create(Object::Service(Arc::new(Service::new(chance.id(), spec(&name, chance), Author::default())))),
        Some(service) if chance.percent(10) => Change::Remove { key: ObjectKey::Service(service.id), expect: Some(service.meta.version) },
        Some(service) => {
            let mut next = Service::clone(service);
            edit(Arc::make_mut(&mut next.spec), chance);
            Change::Update { object: Object::Service(Arc::new(next)), expect: service.meta.version }
        }
    };
    let jumped = chance.percent(3);
    let millis = u64::try_from(now().as_millis()).unwrap_or_default();
    // An hour ahead, so that a clock can be behind, too.
    let at = Timestamp(millis + if jumped { chance.below(2 * HOUR) } else { HOUR });
    let entry = Entry { request: chance.id(), at, mode: EntryMode::Atomic, changes: vec![change] };
    (entry, jumped)
}

fn spec(name: &str, chance: &mut Chance) -> ServiceSpec {
    let mut spec = ServiceSpec { name: name.to_owned(), ..ServiceSpec::default() };
    edit(&mut spec, chance);
    spec
}

/// Another scale, another image, and now and then so many labels that a segment is soon full.
fn edit(spec: &mut ServiceSpec, chance: &mut Chance) {
    match chance.below(10) {
        0..=4 => spec.mode = ServiceMode::Replicated { replicas: chance.below(50) },
        5..=7 => spec.task.container.image = format!("web:{}", chance.below(100)),
        _ => {
            let length = usize::try_from(chance.within(1..=1_500)).unwrap_or(1);
            spec.labels.insert("note".to_owned(), "x".repeat(length));
        }
    }
}
