//! Who leads, as this manager sees it.

use std::net::SocketAddr;

use openraft::async_runtime::WatchReceiver;
use openraft::metrics::{RaftDataMetrics, RaftServerMetrics};
use tokio::sync::watch;

use super::Raft;
use crate::machine::Machine;
use crate::platform::Platform;
use crate::types::Types;

/// Who leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leadership {
    /// The leader's Raft id and address; none while nobody is known to lead.
    pub leader: Option<(u64, SocketAddr)>,
    /// The term. It only grows; whoever leads in an older one is to be ignored.
    pub term: u64,
    /// This manager leads, and has applied all that earlier leaders committed.
    pub is_self_and_ready: bool,
}

impl Raft {
    /// Who leads, and each change of it.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }
}

/// Keeps the leadership up to date until Raft stops.
pub(super) async fn follow(raft: openraft::Raft<Types, Machine>, sender: watch::Sender<Leadership>) {
    let mut server = raft.server_metrics();
    let mut data = raft.data_metrics();
    loop {
        let (now, waits) = {
            let (server, data) = (server.borrow_and_update(), data.borrow_and_update());
            (Leadership::of(&server, &data), server.state.is_leader() && !is_ready(&server, &data))
        };
        sender.send_if_modified(|known| std::mem::replace(known, now) != now);
        // Each applied entry counts only while a new leader waits for its first one.
        let changed = tokio::select! {
            changed = server.changed() => changed,
            changed = data.changed(), if waits => changed,
        };
        if changed.is_err() {
            break;
        }
    }
    sender.send_modify(|known| *known = Leadership { term: known.term, ..Leadership::default() });
}

impl Leadership {
    /// What openraft's metrics say.
    #[must_use]
    pub fn of<P: Platform>(server: &RaftServerMetrics<Types<P>>, data: &RaftDataMetrics<Types<P>>) -> Self {
        let leader = server.current_leader.and_then(|id| {
            let node = server.membership_config.membership().get_node(&id)?;
            Some((id, node.addr.parse().ok()?))
        });
        Self { leader, term: server.vote.leader_id.term, is_self_and_ready: is_ready(server, data) }
    }
}

/// A leader is ready when it has applied an entry of its own term: all before it is applied then, too.
fn is_ready<P: Platform>(server: &RaftServerMetrics<Types<P>>, data: &RaftDataMetrics<Types<P>>) -> bool {
    server.state.is_leader()
        && server.vote.committed
        && data.last_applied.is_some_and(|applied| applied.leader_id.term == server.vote.leader_id.term)
}
