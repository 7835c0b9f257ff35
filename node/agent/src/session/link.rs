//! One session, from the dial to its end.

use std::time::Duration;

use cluster_api::pb;
use cluster_api::pb::agent_message::Item as Say;
use cluster_api::pb::dispatcher_client::DispatcherClient;
use cluster_api::pb::manager_message::Item as Hear;
use cluster_task::{Refused, Sequence};
use cluster_types::{AssignmentDiff, SessionStamp, ViewDiff};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::Connector;
use super::news::News;
use crate::agent::Presence;
use crate::logs::LogPublisher;
use crate::worker::Command;

/// Messages on their way to the manager; more means that the connection does not move.
const OUTGOING: usize = 8;
/// Statuses in one report: far below the largest message.
const REPORT: usize = 200;
/// Heartbeat periods that are believed.
const PERIODS: std::ops::RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_secs(60);

/// How a session ended.
pub(super) enum End {
    Stopped,
    Redirected(String),
    /// The cluster does not know the node.
    Removed(String),
    /// Another agent has this node's identity (failures D10).
    Copied(String),
    Lost(String),
}

/// An open session.
pub(super) struct Link<'a> {
    agent: &'a mut Connector,
    inbound: Streaming<pb::ManagerMessage>,
    outgoing: mpsc::Sender<pb::AgentMessage>,
    sequence: Sequence,
    /// Pieces of an assignment of which more are to come.
    pieces: AssignmentDiff,
    /// Pieces of a network view of which more are to come.
    view: ViewDiff,
    /// Counts the agent's sessions.
    number: u64,
    logs: LogPublisher,
    period: Duration,
    /// When it is given up unless the manager says something.
    silent_at: Instant,
}

impl<'a> Link<'a> {
    /// Opens a session with a manager and serves it to its end.
    pub(super) async fn run(agent: &'a mut Connector, manager: &str) -> End {
        let (stop, patience) = (agent.stop.clone(), agent.book.patience(manager));
        let session = async {
            let opening = Self::open(agent, manager);
            let link = timeout(patience, opening).await.map_err(|_| End::Lost(format!("no session within {} ms", patience.as_millis())))?;
            link?.serve().await
        };
        let end: Result<std::convert::Infallible, End> = tokio::select! {
            () = stop.cancelled() => return End::Stopped,
            end = session => end,
        };
        match end {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn open(agent: &'a mut Connector, manager: &str) -> Result<Self, End> {
        let channel: Channel = agent.dial.dial(manager).map_err(|error| End::Lost(error.to_string()))?;
        let (outgoing, messages) = mpsc::channel(OUTGOING);
        let description = (agent.describe)();
        let hello = pb::Hello { description: Some((&description).into()), nonce: agent.nonce.clone(), boot_id: agent.boot_id.clone() };
        say(&outgoing, Say::Hello(hello))?;
        let mut client = DispatcherClient::new(channel.clone());
        let answer = client.session(ReceiverStream::new(messages)).await.map_err(|status| refused(&status))?;
        let mut inbound = answer.into_inner();
        let first = inbound.message().await.map_err(|status| refused(&status))?;
        let Some(pb::ManagerMessage { stamp, item: Some(Hear::Welcome(welcome)) }) = first else {
            return Err(End::Lost("the manager's first message is no welcome".to_owned()));
        };
        let stamp = stamped(stamp)?;
        let sequence = Sequence::begin(&mut agent.fence, stamp).map_err(|refused| End::Lost(refused.to_string()))?;
        agent.reports.restart();
        let logs = LogPublisher::new(channel, std::sync::Arc::clone(&agent.runtime));
        let mut link = Link {
            agent,
            inbound,
            outgoing,
            sequence,
            pieces: AssignmentDiff::default(),
            view: ViewDiff::default(),
            number: 0,
            logs,
            period: Duration::ZERO,
            silent_at: Instant::now(),
        };
        link.set_period(welcome.heartbeat_period_ms);
        link.welcomed(manager, stamp, welcome.manager_addresses).await?;
        Ok(link)
    }

    async fn welcomed(&mut self, manager: &str, stamp: SessionStamp, managers: Vec<String>) -> Result<(), End> {
        tracing::info!(%manager, term = stamp.term, period = ?self.period, "session open");
        self.agent.removal.denied();
        self.agent.book.learn(&managers);
        self.agent.book.succeeded(manager);
        let presence = Presence::Open { manager: manager.to_owned(), incarnation: stamp.incarnation, term: stamp.term };
        self.agent.status.send_modify(|status| {
            status.presence = presence;
            status.sessions += 1;
        });
        self.number = self.agent.status.borrow().sessions;
        self.command(Command::Opened { incarnation: stamp.incarnation, term: stamp.term, managers }).await
    }

    /// Serves the session until it ends; how it ended is always the error.
    async fn serve(mut self) -> Result<std::convert::Infallible, End> {
        let mut beat_at = Instant::now() + self.period;
        let reports = std::sync::Arc::clone(&self.agent.reports);
        let mut news = News::of(self.number, &self.agent.views, &self.agent.report);
        loop {
            tokio::select! {
                biased;
                message = self.inbound.message() => {
                    let message = message.map_err(|status| refused(&status))?;
                    self.hear(message.ok_or_else(|| End::Lost("the manager closed the session".to_owned()))?).await?;
                }
                () = sleep_until(self.silent_at) => {
                    return Err(End::Lost(format!("the manager was silent for {} ms", 2 * self.period.as_millis())));
                }
                () = sleep_until(beat_at) => {
                    say(&self.outgoing, Say::Heartbeat(pb::Heartbeat {}))?;
                    beat_at = Instant::now() + self.period;
                }
                () = reports.ready(), if self.outgoing.capacity() > 1 => {
                    say(&self.outgoing, Say::Report(self.report()))?;
                }
                item = news.next(), if self.outgoing.capacity() > 1 => say(&self.outgoing, item)?,
            }
        }
    }

    fn report(&self) -> pb::Report {
        let told = self.agent.reports.take(REPORT);
        let tasks = told.iter().map(|(task, status)| pb::TaskReport { task: task.to_string(), status: Some(status.into()) });
        pb::Report { tasks: tasks.collect() }
    }

    async fn hear(&mut self, message: pb::ManagerMessage) -> Result<(), End> {
        let stamp = stamped(message.stamp)?;
        let broken = |refused: Refused| End::Lost(refused.to_string());
        if let Some(Hear::Assignments(_)) = &message.item {
            self.sequence.advance(stamp).map_err(broken)?;
        } else {
            self.sequence.check(stamp).map_err(broken)?;
        }
        self.silent_at = Instant::now() + 2 * self.period;
        match message.item {
            Some(Hear::Assignments(piece)) => self.assign(piece).await?,
            Some(Hear::Network(piece)) => self.look_around(piece)?,
            Some(Hear::LogsWanted(wanted)) => self.logs.open(wanted),
            Some(Hear::LogsDone(subscription)) => self.logs.close(&subscription),
            Some(Hear::ReportsCommitted(count)) => self.agent.reports.committed(count),
            Some(Hear::HeartbeatPeriodMs(period)) => self.set_period(period),
            Some(Hear::RenewNow(pb::RenewNow {})) => self.agent.status.send_modify(|status| status.renewals_wanted += 1),
            // A further welcome: there are other managers than before.
            Some(Hear::Welcome(welcome)) => {
                self.set_period(welcome.heartbeat_period_ms);
                self.agent.book.learn(&welcome.manager_addresses);
                let SessionStamp { incarnation, term, .. } = stamp;
                self.command(Command::Opened { incarnation, term, managers: welcome.manager_addresses }).await?;
            }
            // A later manager may say more than this agent knows.
            None => {}
        }
        Ok(())
    }

    /// Gathers the pieces of an assignment; the whole goes to the worker.
    async fn assign(&mut self, piece: pb::Assignments) -> Result<(), End> {
        let more = piece.more;
        let piece = AssignmentDiff::try_from(piece).map_err(|error| End::Lost(format!("an assignment cannot be read: {error}")))?;
        self.pieces.full |= piece.full;
        self.pieces.put.extend(piece.put);
        self.pieces.remove.extend(piece.remove);
        if more { Ok(()) } else { self.give().await }
    }

    async fn give(&mut self) -> Result<(), End> {
        let whole = std::mem::take(&mut self.pieces);
        self.command(Command::Assign(whole)).await
    }

    /// Gathers the pieces of a network view; the whole goes to the applier, which is not waited for.
    fn look_around(&mut self, piece: pb::NetworkPiece) -> Result<(), End> {
        let more = piece.more;
        let piece = ViewDiff::try_from(piece).map_err(|error| End::Lost(format!("a network view cannot be read: {error}")))?;
        self.view.gather(piece);
        if !more {
            self.agent.views.take(self.number, &std::mem::take(&mut self.view));
        }
        Ok(())
    }

    /// Waits while the worker is far behind (a disk that hangs): a node that cannot save what it is told should be missed by the managers.
    async fn command(&mut self, command: Command) -> Result<(), End> {
        self.agent.commands.send(command).await.map_err(|_| End::Lost("the worker has ended".to_owned()))
    }

    fn set_period(&mut self, period_ms: u64) {
        self.period = Duration::from_millis(period_ms).clamp(*PERIODS.start(), *PERIODS.end());
        self.silent_at = Instant::now() + 2 * self.period;
    }
}

fn say(outgoing: &mpsc::Sender<pb::AgentMessage>, item: Say) -> Result<(), End> {
    let stuck = |_| End::Lost("the connection does not move".to_owned());
    outgoing.try_send(pb::AgentMessage { item: Some(item) }).map_err(stuck)
}

fn stamped(stamp: Option<pb::Stamp>) -> Result<SessionStamp, End> {
    let stamp = stamp.and_then(|stamp| SessionStamp::try_from(stamp).ok());
    stamp.ok_or_else(|| End::Lost(Refused::Unstamped.to_string()))
}

/// What a manager's refusal means.
fn refused(status: &Status) -> End {
    let leader = status.metadata().get("cluster-leader").and_then(|leader| leader.to_str().ok());
    match (status.code(), leader) {
        (Code::FailedPrecondition, Some(leader)) if !leader.is_empty() => End::Redirected(leader.to_owned()),
        (Code::PermissionDenied, _) if status.message().contains("removed") => End::Removed(status.message().to_owned()),
        (Code::AlreadyExists, _) => End::Copied(status.message().to_owned()),
        _ => End::Lost(format!("{}: {}", status.code(), status.message())),
    }
}
