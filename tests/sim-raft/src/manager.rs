//! One manager: the real openraft over the real log, machine and snapshots, on a simulated disk and network.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_raft::Leadership;
use cluster_raft::log::store::LogStore;
use cluster_raft::log::writer::{Job, Writer};
use cluster_raft::machine::Machine;
use cluster_raft::machine::publisher::Publisher;
use cluster_raft::machine::snapshots::Snapshots;
use cluster_raft::types::Types;
use futures::future::select;
use openraft::BasicNode;
use openraft::async_runtime::WatchReceiver;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::disk::SimDisk;
use crate::machine::Watched;
use crate::network::Network;
use crate::platform::{Sim, sleep, spawn};
use crate::world::World;

/// Bytes of a segment: small, so that logs have many.
const SEGMENT_BYTES: u64 = 16 << 10;

/// openraft's handle.
pub(crate) type Raft = openraft::Raft<Types<Sim>, Watched>;

/// One life of a manager, from its start to its end.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) id: u64,
    pub(crate) disk: SimDisk,
    pub(crate) snapshots: Arc<Snapshots>,
    pub(crate) publisher: Arc<Publisher>,
}

impl Process {
    pub(crate) fn is_alive(&self) -> bool {
        self.disk.is_alive()
    }
}

/// What a start may end in.
enum Failed {
    /// It was ended in the middle.
    Ended,
    /// It does not start, and never will.
    Broken(String),
}

/// Starts a manager from what is on its disk.
pub(crate) async fn start(world: Arc<World>, id: u64, disk: SimDisk) {
    match open(&world, id, &disk).await {
        Ok((raft, process)) => {
            spawn(follow(world.clone(), process.clone(), raft.clone()));
            world.started(id, raft, process);
        }
        Err(Failed::Broken(why)) if disk.is_alive() => world.violated("I1", format!("manager {id} does not start: {why}")),
        Err(Failed::Broken(_) | Failed::Ended) => world.say(&format!("manager {id} ended while it started")),
    }
}

async fn open(world: &Arc<World>, id: u64, disk: &SimDisk) -> Result<(Raft, Process), Failed> {
    let broken = |error: &dyn std::fmt::Display| Failed::Broken(error.to_string());
    let (jobs, queue) = unbounded_channel();
    let ask = Box::new(move |job| jobs.send(job).is_ok());
    let (log, writer) = LogStore::open_without_threads(Arc::new(disk.clone()), SEGMENT_BYTES, ask).map_err(|error| broken(&error))?;
    let snapshots = Arc::new(Snapshots::open(Arc::new(disk.clone())).map_err(|error| broken(&error))?);
    let publisher = Arc::<Publisher>::default();
    let machine = Machine::open(publisher.clone(), snapshots.clone()).map_err(|error| broken(&error))?;
    let process = Process { id, disk: disk.clone(), snapshots: snapshots.clone(), publisher: publisher.clone() };
    spawn(write(world.clone(), process.clone(), writer, queue));
    let applied = snapshots.current().and_then(|(meta, _)| meta.last_log_id);
    world.restored(id, applied, machine.state().hash());
    let (_, feed) = publisher.subscribe();
    let machine = Watched { machine, feed, world: world.clone(), process: process.clone() };
    let network = Network { world: world.clone(), process: process.clone() };
    let raft = Raft::new(id, world.settings(), network, log, machine).await.map_err(|error| broken(&error))?;
    if process.is_alive() { Ok((raft, process)) } else { Err(Failed::Ended) }
}

/// The log's writer: as the product's thread, and between taking a batch and writing it passes what the disk takes.
async fn write(world: Arc<World>, process: Process, mut writer: Writer<Sim>, mut queue: UnboundedReceiver<Job<Sim>>) {
    while let Some(first) = queue.recv().await {
        let mut batch = vec![first];
        while let Ok(job) = queue.try_recv() {
            batch.push(job);
        }
        let stop = writer.gather(batch);
        sleep(world.sync_time(process.id)).await;
        if !process.is_alive() {
            return;
        }
        writer.finish();
        if stop {
            return;
        }
    }
}

/// Makes a new group.
pub(crate) async fn begin(raft: &Raft, managers: u64) {
    let members: BTreeMap<u64, BasicNode> = (1..=managers).map(|id| (id, BasicNode::new(format!("127.0.0.1:{}", 7_000 + id)))).collect();
    // An error means that it ended in the middle; the group begins with another try then.
    let _ = raft.initialize(members).await;
}

/// Tells the world who this manager says leads, until it ends.
async fn follow(world: Arc<World>, process: Process, raft: Raft) {
    let mut server = raft.server_metrics();
    let mut data = raft.data_metrics();
    let mut told = None;
    while process.is_alive() {
        let now = Leadership::of(&server.borrow_and_update(), &data.borrow_and_update());
        let elected = raft.is_leader();
        if told.replace((now, elected)) != Some((now, elected)) {
            world.leads(process.id, now, elected);
        }
        let (server, data) = (Box::pin(server.changed()), Box::pin(data.changed()));
        let ended = match select(server, data).await {
            futures::future::Either::Left((changed, _)) | futures::future::Either::Right((changed, _)) => changed.is_err(),
        };
        if ended {
            return;
        }
    }
}
