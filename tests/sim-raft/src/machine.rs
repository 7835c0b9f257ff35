//! The product's state machine, and a look at each entry that it applies.

use std::io;
use std::sync::Arc;

use cluster_raft::machine::snapshot::SnapshotFile;
use cluster_raft::machine::{Builder, FileSnapshot, Machine};
use cluster_raft::types::{LogEntry, LogId, SnapshotMeta, StoredMembership, Types};
use cluster_raft::{Feed, Subscription};
use cluster_types::RequestId;
use futures::{FutureExt, Stream, TryStreamExt, stream};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend};

use crate::checks::Seen;
use crate::manager::Process;
use crate::platform::Sim;
use crate::world::World;

/// The state is compared at every index that this divides, and at all of them in the end: a hash costs as much as a snapshot.
const HASHED: u64 = 8;

/// See the module.
pub(crate) struct Watched {
    pub(crate) machine: Machine<Sim>,
    pub(crate) feed: Subscription,
    pub(crate) world: Arc<World>,
    pub(crate) process: Process,
}

fn request(entry: &LogEntry) -> Option<RequestId> {
    match &entry.payload {
        EntryPayload::Normal(command) => command.decode().ok().map(|entry| entry.request),
        EntryPayload::Blank | EntryPayload::Membership(_) => None,
    }
}

impl Watched {
    fn tell(&mut self, id: LogId, request: Option<RequestId>) {
        let mut events = Vec::new();
        while let Some(Some(Feed::Applied(applied))) = self.feed.next().now_or_never() {
            events.extend(applied.events.iter().map(|event| (event.object.key(), event.object.meta().version, event.kind)));
        }
        // What a process that has ended still does here is no longer part of the world.
        if self.process.is_alive() {
            let is_hashed = id.index.is_multiple_of(HASHED) || self.world.lock().weather.is_fair;
            let hash = is_hashed.then(|| self.machine.state().hash());
            self.world.applied(self.process.id, Seen { id, request, hash, events });
        }
    }
}

impl RaftStateMachine<Types<Sim>> for Watched {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Builder<Sim>;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        self.machine.applied_state().await
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types<Sim>>>> + Unpin + OptionalSend,
    {
        while let Some((entry, responder)) = entries.try_next().await? {
            let (id, request) = (entry.log_id, request(&entry));
            self.machine.apply(stream::iter([Ok((entry, responder))])).await?;
            self.tell(id, request);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder<Sim> {
        self.machine.get_snapshot_builder().await
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> io::Result<()> {
        self.machine.install_snapshot(meta, snapshot).await?;
        while let Some(Some(_)) = self.feed.next().now_or_never() {}
        if self.process.is_alive() {
            self.world.restored(self.process.id, meta.last_log_id, self.machine.state().hash());
        }
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<FileSnapshot>> {
        self.machine.get_current_snapshot().await
    }
}
