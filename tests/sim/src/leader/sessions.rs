//! The sessions of a leader: opened, heard, woken and ended. As the dispatcher of the manager.

use std::time::Duration;

use cluster_decide::admission::{Arrival, Nonces, Present, Verdict};
use cluster_decide::liveness;
use cluster_types::{Change, NodeId, NodeState, NodeStatus, NodeStep, SessionStamp, Timestamp, Version};

use super::session::Session;
use crate::context::Context;
use crate::event::{Event, Stream};
use crate::link::{DownItem, Up};
use crate::manager::Manager;

/// What is remembered of a node's sessions.
#[derive(Default)]
pub(super) struct NodeSessions {
    pub(super) open: Option<Stream>,
    /// When a session that has ended was last heard.
    pub(super) heard: Option<Timestamp>,
    nonces: Nonces,
}

impl Manager {
    /// An agent's message.
    pub(crate) fn hear_agent(&mut self, stream: Stream, message: Up, context: &mut Context) {
        let now = self.now(context);
        let known = self.leader.as_mut().and_then(|leader| leader.sessions.get_mut(&stream));
        match (message, known) {
            (Up::Hello { node, nonce, boot, description }, None) => self.open(stream, node, (nonce, boot), &description, context),
            (Up::Hello { .. }, Some(_)) => {}
            (Up::Closed, None) => {}
            (Up::Closed, Some(_)) => self.close(stream, "its session broke off", context),
            (_, None) => context.say_down(stream, SessionStamp::default(), DownItem::Closed),
            (Up::Heartbeat, Some(session)) => {
                session.heard = now;
                let stamp = session.stamp;
                context.say_down(stream, stamp, DownItem::Heartbeat(self.period()));
            }
            (Up::Report(statuses), Some(session)) => {
                session.heard = now;
                session.received += statuses.len() as u64;
                let (node, received) = (session.node, session.received);
                let view = self.state.view();
                let own = statuses.into_iter().filter(|(id, _)| view.task(*id).is_some_and(|task| task.node == Some(node))).collect();
                self.report_tasks((stream, node), own, received, context);
            }
            (Up::Applied(version), Some(session)) => {
                session.heard = now;
                let before = session.progress.applied();
                session.progress.acknowledge(version);
                if session.progress.applied() > before {
                    self.wake_holding(context);
                }
            }
        }
    }

    fn open(
        &mut self,
        stream: Stream,
        node: NodeId,
        (nonce, boot): (u64, u64),
        description: &cluster_types::NodeDescription,
        context: &mut Context,
    ) {
        let now = self.now(context);
        let leads = self.leads;
        let Some(ends) = context.links.ends(stream) else { return };
        let count = self.nodes;
        let Some(leader) = &mut self.leader else { return context.say_down(stream, SessionStamp::default(), DownItem::NotLeading(leads)) };
        let arrival = Arrival { nonce: nonce.to_string(), boot: boot.to_string() };
        let sessions = leader.nodes.entry(node).or_default();
        let present = sessions.open.and_then(|open| leader.sessions.get(&open)).map(Session::present);
        let silence = liveness::heartbeat_period(count) * 2;
        if sessions.nonces.judge(present.as_ref(), &arrival, silence, now) != Verdict::Open {
            return context.say_down(stream, SessionStamp::default(), DownItem::Closed);
        }
        if let Some(old) = sessions.open.take() {
            if let Some(session) = leader.sessions.remove(&old) {
                if session.arrival.nonce != arrival.nonce {
                    sessions.nonces.replace(session.arrival.nonce);
                }
                context.say_down(old, session.stamp, DownItem::Closed);
            }
            leader.holding.remove(&old);
        }
        sessions.open = Some(stream);
        // Whoever waits for this node waits for what it applies from now on.
        leader.holding.values_mut().for_each(|seen| *seen = Version(0));
        let stamp = SessionStamp { incarnation: leader.incarnation, term: leader.term, sequence: 0 };
        leader.sessions.insert(stream, Session::new(node, arrival, stamp, now));
        context.say(&format!("session {stream} of host {} opens at manager {} in term {}", ends.host, self.id, leader.term));
        self.arrive(stream, node, description, context);
    }

    /// Takes note of the node, greets it and looks at it.
    fn arrive(&mut self, stream: Stream, node: NodeId, description: &cluster_types::NodeDescription, context: &mut Context) {
        let view = self.state.view();
        let Some(known) = view.node(node) else {
            context.say_down(stream, SessionStamp::default(), DownItem::Removed);
            if let Some(leader) = &mut self.leader {
                leader.sessions.remove(&stream);
                leader.nodes.remove(&node);
            }
            return;
        };
        if known.description != *description {
            self.report_node(Change::Node(node, NodeStep::Describe(description.clone())), context);
        }
        if known.status.state != NodeState::Ready {
            let change = self.status(node, NodeState::Ready, "its session is open", context);
            self.report_node(change, context);
        }
        let period = self.period();
        if let Some(session) = self.leader.as_ref().and_then(|leader| leader.sessions.get(&stream)) {
            context.say_down(stream, session.stamp, DownItem::Welcome(period));
        }
        self.wake_session(stream, context);
    }

    /// A session ends. If it was still its node's, the node is disconnected.
    pub(super) fn close(&mut self, stream: Stream, reason: &str, context: &mut Context) {
        let Some(leader) = &mut self.leader else { return };
        let Some(session) = leader.sessions.remove(&stream) else { return };
        leader.holding.remove(&stream);
        context.say_down(stream, session.stamp, DownItem::Closed);
        let Some(sessions) = leader.nodes.get_mut(&session.node).filter(|sessions| sessions.open == Some(stream)) else { return };
        sessions.open = None;
        sessions.heard = Some(session.heard);
        context.say(&format!("session {stream} ends: {reason}"));
        self.wake_holding(context);
        let change = self.status(session.node, NodeState::Disconnected, reason, context);
        self.report_node(change, context);
    }

    pub(super) fn end_silent_sessions(&mut self, context: &mut Context) {
        let (now, grace) = (self.now(context), self.grace());
        let Some(leader) = &self.leader else { return };
        let silent = |(_, session): &(&Stream, &Session)| now.since(session.heard) > grace;
        let ended: Vec<Stream> = leader.sessions.iter().filter(silent).map(|(stream, _)| *stream).collect();
        ended.into_iter().for_each(|stream| self.close(stream, "nothing was heard from it", context));
        let due = |(_, session): &(&Stream, &Session)| session.shown.due.is_some_and(|due| due <= now);
        let Some(leader) = &self.leader else { return };
        let due: Vec<Stream> = leader.sessions.iter().filter(due).map(|(stream, _)| *stream).collect();
        due.into_iter().for_each(|stream| self.wake_session(stream, context));
    }

    /// Forgets a node that was removed.
    pub(super) fn forget(&mut self, node: NodeId, context: &mut Context) {
        let Some(leader) = &mut self.leader else { return };
        let Some(stream) = leader.nodes.remove(&node).and_then(|sessions| sessions.open) else { return };
        leader.holding.remove(&stream);
        if let Some(session) = leader.sessions.remove(&stream) {
            context.say_down(stream, session.stamp, DownItem::Closed);
        }
        self.wake_holding(context);
    }

    /// Has a session look at the state soon.
    pub(super) fn wake_session(&mut self, stream: Stream, context: &mut Context) {
        let Some(session) = self.leader.as_mut().and_then(|leader| leader.sessions.get_mut(&stream)) else { return };
        if !session.is_woken {
            session.is_woken = true;
            context.soon(0..=10, Event::Look { manager: self.id, life: self.life, stream });
        }
    }

    /// Wakes the sessions that hold something back, when what all nodes have applied is newer than when they looked.
    pub(super) fn wake_holding(&mut self, context: &mut Context) {
        let Some(leader) = &self.leader else { return };
        if leader.holding.is_empty() {
            return;
        }
        let applied = leader.sessions.values().map(|session| session.progress.applied()).min().unwrap_or_default();
        let ready: Vec<Stream> = leader.holding.iter().filter(|(_, seen)| **seen < applied).map(|(stream, _)| *stream).collect();
        ready.into_iter().for_each(|stream| self.wake_session(stream, context));
    }

    pub(super) fn status(&mut self, node: NodeId, state: NodeState, message: &str, context: &Context) -> Change {
        let since = self.now(context);
        let status = NodeStatus { state, message: message.to_owned(), address: String::new(), since };
        Change::Node(node, NodeStep::Status(status))
    }

    pub(super) fn grace(&self) -> Duration {
        liveness::grace(self.nodes)
    }

    fn period(&self) -> u64 {
        u64::try_from(liveness::heartbeat_period(self.nodes).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Session {
    fn present(&self) -> Present {
        Present { arrival: self.arrival.clone(), heard: self.heard }
    }
}
