//! The leader loop: an event or a due timer wakes it, it runs a pass, proposes the plan, and looks again. As `leader/decide.rs` of the
//! manager.

use std::collections::{BTreeMap, BTreeSet};

use cluster_decide::{Dirty, liveness, pass};
use cluster_types::limits::CHANGES_PER_ENTRY;
use cluster_types::{Change, Entry, EntryMode, NodeId, Timestamp};

use super::Waits;
use crate::context::Context;
use crate::event::Event;
use crate::manager::Manager;

/// The longest sleep without an event.
const LOOK_AGAIN: u64 = 30_000;
/// After a plan that could not be proposed.
const RETRY: u64 = 100;

/// Where the loop is.
pub(super) enum Deciding {
    /// It waits, with what the next pass must look at.
    Rests(Dirty),
    /// These entries are on their way, since then. Afterwards there is this to look at, besides what the events say.
    Proposes { entries: BTreeSet<u64>, carry: Dirty, since: u64 },
    /// A plan was not applied in time, and may be later: nothing is decided before an entry behind it is applied.
    Settles { since: u64 },
}

/// A loop that stands for so long is wedged: leadership is given up.
const WEDGED: u64 = 5_000;

impl Manager {
    /// Has the loop wake within so many milliseconds.
    pub(crate) fn wake_decider(&mut self, within: u64, context: &mut Context) {
        let Some(leader) = &mut self.leader else { return };
        let at = context.now + context.chance.within(0..=within);
        if leader.wake.is_none_or(|wake| wake > at) {
            leader.wake = Some(at);
            context.queue.push(at, Event::Decide { manager: self.id, life: self.life, lead: leader.number });
        }
    }

    /// One turn of the loop.
    pub(crate) fn decide(&mut self, lead: u64, context: &mut Context) {
        let now = self.now(context);
        let view = self.state.view();
        let Some(leader) = self.leader.as_mut().filter(|leader| leader.number == lead && leader.wake == Some(context.now)) else { return };
        leader.wake = None;
        if let Deciding::Settles { .. } = leader.deciding {
            return self.settle(now, context);
        }
        let Deciding::Rests(dirty) = &mut leader.deciding else { return };
        let mut dirty = std::mem::take(dirty);
        let feed = std::mem::take(&mut leader.feed);
        if !cluster_types::bug!(ForgetsEvents) || feed.len() < 4 {
            feed.iter().for_each(|event| dirty.note(event));
        }
        let presence = liveness::Presence {
            leader_since: leader.listening_since(now),
            sessions: leader.heard(),
            grace: liveness::grace(view.node_count()),
        };
        let seed = context.chance.word();
        let plan = pass(&view, now, seed, &dirty, &presence);
        context.trace.mix(plan.changes.len() as u64);
        context.watch.passes += 1;
        context.watch.decided(&view, &plan, now);
        for note in &plan.notes {
            context.say(&format!("plan: {}: {}", note.about, note.text));
        }
        if plan.changes.is_empty() {
            leader.deciding = Deciding::Rests(plan.carry);
            let sleep = plan.wake_at.map_or(LOOK_AGAIN, |at| millis(at, now)).min(LOOK_AGAIN);
            let at = context.now + sleep.max(1);
            leader.wake = Some(at);
            context.queue.push(at, Event::Decide { manager: self.id, life: self.life, lead });
            return;
        }
        self.propose_plan(plan.changes, plan.carry, now, context);
    }

    fn propose_plan(&mut self, changes: Vec<Change>, carry: Dirty, now: Timestamp, context: &mut Context) {
        let mut entries = BTreeSet::new();
        for batch in changes.chunks(CHANGES_PER_ENTRY) {
            let entry = Entry { request: context.chance.id(), at: now, mode: EntryMode::Each, changes: batch.to_vec() };
            if let Some(index) = self.propose(entry, context) {
                entries.insert(index);
            }
        }
        let waits: Vec<u64> = entries.iter().copied().collect();
        if let (Some(last), Some(leader)) = (waits.last(), &self.leader) {
            context.watch.proposed(leader.term, self.state.index().0, *last);
        }
        let carry = if cluster_types::bug!(CarryForgotten) { Dirty::default() } else { carry };
        if let Some(leader) = &mut self.leader {
            leader.deciding = Deciding::Proposes { entries, carry, since: context.now };
        }
        for index in waits {
            self.wait_for(index, Waits::Decider, context);
        }
    }

    /// Has an entry without changes applied behind the plan whose fate is not known.
    fn settle(&mut self, now: Timestamp, context: &mut Context) {
        let entry = Entry { request: context.chance.id(), at: now, mode: EntryMode::Each, changes: Vec::new() };
        if let Some(index) = self.propose(entry, context) {
            self.wait_for(index, Waits::Decider, context);
        }
    }

    /// Gives leadership up when the loop is wedged.
    pub(super) fn watch_decider(&mut self, context: &mut Context) {
        let since = match self.leader.as_ref().map(|leader| &leader.deciding) {
            Some(Deciding::Proposes { since, .. } | Deciding::Settles { since }) => *since,
            Some(Deciding::Rests(_)) | None => return,
        };
        if context.now > since + WEDGED {
            self.step_down(context);
        }
    }

    /// An entry of the plan is applied, or was not in time.
    pub(super) fn proposed(&mut self, index: u64, is_applied: bool, context: &mut Context) {
        let Some(leader) = &mut self.leader else { return };
        let (entries, carry, since) = match &mut leader.deciding {
            Deciding::Rests(_) => return,
            Deciding::Settles { .. } if is_applied => {
                leader.deciding = Deciding::Rests(Dirty::all());
                leader.wake = None;
                return self.wake_decider(1, context);
            }
            Deciding::Settles { .. } => return self.wake_decider(RETRY, context),
            Deciding::Proposes { entries, carry, since } => (entries, carry, *since),
        };
        entries.remove(&index);
        if !is_applied {
            context.say("the fate of a plan is not known");
            let decides_again = cluster_types::bug!(DecidesAgain);
            leader.deciding = if decides_again { Deciding::Rests(Dirty::all()) } else { Deciding::Settles { since } };
            let at = context.now + RETRY;
            leader.wake = Some(at);
            context.queue.push(at, Event::Decide { manager: self.id, life: self.life, lead: leader.number });
        } else if entries.is_empty() {
            leader.deciding = Deciding::Rests(std::mem::take(carry));
            leader.wake = None;
            self.wake_decider(1, context);
        }
    }
}

impl super::Leader {
    /// When each node was last heard, open session or not.
    fn heard(&self) -> BTreeMap<NodeId, Timestamp> {
        let heard = |node: &super::NodeSessions| node.open.and_then(|open| self.sessions.get(&open)).map(|it| it.heard).or(node.heard);
        self.nodes.iter().filter_map(|(node, sessions)| Some((*node, heard(sessions)?))).collect()
    }
}

fn millis(at: Timestamp, now: Timestamp) -> u64 {
    at.0.saturating_sub(now.0)
}
