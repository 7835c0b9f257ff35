//! A fake agent: the real protocol over real TLS, and containers that run at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cluster_api::pb;
use cluster_api::pb::agent_message::Item as Up;
use cluster_api::pb::dispatcher_client::DispatcherClient;
use cluster_api::pb::manager_message::Item as Down;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::testbed::description;

/// What an agent was told last.
pub(crate) type Told = Arc<Mutex<Seen>>;

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) assignments: BTreeMap<String, pb::TaskAssignment>,
    pub(crate) sequence: u64,
    pub(crate) committed: u64,
    pub(crate) logs_wanted: Vec<pb::LogsWanted>,
    pub(crate) renewals: u32,
}

pub(crate) struct Agent {
    pub(crate) told: Told,
    running: JoinHandle<Result<(), Status>>,
}

impl Agent {
    pub(crate) fn start(hostname: &str, nonce: &str, channel: Channel) -> Self {
        let told = Told::default();
        let running = tokio::spawn(run(hostname.to_owned(), nonce.to_owned(), channel, Arc::clone(&told)));
        Self { told, running }
    }

    /// The agent's host dies: its connection breaks.
    pub(crate) fn kill(self) {
        self.running.abort();
    }

    /// Why the manager ended the session.
    pub(crate) async fn ended(self) -> Status {
        tokio::time::timeout(crate::testbed::PATIENCE, self.running).await.unwrap().unwrap().unwrap_err()
    }
}

async fn run(hostname: String, nonce: String, channel: Channel, told: Told) -> Result<(), Status> {
    let (up, messages) = mpsc::channel(64);
    let description = Some((&description(&hostname)).into());
    let hello = pb::Hello { description, nonce, boot_id: "boot".into() };
    up.try_send(pb::AgentMessage { item: Some(Up::Hello(hello)) }).unwrap();
    let down = DispatcherClient::new(channel).session(ReceiverStream::new(messages)).await?.into_inner();
    serve(up, down, &told).await
}

async fn serve(up: mpsc::Sender<pb::AgentMessage>, mut down: Streaming<pb::ManagerMessage>, told: &Told) -> Result<(), Status> {
    let mut heartbeat = tokio::time::interval(std::time::Duration::from_millis(250));
    loop {
        let message = tokio::select! {
            _ = heartbeat.tick() => {
                drop(up.send(pb::AgentMessage { item: Some(Up::Heartbeat(pb::Heartbeat {})) }).await);
                continue;
            }
            message = down.message() => message?.ok_or_else(|| Status::aborted("the stream ended"))?,
        };
        let report = take(&mut told.lock().unwrap(), message);
        if !report.tasks.is_empty() {
            drop(up.send(pb::AgentMessage { item: Some(Up::Report(report)) }).await);
        }
    }
}

/// Takes note of a message; reports what it asks for as done.
fn take(seen: &mut Seen, message: pb::ManagerMessage) -> pb::Report {
    let stamp = message.stamp.unwrap();
    let mut report = pb::Report::default();
    match message.item.unwrap() {
        Down::Assignments(piece) => {
            assert_eq!(stamp.sequence, seen.sequence + 1, "a gap in the sequence");
            assert_eq!(piece.full, stamp.sequence == 1);
            seen.sequence = stamp.sequence;
            for task in piece.remove {
                seen.assignments.remove(&task);
            }
            for assignment in piece.put {
                report.tasks.push(done(&assignment));
                seen.assignments.insert(assignment.task.clone(), assignment);
            }
        }
        Down::ReportsCommitted(count) => seen.committed = count,
        Down::LogsWanted(wanted) => seen.logs_wanted.push(wanted),
        Down::RenewNow(pb::RenewNow {}) => seen.renewals += 1,
        Down::Welcome(_) | Down::HeartbeatPeriodMs(_) | Down::LogsDone(_) => {}
    }
    report
}

fn done(assignment: &pb::TaskAssignment) -> pb::TaskReport {
    let state = match assignment.desired() {
        pb::DesiredState::DesiredReady => pb::TaskState::Ready,
        pb::DesiredState::DesiredRunning => pb::TaskState::Running,
        pb::DesiredState::DesiredShutdown | pb::DesiredState::DesiredRemove => pb::TaskState::Shutdown,
    };
    let status = pb::TaskStatus { state: state.into(), message: "fake".into(), ..Default::default() };
    pb::TaskReport { task: assignment.task.clone(), status: Some(status) }
}
