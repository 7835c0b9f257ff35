//! The worker: one loop that holds every task of the node, steps those that something happened to, and lets the runtime act.
//!
//! A round: step the tasks that are ready, write what came of it to the ledger in one go, then start the actions. While the disk is busy,
//! further events gather, so a thousand assignments cost a few syncs. Actions run beside the loop, a bounded number at a time, one for each
//! task; each ends with a fresh observation. It knows nothing of sessions: it hears [`Command`]s and fills [`Reports`].

mod job;
mod probes;
mod round;
mod slot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster_runtime::{ContainerEvent, Runtime};
use cluster_task::Slot;
use cluster_types::{AssignmentDiff, NodeId, TaskId, Timestamp};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::ledger::{Contents, Ledger, Record};
use crate::reports::Reports;

use job::{Finished, Permits};
use probes::Probed;

/// Pause before something is tried again that the host refused: a list of containers, a look at one, a write to the ledger.
const RETRY: Duration = Duration::from_secs(1);

/// Every container is looked at this often, in case that an event was lost.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What a session tells the worker.
#[derive(Debug)]
pub(crate) enum Command {
    /// A session with a leader is open.
    Opened { incarnation: u64, term: u64, managers: Vec<String> },
    /// What the node is to run.
    Assign(AssignmentDiff),
    /// The node is no longer of the cluster: everything goes.
    Evict,
}

/// What the worker is made from.
pub(crate) struct WorkerConfig {
    pub(crate) node: NodeId,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) ledger: Ledger,
    pub(crate) boot_id: String,
}

pub(crate) struct Worker {
    node: NodeId,
    runtime: Arc<dyn Runtime>,
    clock: Arc<dyn Clock>,
    reports: Arc<Reports>,
    /// None when nothing is to be saved: fake agents.
    ledger: Option<Arc<Mutex<Ledger>>>,
    slots: BTreeMap<TaskId, Slot>,
    /// Containers that the ledger does not know. They stay as they are until a session's first full set says whose they are.
    strays: BTreeSet<TaskId>,
    /// Tasks to look at in the next round.
    ready: BTreeSet<TaskId>,
    wakes: BTreeSet<(Timestamp, TaskId)>,
    jobs: JoinSet<Finished>,
    /// Checks that run inside containers. Beside the jobs: a slow check holds up nothing else, not even of its own container.
    probes: JoinSet<Probed>,
    permits: Permits,
    unsaved: Vec<Record>,
    unsaved_matters: bool,
    incarnation: u64,
}

impl Worker {
    /// A worker that knows what the ledger says and what the runtime still has. Waits for a runtime that cannot list yet.
    pub(crate) async fn new(config: WorkerConfig) -> Self {
        let contents = config.ledger.contents().clone();
        let mut worker = Self {
            node: config.node,
            permits: Permits::default(),
            runtime: config.runtime,
            clock: config.clock,
            reports: config.reports,
            ledger: (!config.ledger.is_in_memory()).then(|| Arc::new(Mutex::new(config.ledger))),
            slots: BTreeMap::new(),
            strays: BTreeSet::new(),
            ready: BTreeSet::new(),
            wakes: BTreeSet::new(),
            jobs: JoinSet::new(),
            probes: JoinSet::new(),
            unsaved: Vec::new(),
            unsaved_matters: false,
            incarnation: contents.fence.0,
        };
        let present = worker.list().await;
        worker.adopt(contents, present, &config.boot_id);
        worker
    }

    async fn list(&self) -> BTreeSet<TaskId> {
        loop {
            match self.runtime.list().await {
                Ok(tasks) => return tasks.into_iter().collect(),
                Err(error) => tracing::error!(%error, "the runtime cannot list its containers; trying again"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Takes over from an earlier life of the agent.
    fn adopt(&mut self, contents: Contents, mut present: BTreeSet<TaskId>, boot_id: &str) {
        let rebooted = !contents.boot_id.is_empty() && contents.boot_id != boot_id;
        for (task, known) in contents.tasks {
            let mut slot = Slot::adopted(known.assignment, known.memory, present.remove(&task));
            if rebooted && slot.mark_rebooted() {
                self.unsaved.push(slot::record(&slot, task));
            }
            if slot.assignment.is_some() {
                // Whether the managers have it is not known any more.
                self.reports.put(task, &slot.memory.status);
            }
            self.slots.insert(task, slot);
            self.ready.insert(task);
        }
        tracing::info!(tasks = self.slots.len(), unknown = present.len(), rebooted, "took over the containers of this host");
        self.strays = present;
        if contents.boot_id != boot_id {
            self.save(Record::Boot(boot_id.to_owned()));
        }
    }

    /// Runs until `stop`; containers stay as they are then.
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: CancellationToken) {
        let mut events = self.runtime.events();
        let mut commands_open = true;
        let mut survey = tokio::time::interval_at(tokio::time::Instant::now() + LOOK_AGAIN, LOOK_AGAIN);
        survey.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.round().await;
            let wake = self.until_wake();
            tokio::select! {
                () = stop.cancelled() => break,
                command = commands.recv(), if commands_open => match command {
                    Some(command) => self.hear(command),
                    None => commands_open = false,
                },
                event = events.recv() => self.notice(event).await,
                Some(finished) = self.jobs.join_next(), if !self.jobs.is_empty() => self.take_in(finished),
                Some(probed) = self.probes.join_next(), if !self.probes.is_empty() => self.take_in_probe(probed),
                _ = survey.tick() => self.look_again_at_all(),
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {}
            }
            self.drain(&mut commands, &mut events).await;
        }
        // What was begun may go on in the runtime; its verbs are idempotent.
        self.jobs.abort_all();
        self.probes.abort_all();
    }

    /// Takes in whatever else is there, so that one write to the ledger serves it all.
    async fn drain(&mut self, commands: &mut mpsc::Receiver<Command>, events: &mut broadcast::Receiver<ContainerEvent>) {
        while let Ok(command) = commands.try_recv() {
            self.hear(command);
        }
        while let Some(finished) = self.jobs.try_join_next() {
            self.take_in(finished);
        }
        while let Some(probed) = self.probes.try_join_next() {
            self.take_in_probe(probed);
        }
        loop {
            match events.try_recv() {
                Ok(event) => self.notice(Ok(event)).await,
                Err(broadcast::error::TryRecvError::Lagged(missed)) => {
                    self.notice(Err(broadcast::error::RecvError::Lagged(missed))).await;
                }
                Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed) => return,
            }
        }
    }

    fn hear(&mut self, command: Command) {
        match command {
            Command::Opened { incarnation, term, managers } => self.opened(incarnation, term, managers),
            Command::Assign(diff) => self.assign(diff),
            Command::Evict => self.assign(AssignmentDiff { full: true, ..AssignmentDiff::default() }),
        }
    }

    fn opened(&mut self, incarnation: u64, term: u64, managers: Vec<String>) {
        self.save(Record::Fence(incarnation, term));
        if !managers.is_empty() {
            self.save(Record::Managers(managers));
        }
        if incarnation > self.incarnation {
            // The managers may have lost what they had confirmed.
            self.incarnation = incarnation;
            self.slots.iter().for_each(|(task, slot)| self.reports.put(*task, &slot.memory.status));
        }
    }

    fn assign(&mut self, diff: AssignmentDiff) {
        if diff.full {
            let wanted: BTreeSet<TaskId> = diff.put.iter().map(|assignment| assignment.task).collect();
            let strays = std::mem::take(&mut self.strays);
            for task in strays {
                self.slots.entry(task).or_insert_with(Slot::unseen);
            }
            let gone: Vec<TaskId> = self.slots.keys().filter(|task| !wanted.contains(*task)).copied().collect();
            gone.into_iter().for_each(|task| self.unassign(task));
        }
        for assignment in diff.put {
            let task = assignment.task;
            let stray = self.strays.remove(&task);
            let slot = self.slots.entry(task).or_insert_with(|| if stray { Slot::unseen() } else { Slot::default() });
            if slot.assignment.as_ref() != Some(&assignment) {
                slot.assignment = Some(Arc::clone(&assignment));
                self.save(Record::Assigned(assignment));
                self.ready.insert(task);
            }
        }
        diff.remove.into_iter().for_each(|task| self.unassign(task));
    }

    fn unassign(&mut self, task: TaskId) {
        if let Some(slot) = self.slots.get_mut(&task) {
            slot.assignment = None;
            self.reports.forget(task);
            self.save(Record::Unassigned(task));
            self.ready.insert(task);
        }
    }

    /// A container changed, or the reader was too slow to hear which.
    async fn notice(&mut self, event: Result<ContainerEvent, broadcast::error::RecvError>) {
        match event {
            Ok(event) => self.look_again(event.task),
            Err(broadcast::error::RecvError::Lagged(_)) => self.look_again_at_all(),
            Err(broadcast::error::RecvError::Closed) => {
                tracing::error!("the runtime tells no more events");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    fn look_again_at_all(&mut self) {
        self.slots.values_mut().for_each(|slot| slot.stale = true);
        self.ready.extend(self.slots.keys());
    }

    fn look_again(&mut self, task: TaskId) {
        if let Some(slot) = self.slots.get_mut(&task) {
            slot.stale = true;
            self.ready.insert(task);
        }
    }

    /// How long until a task must be looked at; none when none must.
    fn until_wake(&self) -> Option<Duration> {
        self.wakes.first().map(|(at, _)| at.since(self.clock.now()))
    }

    /// Must be on disk before anything is done about it.
    fn save(&mut self, record: Record) {
        self.unsaved.push(record);
        self.unsaved_matters = true;
    }
}

#[cfg(test)]
mod tests;
