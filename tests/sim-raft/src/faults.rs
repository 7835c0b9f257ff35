//! What goes wrong, when, and for how long.

use std::sync::Arc;
use std::time::Duration;

use crate::disk::End;
use crate::fault::Class;
use crate::manager;
use crate::platform::{sleep, spawn};
use crate::world::World;

/// Makes faults until the weather is fair.
pub(crate) async fn live(world: Arc<World>) {
    loop {
        // Often one fault comes on top of another, and sometimes all is well for a while.
        let pause = world.chance(|chance| if chance.percent(50) { chance.millis(1..=300) } else { chance.millis(300..=4_000) });
        sleep(pause).await;
        if world.lock().weather.is_fair {
            return;
        }
        fault(&world);
    }
}

fn fault(world: &Arc<World>) {
    let manager = world.chance(|chance| chance.within(1..=world.managers));
    let leader = world.leader().map(|(_, process)| process.id);
    let target = if world.chance(|chance| chance.percent(40)) { leader.unwrap_or(manager) } else { manager };
    match world.chance(|chance| chance.below(20)) {
        0..=2 => storm(world),
        3 | 4 => cut(world, target),
        5 | 6 => partition(world, target),
        7 | 8 => leader.into_iter().for_each(|leader| end(world, leader, Class::LeaderKill)),
        9 => end(world, manager, Class::Kill),
        10 | 11 => end(world, target, Class::PowerCut),
        12 => blackout(world),
        13 | 14 => light(world, target, Class::KillInWrite),
        15 | 16 => light(world, target, Class::PowerCutInWrite),
        17 | 18 => slow(world, target),
        _ => transfer(world, manager),
    }
}

/// Undoes a fault after a while, unless all faults have ended by then.
fn later(world: &Arc<World>, most: u64, undo: impl FnOnce(&Arc<World>) + Send + 'static) {
    let world = world.clone();
    let span = world.chance(|chance| chance.millis(100..=most));
    spawn(async move {
        sleep(span).await;
        if !world.lock().weather.is_fair {
            undo(&world);
        }
    });
}

fn storm(world: &Arc<World>) {
    let (kind, strength) = world.chance(|chance| (chance.below(3), chance.within(5..=60)));
    world.say(&format!("storm {kind} of {strength}"));
    let weather = &mut world.lock().weather;
    match kind {
        0 => weather.loss = strength,
        1 => weather.doubled = strength,
        _ => weather.late = strength * 10,
    }
    later_storm(world, kind);
}

fn later_storm(world: &Arc<World>, kind: u64) {
    // The weather is locked by who calls: the task begins after.
    let world = world.clone();
    spawn(async move {
        let span = world.chance(|chance| chance.millis(300..=5_000));
        sleep(span).await;
        let weather = &mut world.lock().weather;
        match kind {
            0 => weather.loss = 0,
            1 => weather.doubled = 0,
            _ => weather.late = 0,
        }
    });
}

/// One manager no longer hears another, or any, or is no longer heard.
fn cut(world: &Arc<World>, manager: u64) {
    let others = others(world, manager);
    let one = world.chance(|chance| if chance.percent(50) { chance.pick(&others).map(|other| vec![other]) } else { None });
    let hears = world.chance(|chance| chance.percent(50));
    let ways = one.unwrap_or(others).into_iter().map(|other| if hears { (other, manager) } else { (manager, other) }).collect();
    cut_ways(world, Class::OneWayCut, ways, 5_000);
}

/// Some managers and the others hear nothing of each other.
fn partition(world: &Arc<World>, manager: u64) {
    let others = others(world, manager);
    let mut inside = vec![manager];
    inside.extend(others.into_iter().filter(|_| world.chance(|chance| chance.percent(30))));
    let all = 1..=world.managers;
    let across = |from: u64, to: u64| inside.contains(&from) != inside.contains(&to);
    let ways = all.clone().flat_map(|from| all.clone().map(move |to| (from, to))).filter(|(from, to)| across(*from, *to)).collect();
    cut_ways(world, Class::Partition, ways, 6_000);
}

fn others(world: &World, manager: u64) -> Vec<u64> {
    (1..=world.managers).filter(|other| *other != manager).collect()
}

fn cut_ways(world: &Arc<World>, class: Class, ways: Vec<(u64, u64)>, most: u64) {
    world.say(&format!("{}: {ways:?}", class.word()));
    world.fired(class);
    world.lock().weather.cut(&ways);
    later(world, most, move |world| world.lock().weather.mend(&ways));
}

fn end(world: &Arc<World>, manager: u64, class: Class) {
    if world.running(manager).is_none() {
        return;
    }
    world.fired(class);
    world.end(manager, if class == Class::PowerCut { End::PowerCut } else { End::Kill });
}

fn blackout(world: &Arc<World>) {
    world.fired(Class::Blackout);
    (1..=world.managers).for_each(|manager| world.end(manager, End::PowerCut));
}

fn light(world: &Arc<World>, manager: u64, class: Class) {
    let operation = world.chance(|chance| u32::try_from(chance.below(8)).unwrap_or(0));
    world.say(&format!("{} of manager {manager} at operation {operation}", class.word()));
    world.disk(manager).light(operation, if class == Class::KillInWrite { End::Kill } else { End::PowerCut });
    world.fired(class);
}

fn slow(world: &Arc<World>, manager: u64) {
    let most = world.chance(|chance| chance.within(50..=1_500));
    world.say(&format!("the disk of manager {manager} takes up to {most} ms"));
    world.fired(Class::SlowDisk);
    world.lock().weather.slow.insert(manager, most);
    later(world, 5_000, move |world| _ = world.lock().weather.slow.remove(&manager));
}

fn transfer(world: &Arc<World>, to: u64) {
    let Some((raft, process)) = world.leader() else { return };
    world.say(&format!("manager {} is asked to hand the lead to {to}", process.id));
    world.fired(Class::Transfer);
    spawn(async move { drop(raft.trigger().transfer_leader(to).await) });
}

/// Starts again, after a while, what has ended; and looks whether what runs is well.
pub(crate) async fn keep(world: Arc<World>, id: u64) {
    loop {
        sleep(Duration::from_millis(10)).await;
        if let Some((raft, process)) = world.running(id) {
            look(&world, &raft, &process);
            continue;
        }
        let pause = world.chance(|chance| if chance.percent(50) { chance.millis(1..=100) } else { chance.millis(100..=4_000) });
        sleep(pause).await;
        if let Some(disk) = world.start(id) {
            manager::start(world.clone(), id, disk).await;
            world.start_ended(id);
        }
    }
}

fn look(world: &World, raft: &manager::Raft, process: &manager::Process) {
    use openraft::async_runtime::WatchReceiver;
    let metrics = raft.metrics();
    let stopped = metrics.borrow_watched().running_state.as_ref().err().map(ToString::to_string);
    if let Some(why) = stopped
        && process.is_alive()
    {
        world.violated("raft", format!("manager {} has stopped: {why}", process.id));
    }
}
