//! The agent's session: finds the leader, keeps one session open, obeys no older leader.

use cluster_task::{Fence, Sequence};
use cluster_types::{AssignmentDiff, SessionStamp};

use super::Host;
use super::agent::{Link, Open};
use super::ledger::Record;
use super::reports::patience;
use crate::context::Context;
use crate::event::{Event, Stream};
use crate::link::{Down, DownItem, Up};

/// Between two looks at the timers.
const TICK: u64 = 100;
/// How long a manager may take to open a session.
const PATIENCE: u64 = 1_500;
/// Longest pause between two managers that did not answer.
const PAUSE: u64 = 2_000;
/// Between two looks at all containers.
const SURVEY: u64 = 60_000;
/// So often in a row a leader must say that a node was removed.
const REMOVALS: u32 = 3;

impl Host {
    pub(crate) fn tick(&mut self, context: &mut Context) {
        context.after(TICK, Event::AgentTick { host: self.index, life: self.life });
        let now = context.now;
        let Some(agent) = &mut self.agent else { return };
        if now >= agent.survey_at {
            agent.survey_at = now + SURVEY;
            agent.slots.values_mut().for_each(|slot| slot.stale = true);
            agent.ready.extend(agent.slots.keys());
            self.wake_worker(context);
        }
        let Some(agent) = &mut self.agent else { return };
        match &mut agent.link {
            Link::Searches(until) if now >= *until => self.search(context),
            Link::Opens { until, .. } if now >= *until => self.leave("no answer", context),
            Link::Open(open) if now >= open.silent_at => self.leave("the manager is silent", context),
            Link::Open(open) if now >= open.beat_at => {
                open.beat_at = now + open.period;
                let stream = open.stream;
                context.say_up(stream, Up::Heartbeat);
            }
            Link::Searches(_) | Link::Opens { .. } | Link::Open(_) => {}
        }
        self.wake_due(context);
    }

    fn search(&mut self, context: &mut Context) {
        let managers = self.managers;
        let (node, boot, description) = (self.node, self.boot, self.description.clone());
        let Some(agent) = &mut self.agent else { return };
        let manager = agent.named.take().unwrap_or_else(|| context.chance.index(managers));
        let stream = context.links.open(self.index, manager);
        agent.link = Link::Opens { stream, until: context.now + PATIENCE };
        context.say_up(stream, Up::Hello { node, nonce: agent.nonce, boot, description: Box::new(description) });
    }

    /// Ends the session, or the try of one.
    pub(super) fn leave(&mut self, why: &str, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        let Some(stream) = agent.stream() else { return };
        if agent.is_in_session() {
            context.say(&format!("host {} leaves session {stream}: {why}", self.index));
        }
        context.say_up(stream, Up::Closed);
        context.links.close(stream);
        let pause = if agent.named.is_some() && agent.failures < 3 { 0 } else { (50 << agent.failures.min(6)).min(PAUSE) };
        agent.failures += 1;
        agent.link = Link::Searches(context.now + context.chance.within(pause / 2..=pause));
    }

    /// A manager's message.
    pub(crate) fn hear(&mut self, stream: Stream, message: &Down, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        if agent.stream() != Some(stream) {
            return;
        }
        match message.item {
            DownItem::NotLeading(leader) => {
                agent.named = leader;
                return self.leave("it does not lead", context);
            }
            DownItem::Removed => return self.removed(context),
            DownItem::Closed => return self.leave("the manager closed it", context),
            _ => {}
        }
        if let Err(refused) = self.admit(stream, message, context) {
            return self.leave(&refused, context);
        }
        let now = context.now;
        let Some(agent) = &mut self.agent else { return };
        let Some(open) = agent.open() else { return };
        open.silent_at = now + 2 * open.period;
        match &message.item {
            DownItem::Welcome(period) | DownItem::Heartbeat(period) => {
                open.period = *period;
                open.silent_at = now + 2 * *period;
            }
            DownItem::Assignments(diff) => self.assign(diff, message.stamp, context),
            DownItem::Network(diff) => {
                agent.views.push(diff.clone());
                self.take_view(context);
            }
            DownItem::Committed(count) => agent.reports.committed(*count),
            DownItem::NotLeading(_) | DownItem::Removed | DownItem::Closed => {}
        }
    }

    /// Whether a message may be obeyed, by its stamp. The first one opens the session.
    fn admit(&mut self, stream: Stream, message: &Down, context: &mut Context) -> Result<(), String> {
        let Some(agent) = &mut self.agent else { return Ok(()) };
        let stamp = message.stamp;
        match (&mut agent.link, &message.item) {
            (Link::Opens { .. }, DownItem::Welcome(period)) => {
                let sequence = Sequence::begin(&mut agent.fence, stamp).map_err(|refused| refused.to_string())?;
                let period = *period;
                agent.link =
                    Link::Open(Open { stream, sequence, period, silent_at: context.now + 2 * period, beat_at: context.now + period });
                self.opened(stamp, context);
                Ok(())
            }
            (Link::Open(open), DownItem::Assignments(_)) => open.sequence.advance(stamp).map_err(|refused| refused.to_string()),
            (Link::Open(open), _) => open.sequence.check(stamp).map_err(|refused| refused.to_string()),
            (Link::Opens { .. } | Link::Searches(_), _) => Err("the first message is no welcome".to_owned()),
        }
    }

    fn opened(&mut self, stamp: SessionStamp, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        agent.failures = 0;
        agent.removals = 0;
        agent.named = None;
        agent.reports.restart();
        agent.viewed = None;
        agent.views.clear();
        let fence = Fence { incarnation: stamp.incarnation, term: stamp.term };
        agent.unsaved.push(Record::Fence(fence));
        agent.unsaved_matters = true;
        if stamp.incarnation > agent.incarnation {
            agent.incarnation = stamp.incarnation;
            agent.slots.iter().for_each(|(task, slot)| agent.reports.put(*task, &slot.memory.status));
        }
        self.wake_worker(context);
        self.report_within(cluster_types::TaskState::Running, context);
    }

    /// A leader says that the node was removed. Said often enough, all its containers are stopped.
    fn removed(&mut self, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        agent.removals += 1;
        if agent.removals >= REMOVALS {
            self.view.clear();
            let nothing = AssignmentDiff { full: true, ..AssignmentDiff::default() };
            let stamp = SessionStamp { incarnation: agent.fence.incarnation, term: agent.fence.term, sequence: 0 };
            self.assign(&nothing, stamp, context);
        }
        self.leave("the node was removed", context);
    }

    /// Has the data path take in the views that wait.
    fn take_view(&mut self, context: &mut Context) {
        let millis = self.takes(1..=12, context);
        context.after(millis, Event::Viewed { host: self.index, life: self.life });
    }

    /// The data path has taken the oldest view in that waits.
    pub(crate) fn viewed(&mut self, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        if agent.views.is_empty() {
            return;
        }
        let diff = agent.views.remove(0);
        diff.apply(&mut self.view);
        agent.viewed = Some(diff.version);
        context.trace.mix(diff.version.0);
        if let Some(open) = agent.open() {
            let stream = open.stream;
            context.say_up(stream, Up::Applied(diff.version));
        }
    }

    /// Has a report sent when a status of a task in this state has waited long enough.
    pub(super) fn report_within(&mut self, state: cluster_types::TaskState, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        let at = context.now + patience(state);
        if agent.report_at.is_none_or(|due| due > at) {
            agent.report_at = Some(at);
            context.queue.push(at, Event::Report { host: self.index, life: self.life });
        }
    }

    pub(crate) fn report(&mut self, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        if agent.report_at != Some(context.now) {
            return;
        }
        agent.report_at = None;
        let Link::Open(open) = &agent.link else { return };
        let stream = open.stream;
        let batch = agent.reports.take();
        if !batch.is_empty() {
            context.say_up(stream, Up::Report(batch));
        }
        if agent.reports.has_news() {
            self.report_within(cluster_types::TaskState::Running, context);
        }
    }
}
