//! One agent's session: its network view and its assignments go down, its heartbeats and reports come up. One task for each session; it
//! ends when the stream breaks, the agent falls silent, another session takes its place or this manager no longer leads.

mod network;
mod report;

use std::sync::Arc;
use std::time::Duration;

use cluster_api::pb;
use cluster_api::pb::manager_message::Item;
use cluster_decide::assignment::{self, Assignments};
use cluster_decide::liveness;
use cluster_types::{AssignmentDiff, Change, NodeNetwork, NodeState, NodeStatus, NodeStep, Role, SessionStamp, Version};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};

use super::looks::Look;
use super::pieces;
use super::sessions::Handle;
use crate::control::cluster::manager_addresses;
use crate::core::{Core, Term};
use network::Shown;

/// Messages on their way to the agent.
pub(crate) type Outbox = mpsc::Sender<Result<pb::ManagerMessage, Status>>;

/// An open session and what it has told its agent so far.
pub(crate) struct Session {
    core: Arc<Core>,
    term: Term,
    handle: Arc<Handle>,
    outbox: Outbox,
    /// Role in the node's certificate: the one that the session came with, or that it was asked to renew to.
    role: Role,
    address: String,
    stamp: SessionStamp,
    sent: Assignments,
    /// Whether `sent` was ever sent: the first set is a full one, even when it is empty.
    began: bool,
    shown: Shown,
    /// Whether something may have changed since the last look.
    behind: bool,
    /// What the node said last of its data path.
    described: Option<NodeNetwork>,
    received: u64,
    acknowledged: u64,
}

/// Why a session ended, when it was not its agent that went away.
type Ended = Result<(), Status>;

impl Session {
    /// A session that nothing was sent in.
    pub(crate) fn new(core: Arc<Core>, term: Term, handle: Arc<Handle>, outbox: Outbox, role: Role, address: String) -> Self {
        let stamp = SessionStamp { incarnation: term.incarnation, term: term.number, sequence: 0 };
        let sent = Assignments::new();
        let shown = Shown::default();
        Self {
            core,
            term,
            handle,
            outbox,
            role,
            address,
            stamp,
            sent,
            began: false,
            shown,
            behind: true,
            described: None,
            received: 0,
            acknowledged: 0,
        }
    }

    /// Runs it to its end, and says then that the node is disconnected.
    pub(crate) async fn run(mut self, description: Option<pb::NodeDescription>, mut inbox: Streaming<pb::AgentMessage>) {
        let ended = match self.arrive(description).await {
            Ok(()) => self.serve(&mut inbox).await,
            Err(status) => Err(status),
        };
        let reason = match &ended {
            Ok(()) => "its session broke off",
            Err(status) => status.message(),
        };
        tracing::info!(node = %self.handle.node, reason, "session ended");
        self.leave(reason);
        if let Err(status) = ended {
            // The agent may be gone: nobody need hear it.
            drop(self.outbox.try_send(Err(status)));
        }
    }

    /// Takes note of the node, greets it and sends its assignments.
    async fn arrive(&mut self, description: Option<pb::NodeDescription>) -> Ended {
        let node = self.handle.node;
        let view = self.core.raft.view();
        let known = view.node(node).ok_or_else(super::removed)?;
        // What is noted later wakes the session.
        self.handle.look(self.core.looks.index());
        if let Some(description) = description {
            let description =
                description.try_into().map_err(|error: cluster_api::FieldError| Status::from(error.within("hello.description")))?;
            if known.description != description {
                self.core.reports.node(Change::Node(node, NodeStep::Describe(description)));
            }
        }
        if known.status.state != NodeState::Ready || known.status.address != self.address {
            self.core.reports.node(self.status(NodeState::Ready, "its session is open"));
        }
        let welcome = pb::Welcome { heartbeat_period_ms: self.period_ms(), manager_addresses: manager_addresses(&view) };
        self.send(Item::Welcome(welcome)).await?;
        self.catch_up().await
    }

    async fn serve(&mut self, inbox: &mut Streaming<pb::AgentMessage>) -> Ended {
        let (core, handle) = (Arc::clone(&self.core), Arc::clone(&self.handle));
        let term = self.term.clone();
        loop {
            let silence = self.grace();
            tokio::select! {
                biased;
                () = handle.end.cancelled() => return Err(Status::aborted("another session of this node took its place, or it was removed")),
                () = term.ended.cancelled() => return Err(self.core.not_leading()),
                message = tokio::time::timeout(silence, inbox.message()) => match message {
                    Err(_) => return Err(Status::deadline_exceeded(format!("nothing was heard from it for {} ms", silence.as_millis()))),
                    Ok(Ok(Some(message))) => self.hear(message).await?,
                    Ok(Ok(None) | Err(_)) => return Ok(()),
                },
                () = handle.woken() => self.catch_up().await?,
                () = self.due(), if !self.behind => self.behind = true,
                // Last, and given up for anything else: it may take a while, and heartbeats must not wait for it.
                turn = core.looks.at_least(handle.needed()), if self.behind => self.look(&turn.look).await?,
            }
        }
    }

    /// One message of the agent.
    async fn hear(&mut self, message: pb::AgentMessage) -> Ended {
        self.handle.hear(self.core.clock.now());
        match message.item {
            Some(pb::agent_message::Item::Heartbeat(pb::Heartbeat {})) => self.send(Item::HeartbeatPeriodMs(self.period_ms())).await,
            Some(pb::agent_message::Item::Report(report)) => {
                self.report(report);
                Ok(())
            }
            Some(pb::agent_message::Item::NetworkApplied(pb::NetworkApplied { version })) => {
                self.applied(Version(version));
                Ok(())
            }
            Some(pb::agent_message::Item::Network(network)) => {
                self.describe_network(network);
                Ok(())
            }
            Some(pb::agent_message::Item::Hello(_)) => Err(Status::invalid_argument("hello is the first message and comes once")),
            // A message of a newer agent: it does without an answer.
            None => Ok(()),
        }
    }

    /// Sends what waits: messages for log readers and acknowledgements. Takes note of a change, to look at it.
    async fn catch_up(&mut self) -> Ended {
        for message in self.handle.take_messages() {
            self.send(message).await?;
        }
        self.behind |= self.handle.take_change();
        self.acknowledge().await
    }

    /// Looks at the node and its tasks, and sends what is new: first what the network is, then what is to run in it.
    async fn look(&mut self, look: &Look) -> Ended {
        self.behind = false;
        let view = self.core.raft.view();
        let node = view.node(self.handle.node).ok_or_else(super::removed)?;
        let role = super::role(node);
        if role != self.role {
            // The agent renews its certificate meanwhile: that is its role from now on.
            self.role = role;
            self.send(Item::RenewNow(pb::RenewNow {})).await?;
        }
        self.show(look).await?;
        let held = self.held(&look.view);
        let mut wanted = assignment::wanted(&look.view, self.handle.node, &held);
        wanted.retain(|task, assignment| !self.began || self.sent.contains_key(task) || self.shows_networks(assignment));
        let diff = if self.began { assignment::diff(&self.sent, &wanted) } else { assignment::full(&wanted) };
        self.began = true;
        self.sent = wanted;
        self.assign(&diff).await
    }

    async fn assign(&mut self, diff: &AssignmentDiff) -> Ended {
        for piece in pieces::assignments(diff) {
            self.stamp.sequence += 1;
            self.send(Item::Assignments(piece)).await?;
        }
        Ok(())
    }

    async fn acknowledge(&mut self) -> Ended {
        let committed = self.handle.committed_statuses();
        if committed <= self.acknowledged {
            return Ok(());
        }
        self.acknowledged = committed;
        self.send(Item::ReportsCommitted(committed)).await
    }

    /// Every message carries the stamp of the last piece of assignments. An agent that does not read ends its session.
    async fn send(&self, item: Item) -> Ended {
        let message = pb::ManagerMessage { stamp: Some((&self.stamp).into()), item: Some(item) };
        let sending = self.outbox.send(Ok(message));
        match tokio::time::timeout(self.grace(), sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Status::unavailable("the agent went away")),
            Err(_) => Err(Status::deadline_exceeded("the agent does not read what it is sent")),
        }
    }

    /// The node is disconnected, unless another session has taken over or another manager leads.
    fn leave(&self, reason: &str) {
        if self.core.sessions.closed(&self.handle) && !self.term.ended.is_cancelled() {
            self.core.reports.node(self.status(NodeState::Disconnected, reason));
        }
    }

    fn status(&self, state: NodeState, message: &str) -> Change {
        let (message, address) = (message.to_owned(), self.address.clone());
        let status = NodeStatus { state, message, address, since: self.core.clock.now() };
        Change::Node(self.handle.node, NodeStep::Status(status))
    }

    fn grace(&self) -> Duration {
        liveness::grace(self.core.raft.view().node_count())
    }

    fn period_ms(&self) -> u64 {
        let period = liveness::heartbeat_period(self.core.raft.view().node_count());
        u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
    }
}
