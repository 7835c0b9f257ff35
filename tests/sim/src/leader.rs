//! What a manager does while it leads: decide, dispatch, answer. The shell around the pure deciders, as in `cluster-manager`, one step at a
//! time: leadership may end between any two.

mod control;
mod decide;
mod reports;
mod routes;
mod session;
mod sessions;

use std::collections::BTreeMap;

use cluster_decide::Dirty;
use cluster_decide::network_view::Fabric;
use cluster_state::Applied;
use cluster_types::{Event as Changed, NodeId, Rejection, Timestamp, Version};

use self::decide::Deciding;
use self::reports::Reports;
use self::session::Session;
use self::sessions::NodeSessions;
use crate::client::{Answer, Origin};
use crate::context::Context;
use crate::event::Stream;
use crate::manager::{Manager, PROPOSAL};

/// A sign of life that is so late tells of a stall (the product's).
const LATE: u64 = 800;

/// See the module. Nothing of it survives the term.
pub(crate) struct Leader {
    /// Tells it from the other times that this manager led.
    pub(crate) number: u64,
    pub(crate) term: u64,
    pub(crate) incarnation: u64,
    /// Since when it has listened without a break, and when it last did.
    listening: (Timestamp, Timestamp),
    deciding: Deciding,
    /// When the leader loop wakes, in virtual time.
    wake: Option<u64>,
    /// Events that the leader loop has not noted yet.
    feed: Vec<Changed>,
    /// What the fabric has not followed yet.
    noted: Vec<Changed>,
    noted_index: Version,
    fabric: Option<(Fabric, Version)>,
    reports: Reports,
    nodes: BTreeMap<NodeId, NodeSessions>,
    sessions: BTreeMap<Stream, Session>,
    /// Sessions that hold tasks back, with what all had applied when they last looked.
    holding: BTreeMap<Stream, Version>,
    waiters: BTreeMap<u64, Waiter>,
}

/// Who waits for an entry.
struct Waiter {
    since: u64,
    who: Waits,
}

enum Waits {
    Decider,
    Reports,
    Client(Origin),
}

impl Leader {
    pub(crate) fn new(number: u64, term: u64, incarnation: u64, since: Timestamp) -> Self {
        Self {
            number,
            term,
            incarnation,
            listening: (since, since),
            deciding: Deciding::Rests(Dirty::all()),
            wake: None,
            feed: Vec::new(),
            noted: Vec::new(),
            noted_index: Version(0),
            fabric: None,
            reports: Reports::default(),
            nodes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            holding: BTreeMap::new(),
            waiters: BTreeMap::new(),
        }
    }

    /// Since when it has listened without a break, as of `now`.
    fn listening_since(&mut self, now: Timestamp) -> Timestamp {
        let (since, last) = self.listening;
        let stalled = now.0.saturating_sub(last.0) > LATE;
        self.listening = (if stalled { now } else { since }, now.max(last));
        self.listening.0
    }

    /// How much waits in it, for the bounds of queues.
    pub(crate) fn waiting(&self) -> usize {
        self.feed.len() + self.noted.len() + self.waiters.len() + self.reports.len()
    }

    /// Whether nothing is under way.
    pub(crate) fn rests(&self) -> bool {
        self.waiters.is_empty() && self.feed.is_empty() && matches!(self.deciding, Deciding::Rests(_)) && self.reports.len() == 0
    }
}

impl Manager {
    /// Signs of life, sessions that are silent, proposals that take too long.
    pub(crate) fn lead_tick(&mut self, context: &mut Context) {
        let now = self.now(context);
        let Some(leader) = &mut self.leader else { return };
        leader.listening_since(now);
        let late: Vec<u64> =
            leader.waiters.iter().filter(|(_, waiter)| context.now > waiter.since + PROPOSAL).map(|(index, _)| *index).collect();
        for index in late {
            self.proposal_failed(index, context);
        }
        self.end_silent_sessions(context);
        self.watch_decider(context);
    }

    /// An entry was applied while this manager leads, or was elected.
    pub(crate) fn lead_on(&mut self, index: u64, applied: Applied, context: &mut Context) {
        let Some(leader) = &mut self.leader else { return };
        leader.feed.extend(applied.events.iter().cloned());
        leader.noted_index = applied.index;
        if leader.fabric.is_some() {
            leader.noted.extend(applied.events.iter().cloned());
        }
        let waiter = leader.waiters.remove(&index);
        if !leader.feed.is_empty() {
            self.wake_decider(8, context);
        }
        self.route(&applied, context);
        match waiter.map(|waiter| waiter.who) {
            Some(Waits::Decider) => self.proposed(index, true, context),
            Some(Waits::Reports) => self.flushed(index, true, context),
            Some(Waits::Client(origin)) => answer(origin, outcome(index, &applied.outcomes), context),
            None => {}
        }
    }

    fn proposal_failed(&mut self, index: u64, context: &mut Context) {
        let Some(waiter) = self.leader.as_mut().and_then(|leader| leader.waiters.remove(&index)) else { return };
        match waiter.who {
            Waits::Decider => self.proposed(index, false, context),
            Waits::Reports => self.flushed(index, false, context),
            Waits::Client(origin) => answer(origin, Answer::Unknown, context),
        }
    }

    fn wait_for(&mut self, index: u64, who: Waits, context: &Context) {
        if let Some(leader) = &mut self.leader {
            leader.waiters.insert(index, Waiter { since: context.now, who });
        }
    }

    /// Leadership is over: sessions end, and whoever waits hears nothing certain.
    pub(crate) fn end_lead(&mut self, context: &mut Context) {
        let Some(leader) = self.leader.take() else { return };
        for waiter in leader.waiters.into_values() {
            if let Waits::Client(origin) = waiter.who {
                answer(origin, Answer::Unknown, context);
            }
        }
        for (stream, session) in leader.sessions {
            context.say_down(stream, session.stamp, crate::link::DownItem::NotLeading(None));
        }
    }
}

fn outcome(index: u64, outcomes: &[Result<(), Rejection>]) -> Answer {
    let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    match refused.min_by_key(|rejection| **rejection == Rejection::Aborted) {
        Some(rejection) => Answer::Refused(rejection.to_string()),
        None => Answer::Done(index),
    }
}

fn answer(origin: Origin, answer: Answer, context: &mut Context) {
    let millis = context.chance.within(0..=3);
    context.after(millis, crate::event::Event::Answer { client: origin.client, attempt: origin.attempt, answer });
}
