//! The state machine: applies committed entries in order, then shows the new view, then tells what happened, then answers proposers.
//!
//! The only place that changes the state. It keeps the state in memory; a snapshot file and the log behind it rebuild it at start.

pub mod feed;
pub mod publisher;
pub mod snapshot;
pub mod snapshots;

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use cluster_state::{Applied, State};
use cluster_types::bug;
use futures::{Stream, TryStreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftSnapshotBuilder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, Snapshot};

use crate::platform::{Platform, Tokio};
use crate::raft::propose::Committed;
use crate::types::{LogEntry, LogId, Reply, SnapshotMeta, StoredMembership, Types};
use publisher::Publisher;
use snapshot::SnapshotFile;
use snapshots::Snapshots;

/// A snapshot as openraft passes it around.
pub type FileSnapshot = openraft::type_config::alias::SnapshotOf<Types, SnapshotFile>;

/// The state and how far it is.
pub struct Machine<P = Tokio> {
    platform: PhantomData<P>,
    state: State,
    applied: Option<LogId>,
    membership: StoredMembership,
    publisher: Arc<Publisher>,
    snapshots: Arc<Snapshots>,
}

impl<P: Platform> Machine<P> {
    /// The state as it is now.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state of the newest snapshot, or an empty one.
    ///
    /// # Errors
    /// When the snapshot cannot be read or is damaged.
    pub fn open(publisher: Arc<Publisher>, snapshots: Arc<Snapshots>) -> io::Result<Self> {
        let mut machine = Self {
            platform: PhantomData,
            state: State::new(),
            applied: None,
            membership: StoredMembership::default(),
            publisher,
            snapshots: snapshots.clone(),
        };
        if let Some((meta, file)) = snapshots.current() {
            let state = file.state()?;
            machine.replace(&meta, state);
        }
        Ok(machine)
    }

    fn replace(&mut self, meta: &SnapshotMeta, state: State) {
        self.state = state;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.publisher.replace(self.state.view());
    }

    /// Applies one entry. Entries that only Raft reads leave the state alone.
    fn apply_entry(&mut self, entry: &LogEntry) -> io::Result<Option<Applied>> {
        let applied = match &entry.payload {
            EntryPayload::Blank => None,
            EntryPayload::Normal(command) => {
                let decoded = command.decode().map_err(|error| {
                    io::Error::other(format!("entry {} was written by another version: {error}; update this manager", entry.log_id.index))
                })?;
                Some(self.state.apply(entry.log_id.index, &decoded))
            }
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership.clone());
                None
            }
        };
        self.applied = Some(entry.log_id);
        Ok(applied)
    }
}

impl<P: Platform> RaftStateMachine<Types<P>> for Machine<P> {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Builder<P>;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types<P>>>> + Unpin + OptionalSend,
    {
        let mut answers: Vec<(ApplyResponder<Types<P>>, Reply)> = Vec::new();
        let mut events: Vec<Arc<Applied>> = Vec::new();
        while let Some((entry, responder)) = entries.try_next().await? {
            let applied = self.apply_entry(&entry)?;
            if let Some(responder) = responder {
                let committed = applied.as_ref().map(|applied| Committed { index: applied.index, outcomes: applied.outcomes.clone() });
                answers.push((responder, Reply(committed)));
            }
            events.extend(applied.filter(|applied| !applied.events.is_empty()).map(Arc::new));
        }
        // Whoever hears of an entry, by event or by answer, sees it in the view.
        self.publisher.publish(self.state.view(), events);
        for (responder, reply) in answers {
            responder.send(reply);
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder<P> {
        let meta = SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() };
        Builder { platform: PhantomData, meta, state: self.state.clone(), snapshots: self.snapshots.clone() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotFile) -> io::Result<()> {
        let (snapshots, wanted) = (self.snapshots.clone(), meta.clone());
        let state = P::beside(move || snapshots.install(&wanted, &snapshot)).await?;
        if bug!(SnapshotNotTaken) {
            self.applied = meta.last_log_id;
            return Ok(());
        }
        self.replace(meta, state);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<FileSnapshot>> {
        Ok(self.snapshots.current().map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Makes a snapshot of the state as it was when this was made, beside the running machine.
pub struct Builder<P = Tokio> {
    platform: PhantomData<P>,
    meta: SnapshotMeta,
    state: State,
    snapshots: Arc<Snapshots>,
}

impl<P: Platform> RaftSnapshotBuilder<Types<P>> for Builder<P> {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> io::Result<FileSnapshot> {
        let (meta, state, snapshots) = (self.meta.clone(), self.state.clone(), self.snapshots.clone());
        let snapshot = P::beside(move || snapshots.build(&meta, &state)).await?;
        Ok(Snapshot { meta: self.meta.clone(), snapshot })
    }
}
