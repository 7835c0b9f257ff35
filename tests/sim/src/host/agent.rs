//! The agent's process: all that is gone when it is killed.

use std::collections::{BTreeMap, BTreeSet};

use cluster_task::{Action, Fence, Sequence, Slot};
use cluster_types::{Check, TaskId, TaskStatus, Version, ViewDiff};

use super::ledger::{Contents, Known, Record};
use super::reports::Reports;
use crate::clock::SlewedClock;
use crate::event::Stream;

/// See the module.
pub(crate) struct Agent {
    /// Tells this start from others.
    pub(super) nonce: u64,
    pub(super) clock: SlewedClock,
    pub(super) fence: Fence,
    pub(super) link: Link,
    /// Who is asked next.
    pub(super) named: Option<usize>,
    pub(super) failures: u32,
    /// How often in a row a leader said that the node was removed.
    pub(super) removals: u32,
    pub(super) reports: Reports,
    pub(super) slots: BTreeMap<TaskId, Slot>,
    /// Containers that no record knows.
    pub(super) strays: BTreeSet<TaskId>,
    pub(super) ready: BTreeSet<TaskId>,
    pub(super) unsaved: Vec<Record>,
    pub(super) unsaved_matters: bool,
    /// What is being saved, with what follows.
    pub(super) round: Option<Round>,
    pub(super) is_woken: bool,
    pub(super) incarnation: u64,
    /// Views that the data path has not taken in yet.
    pub(super) views: Vec<ViewDiff>,
    /// What the data path has, for the session to acknowledge.
    pub(super) viewed: Option<Version>,
    /// When all containers are looked at.
    pub(super) survey_at: u64,
    pub(super) report_at: Option<u64>,
}

/// How it stands with the managers.
pub(crate) enum Link {
    /// It waits until then.
    Searches(u64),
    /// It has said hello and waits for the answer, at most until then.
    Opens {
        stream: Stream,
        until: u64,
    },
    Open(Open),
}

/// An open session.
pub(crate) struct Open {
    pub(crate) stream: Stream,
    pub(crate) sequence: Sequence,
    pub(crate) period: u64,
    pub(crate) silent_at: u64,
    pub(crate) beat_at: u64,
}

/// What came of stepping the tasks that were ready.
#[derive(Default)]
pub(super) struct Round {
    pub(super) records: Vec<Record>,
    pub(super) statuses: Vec<(TaskId, TaskStatus)>,
    pub(super) actions: Vec<(TaskId, Action)>,
    pub(super) probes: Vec<(TaskId, Check)>,
    pub(super) is_durable: bool,
}

impl Agent {
    pub(super) fn new(nonce: u64, clock: SlewedClock, fence: Fence) -> Self {
        Self {
            nonce,
            clock,
            fence,
            link: Link::Searches(0),
            named: None,
            failures: 0,
            removals: 0,
            reports: Reports::default(),
            slots: BTreeMap::new(),
            strays: BTreeSet::new(),
            ready: BTreeSet::new(),
            unsaved: Vec::new(),
            unsaved_matters: false,
            round: None,
            is_woken: false,
            incarnation: fence.incarnation,
            views: Vec::new(),
            viewed: None,
            survey_at: 0,
            report_at: None,
        }
    }

    /// Takes over from an earlier life of the agent.
    pub(super) fn adopt(&mut self, contents: Contents, mut present: BTreeSet<TaskId>, boot: u64) {
        let rebooted = contents.boot != 0 && contents.boot != boot;
        for (task, Known { assignment, memory }) in contents.tasks {
            let mut slot = Slot::adopted(assignment, memory, present.remove(&task));
            if rebooted && slot.mark_rebooted() {
                self.unsaved.push(Record::Remembered(task, Box::new(slot.memory.clone())));
            }
            if slot.assignment.is_some() {
                self.reports.put(task, &slot.memory.status);
            }
            self.slots.insert(task, slot);
            self.ready.insert(task);
        }
        self.strays = present;
        if contents.boot != boot {
            self.unsaved.push(Record::Boot(boot));
            self.unsaved_matters = true;
        }
    }

    pub(crate) fn stream(&self) -> Option<Stream> {
        match &self.link {
            Link::Searches(_) => None,
            Link::Opens { stream, .. } => Some(*stream),
            Link::Open(open) => Some(open.stream),
        }
    }

    /// The open session.
    pub(super) fn open(&mut self) -> Option<&mut Open> {
        if let Link::Open(open) = &mut self.link { Some(open) } else { None }
    }

    pub(crate) fn is_in_session(&self) -> bool {
        matches!(self.link, Link::Open(_))
    }

    /// How much waits in it, for the bounds of queues.
    pub(crate) fn waiting(&self) -> usize {
        self.reports.len() + self.views.len() + self.unsaved.len()
    }

    /// What is under way, for people.
    pub(crate) fn does(&self) -> Option<String> {
        let busy = self.slots.values().filter(|slot| slot.busy.is_some()).count();
        let (reports, views) = (self.reports.len(), self.views.len());
        let saves = self.round.is_some();
        let rests = (busy, reports, views, saves) == (0, 0, 0, false) && self.is_in_session();
        (!rests).then(|| {
            let session = if self.is_in_session() { "a" } else { "no" };
            format!("has {session} session, {busy} busy tasks, {reports} reports and {views} views under way, and saves: {saves}")
        })
    }
}
