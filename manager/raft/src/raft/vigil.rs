//! Notices at once that the leader's process has died, without waiting for its lease to run out.
//!
//! Each follower keeps a silent call open to the leader. The kernel closes it with the process; when connecting again fails too, the leader
//! counts as gone for this manager. When a majority of the voters says the same, one stands for election, and those who agree do not hold
//! the leader's lease against it. A cut network closes nothing, so there the lease decides as ever. Nothing here can make two leaders: it
//! only decides when an election begins; reads do not rely on leases.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use openraft::async_runtime::WatchReceiver;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::Code;

use super::leadership::Leadership;
use crate::machine::Machine;
use crate::network::client::Peers;
use crate::network::wire::read;
use crate::types::Types;

/// Managers stand one after another, in the order of their ids, so that their votes do not split.
const STEP: Duration = Duration::from_millis(30);
/// How long one waits for another to notice the same.
const NOTICE: Duration = Duration::from_millis(100);
/// Time between two tries while nobody has been elected.
const RETRY: Duration = Duration::from_millis(100);
/// How often the longest pause after an election that was lost doubles: up to 3.2 s, well above the others' own time-outs.
const DOUBLINGS: u32 = 5;

/// What this manager knows of the leader's process.
pub struct Vigil {
    gone: watch::Sender<Option<u64>>,
    leadership: watch::Receiver<Leadership>,
}

impl Vigil {
    /// Nothing is known yet.
    pub(crate) fn new(leadership: watch::Receiver<Leadership>) -> Self {
        Self { gone: watch::Sender::new(None), leadership }
    }

    /// The leader that is gone, as far as this manager can tell.
    #[must_use]
    pub fn gone(&self) -> Option<u64> {
        *self.gone.borrow()
    }

    /// Whether this manager has no reason to wait for `leader`: it is gone here, too, or nobody leads (two may have stood at once, and
    /// the one that won stepped down for the other). Waits a moment to notice.
    pub(crate) async fn agrees(&self, leader: u64) -> bool {
        let (mut gone, mut leadership) = (self.gone.subscribe(), self.leadership.clone());
        tokio::select! {
            noticed = gone.wait_for(|gone| *gone == Some(leader)) => noticed.is_ok(),
            nobody = leadership.wait_for(|seen| seen.leader.is_none()) => nobody.is_ok(),
            () = sleep(NOTICE) => false,
        }
    }
}

/// Keeps watch over each leader in turn until Raft stops.
pub(super) async fn keep(
    vigil: Arc<Vigil>,
    raft: openraft::Raft<Types, Machine>,
    mut leadership: watch::Receiver<Leadership>,
    peers: Peers,
) {
    loop {
        let now = *leadership.borrow_and_update();
        let known = now.leader;
        if known.is_some() {
            vigil.gone.send_replace(None);
        }
        let Some((leader, address)) = known.filter(|(leader, _)| *leader != peers.id) else {
            // Nobody is watched: this manager leads, or nobody is known to.
            if leadership.changed().await.is_err() {
                return;
            }
            continue;
        };
        let mut following = leadership.clone();
        let watching = async {
            lost(&peers, leader, address).await;
            tracing::warn!(leader, "the leader's process is gone");
            vigil.gone.send_replace(Some(leader));
            replace(&raft, &peers, &leadership, leader, address).await;
        };
        // While votes are given, nobody is known to lead: what this manager knows of the old leader stays until there is a new one.
        let other = following.wait_for(|seen| seen.leader.is_some() && (seen.leader != known || seen.term != now.term));
        tokio::select! {
            other = other => if other.is_err() { return },
            // It came back before anybody was elected.
            () = watching => {}
        }
    }
}

/// Ends when the leader's process is gone.
async fn lost(peers: &Peers, leader: u64, address: SocketAddr) {
    let (mut stub, label) = peers.stub(leader, address);
    let Ok(message) = label.message(&()) else { return std::future::pending().await };
    loop {
        match stub.follow(message.clone()).await {
            Ok(call) => {
                // It says nothing; that it ended is the news.
                let mut silence = call.into_inner();
                while let Ok(Some(_)) = silence.message().await {}
            }
            Err(status) if status.code() == Code::Unavailable => return,
            // It answers, so it lives; it may not know yet whom we mean.
            Err(_) => sleep(RETRY).await,
        }
    }
}

/// Stands for election when it is this manager's turn and a majority agrees; ends when the leader answers again.
async fn replace(
    raft: &openraft::Raft<Types, Machine>,
    peers: &Peers,
    leadership: &watch::Receiver<Leadership>,
    leader: u64,
    address: SocketAddr,
) {
    let mut term = leadership.borrow().term;
    let mut stood = 0;
    loop {
        let voters = voters(raft);
        let others = voters.keys().filter(|id| **id != leader);
        let rank = others.clone().position(|id| *id == peers.id).and_then(|rank| u32::try_from(rank).ok());
        sleep(STEP * rank.unwrap_or(0)).await;
        let newest = leadership.borrow().term;
        // A newer term means that somebody stands already.
        let turn = rank.is_some() && std::mem::replace(&mut term, newest) == newest;
        if turn && agreed(peers, leader, &voters).await {
            if raft.trigger().elect(false).await.is_err() {
                return;
            }
            stood += 1;
        }
        sleep(pause(stood, rand::random())).await;
        if answers(peers, leader, address).await {
            return;
        }
    }
}

/// How long to wait after having stood so many times. Each time raises the term, which undoes the vote and the pre-vote of another: one that
/// cannot win, because its log is shorter, must leave the other the time to. By chance (0 to 1), or two would go on in step.
fn pause(stood: u32, chance: f64) -> Duration {
    RETRY / 2 + (RETRY * 2_u32.pow(stood.min(DOUBLINGS))).mul_f64(chance)
}

fn voters(raft: &openraft::Raft<Types, Machine>) -> BTreeMap<u64, SocketAddr> {
    let metrics = raft.server_metrics();
    let metrics = metrics.borrow_watched();
    let membership = metrics.membership_config.membership();
    membership.voter_ids().filter_map(|id| Some((id, membership.get_node(&id)?.addr.parse().ok()?))).collect()
}

/// Whether the leader can be called again.
async fn answers(peers: &Peers, leader: u64, address: SocketAddr) -> bool {
    let (mut stub, label) = peers.stub(leader, address);
    let Ok(message) = label.message(&()) else { return false };
    stub.follow(message).await.is_ok()
}

/// Whether a majority of the voters, this one included, sees that the leader is gone.
async fn agreed(peers: &Peers, leader: u64, voters: &BTreeMap<u64, SocketAddr>) -> bool {
    let majority = voters.len() / 2 + 1;
    let others = voters.iter().filter(|(id, _)| **id != leader && **id != peers.id);
    let mut answers: FuturesUnordered<_> = others.map(|(id, address)| ask(peers, leader, *id, *address)).collect();
    let mut agreeing = 1;
    while agreeing < majority {
        match answers.next().await {
            Some(true) => agreeing += 1,
            Some(false) => {}
            None => return false,
        }
    }
    true
}

async fn ask(peers: &Peers, leader: u64, id: u64, address: SocketAddr) -> bool {
    let (mut stub, label) = peers.stub(id, address);
    let Ok(message) = label.message(&leader) else { return false };
    let answer = timeout(NOTICE * 2, stub.gone(message)).await;
    matches!(answer, Ok(Ok(answer)) if read(answer.get_ref()).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_keeps_losing_waits_longer_than_the_others_time_outs() {
        let longest: Vec<Duration> = (0..10).map(|stood| pause(stood, 1.0)).collect();
        assert!(longest.is_sorted() && longest[0] < RETRY * 2);
        assert!(longest[9] > super::super::config::Timing::default().election_max * 3);
        assert!((0..10).all(|stood| pause(stood, 0.0) == RETRY / 2), "and yet never in step with another");
    }
}
