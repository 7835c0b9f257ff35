//! A fake agent: the real protocol over real TLS, containers that run at once, and a data path that is whatever the last view says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use cluster_api::pb;
use cluster_api::pb::agent_message::Item as Up;
use cluster_api::pb::dispatcher_client::DispatcherClient;
use cluster_api::pb::manager_message::Item as Down;
use cluster_types::{ViewDiff, ViewItem, ViewItems, ViewKey};
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
    /// The network view, as far as all of its pieces have come.
    pub(crate) view: ViewItems,
    /// The version of it.
    pub(crate) version: u64,
    /// How many views came, each counted once.
    pub(crate) views: u32,
    /// Pieces of a view that is not complete yet.
    pieces: Vec<ViewDiff>,
    /// Views are taken but not acknowledged: the host's data path hangs.
    pub(crate) silent: bool,
    /// The tasks that it was ever told to stop.
    pub(crate) stopped: BTreeSet<String>,
    /// Whether a task was assigned whose networks no view has shown.
    pub(crate) surprised: bool,
}

impl Seen {
    /// The addresses that a service's name leads to here.
    pub(crate) fn endpoints(&self, service: &str) -> Vec<Ipv4Addr> {
        let service = self.view.values().find_map(|item| match &**item {
            ViewItem::Service(view) if view.name == service => Some(view),
            _ => None,
        });
        service.iter().flat_map(|view| &view.networks).flat_map(|network| &network.endpoints).map(|endpoint| endpoint.address).collect()
    }
}

pub(crate) struct Agent {
    pub(crate) told: Told,
    up: mpsc::Sender<pb::AgentMessage>,
    running: JoinHandle<Result<(), Status>>,
}

impl Agent {
    pub(crate) fn start(hostname: &str, nonce: &str, channel: Channel) -> Self {
        let (told, (up, messages)) = (Told::default(), mpsc::channel(64));
        let description = Some((&description(hostname)).into());
        let hello = pb::Hello { description, nonce: nonce.to_owned(), boot_id: "boot".into() };
        up.try_send(pb::AgentMessage { item: Some(Up::Hello(hello)) }).unwrap();
        let running = tokio::spawn(run(channel, up.clone(), messages, Arc::clone(&told)));
        Self { told, up, running }
    }

    /// Says something of its own accord.
    pub(crate) async fn say(&self, item: Up) {
        self.up.send(pb::AgentMessage { item: Some(item) }).await.unwrap();
    }

    /// Acknowledges what it was shown, and from now on at once.
    pub(crate) async fn speak(&self) {
        let version = {
            let mut seen = self.told.lock().unwrap();
            seen.silent = false;
            seen.version
        };
        self.say(Up::NetworkApplied(pb::NetworkApplied { version })).await;
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

type Messages = mpsc::Receiver<pb::AgentMessage>;

async fn run(channel: Channel, up: mpsc::Sender<pb::AgentMessage>, messages: Messages, told: Told) -> Result<(), Status> {
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
        let answer = take(&mut told.lock().unwrap(), message);
        if let Some(item) = answer {
            drop(up.send(pb::AgentMessage { item: Some(item) }).await);
        }
    }
}

/// Takes note of a message; says of what it asks for that it is done.
fn take(seen: &mut Seen, message: pb::ManagerMessage) -> Option<Up> {
    let stamp = message.stamp.unwrap();
    match message.item.unwrap() {
        Down::Assignments(piece) => {
            assert_eq!(stamp.sequence, seen.sequence + 1, "a gap in the sequence");
            assert_eq!(piece.full, stamp.sequence == 1);
            seen.sequence = stamp.sequence;
            return assign(seen, piece);
        }
        Down::Network(piece) => {
            assert_eq!(stamp.sequence, seen.sequence, "views do not count");
            return show(seen, piece);
        }
        Down::ReportsCommitted(count) => seen.committed = count,
        Down::LogsWanted(wanted) => seen.logs_wanted.push(wanted),
        Down::RenewNow(pb::RenewNow {}) => seen.renewals += 1,
        Down::Welcome(_) | Down::HeartbeatPeriodMs(_) | Down::LogsDone(_) => {}
    }
    None
}

fn assign(seen: &mut Seen, piece: pb::Assignments) -> Option<Up> {
    for task in piece.remove {
        seen.assignments.remove(&task);
    }
    let report = pb::Report { tasks: piece.put.iter().map(done).collect() };
    for assignment in piece.put {
        let networks = assignment.addresses.iter().map(|has| ViewKey::Network(has.network.parse().unwrap()));
        let known = networks.fold(seen.views > 0, |known, key| known && seen.view.contains_key(&key));
        // A task that ended needs no network.
        seen.surprised |= !known && assignment.desired() <= pb::DesiredState::DesiredRunning;
        if assignment.desired() >= pb::DesiredState::DesiredShutdown {
            seen.stopped.insert(assignment.task.clone());
        }
        seen.assignments.insert(assignment.task.clone(), assignment);
    }
    (!report.tasks.is_empty()).then_some(Up::Report(report))
}

fn show(seen: &mut Seen, piece: pb::NetworkPiece) -> Option<Up> {
    let (more, version) = (piece.more, piece.version);
    assert_eq!(piece.full, seen.views == 0 && seen.pieces.is_empty(), "a session begins with a full view");
    seen.pieces.push(ViewDiff::try_from(piece).unwrap());
    if more {
        return None;
    }
    assert!(version > seen.version || seen.views == 0, "versions grow");
    for diff in std::mem::take(&mut seen.pieces) {
        diff.apply(&mut seen.view);
    }
    (seen.version, seen.views) = (version, seen.views + 1);
    (!seen.silent).then_some(Up::NetworkApplied(pb::NetworkApplied { version }))
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
