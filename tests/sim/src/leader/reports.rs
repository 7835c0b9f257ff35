//! What nodes report on its way into the log: the newest of each task, batched over all sessions.

use std::collections::{BTreeMap, BTreeSet};

use cluster_types::limits::CHANGES_PER_ENTRY;
use cluster_types::{Change, Entry, EntryMode, NodeId, TaskId, TaskStatus, TaskStep};

use super::Waits;
use crate::context::Context;
use crate::event::{Event, Stream};
use crate::link::DownItem;
use crate::manager::Manager;

/// See the module.
#[derive(Default)]
pub(super) struct Reports {
    nodes: Vec<Change>,
    tasks: BTreeMap<TaskId, (NodeId, TaskStatus)>,
    /// Sessions to tell how many of their statuses are in the log.
    acknowledge: BTreeMap<Stream, u64>,
    /// The proposal that is under way, or is to be made again.
    under_way: Option<UnderWay>,
    is_scheduled: bool,
}

/// What was proposed, and whom to tell.
struct UnderWay {
    changes: Vec<Change>,
    entries: BTreeSet<u64>,
    acknowledge: BTreeMap<Stream, u64>,
}

/// After a proposal that did not get into the log in time.
const RETRY: u64 = 250;

impl Reports {
    pub(super) fn len(&self) -> usize {
        self.nodes.len() + self.tasks.len() + self.acknowledge.len() + usize::from(self.under_way.is_some())
    }
}

impl Manager {
    /// A change of a node.
    pub(super) fn report_node(&mut self, change: Change, context: &mut Context) {
        if let Some(leader) = &mut self.leader {
            leader.reports.nodes.push(change);
        }
        self.schedule_flush(context);
    }

    /// Statuses that a session reported; `received` is how many it has reported in all.
    pub(super) fn report_tasks(
        &mut self,
        from: (Stream, NodeId),
        statuses: Vec<(TaskId, TaskStatus)>,
        received: u64,
        context: &mut Context,
    ) {
        if let Some(leader) = &mut self.leader {
            leader.reports.tasks.extend(statuses.into_iter().map(|(task, status)| (task, (from.1, status))));
            leader.reports.acknowledge.insert(from.0, received);
        }
        self.schedule_flush(context);
    }

    fn schedule_flush(&mut self, context: &mut Context) {
        let Some(leader) = &mut self.leader else { return };
        let reports = &mut leader.reports;
        let waits = !reports.nodes.is_empty() || !reports.acknowledge.is_empty();
        if waits && reports.under_way.is_none() && !reports.is_scheduled {
            reports.is_scheduled = true;
            context.soon(0..=2, Event::Flush { manager: self.id, life: self.life, lead: leader.number });
        }
    }

    /// Proposes what has come in, or once more what was not applied in time.
    pub(crate) fn flush(&mut self, lead: u64, context: &mut Context) {
        let now = self.now(context);
        let Some(leader) = self.leader.as_mut().filter(|leader| leader.number == lead) else { return };
        let reports = &mut leader.reports;
        reports.is_scheduled = false;
        let UnderWay { changes, acknowledge, .. } = reports.under_way.take().unwrap_or_else(|| {
            let mut changes = std::mem::take(&mut reports.nodes);
            let tasks = std::mem::take(&mut reports.tasks);
            changes.extend(tasks.into_iter().map(|(task, (node, status))| Change::Task(task, TaskStep::Report(node, status))));
            UnderWay { changes, entries: BTreeSet::new(), acknowledge: std::mem::take(&mut reports.acknowledge) }
        });
        let mut entries = BTreeSet::new();
        for batch in changes.chunks(CHANGES_PER_ENTRY) {
            let entry = Entry { request: context.chance.id(), at: now, mode: EntryMode::Each, changes: batch.to_vec() };
            entries.extend(self.propose(entry, context));
        }
        let waits: Vec<u64> = entries.iter().copied().collect();
        if let Some(leader) = &mut self.leader {
            leader.reports.under_way = Some(UnderWay { changes, entries, acknowledge });
        }
        if waits.is_empty() {
            self.flushed(0, true, context);
        }
        waits.into_iter().for_each(|index| self.wait_for(index, Waits::Reports, context));
    }

    /// An entry of the proposal is applied, or was not in time: then all is proposed once more.
    pub(super) fn flushed(&mut self, index: u64, is_applied: bool, context: &mut Context) {
        let Some(leader) = &mut self.leader else { return };
        let reports = &mut leader.reports;
        let Some(under_way) = &mut reports.under_way else { return };
        if reports.is_scheduled {
            return;
        }
        if !is_applied {
            reports.is_scheduled = true;
            return context.after(RETRY, Event::Flush { manager: self.id, life: self.life, lead: leader.number });
        }
        under_way.entries.remove(&index);
        if !under_way.entries.is_empty() {
            return;
        }
        let acknowledge = std::mem::take(&mut under_way.acknowledge);
        reports.under_way = None;
        for (stream, received) in acknowledge {
            let Some(session) = leader.sessions.get_mut(&stream).filter(|session| session.committed < received) else { continue };
            session.committed = received;
            context.say_down(stream, session.stamp, DownItem::Committed(received));
        }
        self.schedule_flush(context);
    }
}
