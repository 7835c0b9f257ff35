//! One seed: a group begins, lives through faults, and must be well again when they have ended.

use std::sync::Arc;
use std::time::Duration;

use cluster_seeds::{Config, Report, Row};
use openraft::AsyncRuntime;
use openraft_rt_sim::SimRuntime;

use crate::fault::Class;
use crate::platform::{now, sleep, spawn};
use crate::world::World;
use crate::{client, faults, manager};

/// Clients at once.
const CLIENTS: u64 = 4;
/// Virtual time within which everything must be well after the last fault. The longest: a start that waits for 4 s, a slow sync, elections.
const HEALS: Duration = Duration::from_secs(20);
/// Virtual time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Lives a seed.
pub(crate) fn run(seed: u64, config: Config) -> Report {
    let world = World::new(seed, config.aloud);
    let mut runtime = SimRuntime::with_seed(seed);
    let (millis, healed_in) = runtime.block_on(live(world.clone(), Duration::from_secs(config.seconds)));
    world.clear();
    drop(runtime);
    let inner = world.lock();
    Report {
        simulator: crate::SIMULATOR.name,
        seed,
        end: format!("virtual second {}", millis / 1_000),
        rows: vec![
            Row::sum("virtual minutes", millis).per(60_000),
            Row::sum("entries", inner.checks.entries()),
            Row::sum("acknowledged writes", inner.acknowledgements),
            Row::sum("confirmed reads", inner.reads),
            Row::sum("terms with a leader", inner.checks.terms()),
            // openraft allows it.
            Row::sum("terms with two elected", inner.checks.shared_terms()),
            Row::sum("bytes lost to cuts", inner.lost_bytes()),
            Row::most("longest to heal, ms", healed_in),
        ],
        faults: Row::faults(Class::WORDS, &inner.fired),
        violation: inner.violation.clone(),
        trace: inner.trace.clone(),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

async fn live(world: Arc<World>, span: Duration) -> (u64, u64) {
    (1..=world.managers).for_each(|id| spawn(faults::keep(world.clone(), id)));
    begin(&world).await;
    (0..CLIENTS).for_each(|_| spawn(client::live(world.clone())));
    spawn(faults::live(world.clone()));
    while now() < span && world.lock().violation.is_none() {
        sleep(LOOK).await;
    }
    let ends = now();
    if world.lock().violation.is_none() {
        clear_up(&world);
        heal(&world, ends + HEALS).await;
    }
    (millis(now()), millis(now() - ends))
}

/// Waits for the first leader.
async fn begin(world: &World) {
    while world.leader().is_none() && world.lock().violation.is_none() {
        if let Some((raft, _)) = world.running(1) {
            manager::begin(&raft, world.managers).await;
        }
        sleep(LOOK).await;
    }
}

fn clear_up(world: &World) {
    world.say("the faults end");
    world.lock().weather.clear_up();
    // A fuse that was lit and has not burnt is a fault to come.
    (1..=world.managers).for_each(|id| world.disk(id).put_out());
}

/// Waits until a write works and all managers have applied it, and nothing is left to apply.
async fn heal(world: &World, deadline: Duration) {
    let mut wrote = false;
    while world.lock().violation.is_none() {
        wrote = wrote || client::write(world).await;
        if wrote && is_well(world) {
            return;
        }
        if now() > deadline {
            let alive: Vec<u64> = world.alive().iter().map(|(_, process)| process.id).collect();
            let text = format!("{:?} after the last fault: write {wrote}, managers {alive:?}, {}", HEALS, picture(world));
            world.violated("healed", text);
            return;
        }
        sleep(LOOK).await;
    }
}

fn picture(world: &World) -> String {
    let checks = &world.lock().checks;
    let applied: Vec<u64> = (1..=world.managers).map(|id| checks.index_of(id)).collect();
    format!("applied {applied:?}, acknowledged {}", checks.acknowledged)
}

/// One leader, whom all name, and the same applied everywhere: with what [`crate::checks`] looks at, the same state.
fn is_well(world: &World) -> bool {
    use openraft::async_runtime::WatchReceiver;
    let alive = world.alive();
    let named: Vec<_> = alive.iter().map(|(raft, _)| raft.metrics().borrow_watched().current_leader).collect();
    let leaders = alive.iter().filter(|(raft, _)| raft.is_leader()).count();
    let inner = world.lock();
    let applied: Vec<u64> = (1..=world.managers).map(|id| inner.checks.index_of(id)).collect();
    alive.len() as u64 == world.managers
        && leaders == 1
        && named.iter().all(|leader| leader.is_some() && *leader == named[0])
        && applied.iter().all(|index| *index == applied[0] && *index >= inner.checks.acknowledged)
}
