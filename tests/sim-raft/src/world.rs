//! All managers of one seed, the network and disks between them, and what has been seen of them. Nothing is awaited under its lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster_raft::types::LogId;
use cluster_raft::{Leadership, Timing};
use cluster_seeds::{Chance, Trace, Violation};
use cluster_types::{ClusterId, RequestId};
use openraft::network::RPCTypes;
use openraft::{Config as Settings, SnapshotPolicy};

use crate::checks::{Checks, Found, Seen};
use crate::disk::{End, SimDisk};
use crate::fault::{Class, Fired};
use crate::manager::{Process, Raft};
use crate::platform::now;
use crate::weather::Weather;

/// A manager's machine.
struct Machine {
    disk: SimDisk,
    /// Its process; one that has ended stays here until the next.
    running: Option<(Raft, Process)>,
    is_starting: bool,
}

/// See the module.
pub(crate) struct World {
    settings: Arc<Settings>,
    pub(crate) managers: u64,
    inner: Mutex<Inner>,
}

pub(crate) struct Inner {
    pub(crate) chance: Chance,
    pub(crate) trace: Trace,
    pub(crate) weather: Weather,
    pub(crate) checks: Checks,
    pub(crate) fired: Fired,
    pub(crate) violation: Option<Violation>,
    pub(crate) acknowledgements: u64,
    pub(crate) reads: u64,
    machines: Vec<Machine>,
}

impl World {
    pub(crate) fn new(seed: u64, aloud: bool) -> Arc<Self> {
        let mut chance = Chance::new(seed, 0);
        let managers = if chance.percent(50) { 3 } else { 5 };
        let machine = |id: u64| Machine { disk: SimDisk::new(Chance::new(seed, u128::from(id))), running: None, is_starting: false };
        let settings = settings(&mut chance);
        let inner = Inner {
            chance,
            trace: Trace::new(aloud),
            weather: Weather::default(),
            checks: Checks::default(),
            fired: Fired::default(),
            violation: None,
            acknowledgements: 0,
            reads: 0,
            machines: (1..=managers).map(machine).collect(),
        };
        Arc::new(Self { settings, managers, inner: Mutex::new(inner) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.clone()
    }

    pub(crate) fn say(&self, text: &str) {
        self.lock().trace.say(now(), text);
    }

    pub(crate) fn chance<T>(&self, draw: impl FnOnce(&mut Chance) -> T) -> T {
        draw(&mut self.lock().chance)
    }

    pub(crate) fn fired(&self, class: Class) {
        self.lock().fired(class);
    }

    pub(crate) fn violated(&self, invariant: &'static str, text: String) {
        self.lock().found(Err((invariant, text)));
    }

    /// When each copy of a message arrives.
    pub(crate) fn send(&self, from: u64, to: u64, action: &RPCTypes) -> Vec<Duration> {
        let inner = &mut *self.lock();
        inner.trace.mix(from << 8 | to);
        inner.trace.mix(u64::from(matches!(action, RPCTypes::Vote)));
        let (weather, chance) = (&inner.weather, &mut inner.chance);
        if weather.is_cut(from, to) {
            return Vec::new();
        }
        let lost = chance.percent(weather.loss);
        let doubled = !lost && chance.percent(weather.doubled);
        let copies = if lost { 0 } else { 1 + u32::from(doubled) };
        let delays = (0..copies).map(|_| weather.delay(chance)).collect();
        let is_late = weather.late > 0;
        for (class, fires) in [(Class::Loss, lost), (Class::Duplicate, doubled), (Class::Delay, is_late && !lost)] {
            if fires {
                inner.fired(class);
            }
        }
        delays
    }

    /// When an answer arrives, if it does.
    pub(crate) fn answer(&self, from: u64, to: u64) -> Option<Duration> {
        let inner = &mut *self.lock();
        if inner.weather.is_cut(from, to) {
            return None;
        }
        if inner.chance.percent(inner.weather.loss) {
            inner.fired(Class::Loss);
            return None;
        }
        Some(inner.weather.delay(&mut inner.chance))
    }

    pub(crate) fn is_cut(&self, from: u64, to: u64) -> bool {
        self.lock().weather.is_cut(from, to)
    }

    pub(crate) fn delivered(&self, from: u64, to: u64) {
        let nanos = u64::try_from(now().as_nanos()).unwrap_or(u64::MAX);
        let trace = &mut self.lock().trace;
        trace.mix(nanos);
        trace.mix(from << 8 | to);
    }

    pub(crate) fn sync_time(&self, manager: u64) -> Duration {
        let inner = &mut *self.lock();
        inner.weather.sync_time(manager, &mut inner.chance)
    }

    /// A manager's process, when it runs.
    pub(crate) fn running(&self, id: u64) -> Option<(Raft, Process)> {
        self.lock().machine(id).running.clone().filter(|(_, process)| process.is_alive())
    }

    /// The managers that run.
    pub(crate) fn alive(&self) -> Vec<(Raft, Process)> {
        (1..=self.managers).filter_map(|id| self.running(id)).collect()
    }

    /// The manager that leads, as it says itself.
    pub(crate) fn leader(&self) -> Option<(Raft, Process)> {
        self.alive().into_iter().find(|(raft, _)| raft.is_leader())
    }

    /// The handle for a new process, unless one runs or starts.
    pub(crate) fn start(&self, id: u64) -> Option<SimDisk> {
        let mut inner = self.lock();
        let machine = inner.machine(id);
        let runs = machine.running.as_ref().is_some_and(|(_, process)| process.is_alive());
        if runs || machine.is_starting {
            return None;
        }
        machine.is_starting = true;
        machine.running = None;
        Some(machine.disk.start())
    }

    pub(crate) fn started(&self, id: u64, raft: Raft, process: Process) {
        let inner = &mut *self.lock();
        inner.trace.say(now(), &format!("manager {id} runs"));
        inner.machine(id).running = Some((raft, process));
    }

    /// A start has ended, well or not.
    pub(crate) fn start_ended(&self, id: u64) {
        self.lock().machine(id).is_starting = false;
    }

    pub(crate) fn disk(&self, id: u64) -> SimDisk {
        self.lock().machine(id).disk.clone()
    }

    pub(crate) fn end(&self, id: u64, how: End) {
        self.say(&format!("manager {id} ends: {how:?}"));
        self.disk(id).end(how);
    }

    pub(crate) fn applied(&self, manager: u64, seen: Seen) {
        let inner = &mut *self.lock();
        inner.trace.mix(seen.id.index << 8 | manager);
        inner.trace.mix(seen.hash.unwrap_or_default());
        let found = inner.checks.applied(manager, seen);
        inner.found(found);
    }

    pub(crate) fn restored(&self, manager: u64, upto: Option<LogId>, hash: u64) {
        let inner = &mut *self.lock();
        let found = inner.checks.restored(manager, upto, hash);
        inner.found(found);
    }

    pub(crate) fn leads(&self, manager: u64, seen: Leadership, elected: bool) {
        let inner = &mut *self.lock();
        if elected {
            let ready = if seen.is_self_and_ready { ", ready" } else { "" };
            inner.trace.say(now(), &format!("manager {manager} leads in term {}{ready}", seen.term));
        }
        let found = inner.checks.leads(manager, &seen, elected);
        inner.found(found);
    }

    /// A client was told that its request is done.
    pub(crate) fn acknowledged(&self, id: LogId, request: RequestId) {
        let inner = &mut *self.lock();
        inner.acknowledgements += 1;
        let found = inner.checks.acknowledged(id, request);
        inner.found(found);
        let majority = usize::try_from(self.managers / 2 + 1).unwrap_or(usize::MAX);
        let holders = inner.machines.iter().filter(|machine| crate::durable::holds(&machine.disk, id)).take(majority).count();
        if holders < majority {
            let text = format!("a client was told that its request is {id}, which is durable on {holders} of {} managers", self.managers);
            inner.found(Err(("I1", text)));
        }
    }

    /// Lets go of all processes: they hold the world, and it holds them.
    pub(crate) fn clear(&self) {
        let ended: Vec<_> = self.lock().machines.iter_mut().map(|machine| machine.running.take()).collect();
        drop(ended);
    }
}

impl Inner {
    fn machine(&mut self, id: u64) -> &mut Machine {
        let last = self.machines.len() - 1;
        let place = usize::try_from(id - 1).unwrap_or(last).min(last);
        &mut self.machines[place]
    }

    pub(crate) fn fired(&mut self, class: Class) {
        self.fired[class as usize] += 1;
    }

    /// The first violation counts: what follows may come of it.
    pub(crate) fn found(&mut self, found: Found) {
        if let Err((invariant, text)) = found
            && self.violation.is_none()
        {
            self.trace.say(now(), &text);
            self.violation = Some(Violation { invariant, text });
        }
    }

    pub(crate) fn lost_bytes(&self) -> u64 {
        self.machines.iter().map(|machine| machine.disk.lost_bytes()).sum()
    }
}

/// The product's settings, but for how often snapshots are made: so often that a short life has many.
fn settings(chance: &mut Chance) -> Arc<Settings> {
    let entries = chance.within(20..=150);
    let product = Timing::default().settings(&ClusterId::from_bits(1)).unwrap_or_default();
    Arc::new(Settings {
        snapshot_policy: SnapshotPolicy::LogsSinceLast(entries),
        max_in_snapshot_log_to_keep: chance.below(entries),
        purge_batch_size: 1 + chance.below(10),
        replication_lag_threshold: 2 * entries,
        ..product
    })
}
