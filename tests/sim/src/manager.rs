//! A manager: its disk, its part in the consensus, its copy of the state, and what it does while it leads.
//!
//! The consensus is Raft as in the paper: terms, votes, a log that is replicated by messages and committed when a majority has it on disk,
//! snapshots. Between any two of its steps the process may die; what was not synced may be lost then.

mod apply;
mod election;
mod log;
mod replicate;

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_seeds::Chance;
use cluster_state::State;
use cluster_types::{Entry, Timestamp};

use self::log::Log;
pub(crate) use self::log::Logged;
use crate::clock::{SlewedClock, WallClock};
use crate::context::Context;
use crate::event::Event;
use crate::leader::Leader;

/// Between two looks at the timers.
const TICK: u64 = 75;
/// Between two signs of life of a leader. The product's.
const HEARTBEAT: u64 = 150;
/// The product's election timeout.
const ELECTION: std::ops::RangeInclusive<u64> = 400..=800;
/// How long a proposal may take. The product's.
pub(crate) const PROPOSAL: u64 = 2_000;

/// A message between managers.
#[derive(Debug, Clone)]
pub(crate) enum RaftMessage {
    /// Asks for a vote.
    Ask {
        term: u64,
        last: u64,
        last_term: u64,
    },
    Vote {
        term: u64,
        is_granted: bool,
    },
    /// Entries after `previous`, perhaps none.
    Append {
        term: u64,
        previous: u64,
        previous_term: u64,
        entries: Vec<Arc<Logged>>,
        commit: u64,
    },
    /// The log is the leader's up to `matched`, on disk; or it has another entry there, or none.
    Appended {
        term: u64,
        is_match: bool,
        matched: u64,
    },
    /// A snapshot as bytes, in the place of entries that the leader has no longer.
    Install {
        term: u64,
        index: u64,
        index_term: u64,
        snapshot: Arc<Vec<u8>>,
    },
}

impl RaftMessage {
    fn term(&self) -> u64 {
        match self {
            Self::Ask { term, .. }
            | Self::Vote { term, .. }
            | Self::Append { term, .. }
            | Self::Appended { term, .. }
            | Self::Install { term, .. } => *term,
        }
    }
}

/// What survives the process.
#[derive(Default)]
pub(crate) struct Disk {
    pub(crate) term: u64,
    pub(crate) vote: Option<usize>,
    pub(crate) log: Log,
    snapshot: State,
    /// The snapshot as bytes, once somebody needs it.
    encoded: Option<Arc<Vec<u8>>>,
}

/// What a member is in its term.
pub(crate) enum Role {
    Follower,
    Candidate { votes: u64 },
    Leader { followers: BTreeMap<usize, Follower>, mark: u64 },
}

/// How far a follower is, as its leader knows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Follower {
    /// What is sent next.
    next: u64,
    /// What it has on disk.
    matched: u64,
    /// `matched` at the last heartbeat: without progress since, everything after it is sent again.
    seen: u64,
    /// When it was last heard.
    heard: u64,
}

/// See the module.
pub(crate) struct Manager {
    pub(crate) id: usize,
    /// How many managers there are.
    pub(crate) count: usize,
    pub(crate) is_up: bool,
    /// Counts its starts.
    pub(crate) life: u64,
    pub(crate) wall: WallClock,
    pub(crate) clock: SlewedClock,
    pub(crate) disk: Disk,
    pub(crate) role: Role,
    /// Whom it takes for the leader.
    pub(crate) leads: Option<usize>,
    pub(crate) commit: u64,
    /// Index of the last entry that its state has, marks of leaders included.
    pub(crate) applied: u64,
    pub(crate) state: State,
    /// How many nodes there are in its state.
    pub(crate) nodes: usize,
    pub(crate) leader: Option<Leader>,
    /// Up to where its log is that of the term's leader.
    verified: u64,
    stand_at: u64,
    beat_at: u64,
    /// How long a sync takes.
    pub(crate) sync_millis: u64,
    /// Until then its disk syncs nothing.
    pub(crate) stalls_until: u64,
    /// Counts the times that it began to lead.
    leads_count: u64,
}

impl Manager {
    /// One that has never run.
    pub(crate) fn new(id: usize, count: usize, state: State) -> Self {
        let disk = Disk { snapshot: state.clone(), ..Disk::default() };
        let mut manager = Self {
            id,
            count,
            is_up: false,
            life: 0,
            wall: WallClock::default(),
            clock: SlewedClock::new(0, WallClock::default()),
            disk,
            role: Role::Follower,
            leads: None,
            commit: 0,
            applied: 0,
            nodes: state.view().node_count(),
            state,
            leader: None,
            verified: 0,
            stand_at: 0,
            beat_at: 0,
            sync_millis: 1,
            stalls_until: 0,
            leads_count: 0,
        };
        let index = manager.state.index().0;
        manager.disk.log.reset(index, 0);
        manager
    }

    /// The process starts on what is on the disk.
    pub(crate) fn start(&mut self, context: &mut Context) {
        self.is_up = true;
        self.life += 1;
        self.clock = SlewedClock::new(context.now, self.wall);
        self.role = Role::Follower;
        self.leads = None;
        self.leader = None;
        self.state = self.disk.snapshot.clone();
        self.nodes = self.state.view().node_count();
        self.applied = self.disk.log.base();
        self.commit = self.applied;
        self.verified = self.applied;
        self.wait_for_leader(context);
        context.after(self.id as u64 * 7 % TICK, Event::ManagerTick { manager: self.id, life: self.life });
        context.say(&format!("manager {} starts: term {}, log {}..{}", self.id, self.disk.term, self.applied, self.disk.log.last()));
    }

    /// The power goes. Whether something that was not synced is lost.
    pub(crate) fn crash(&mut self, chance: &mut Chance) -> bool {
        self.is_up = false;
        self.life += 1;
        self.leader = None;
        self.role = Role::Follower;
        self.disk.log.crash(chance)
    }

    /// Its reading of the time.
    pub(crate) fn now(&mut self, context: &Context) -> Timestamp {
        self.clock.read(context.now, self.wall)
    }

    /// The same for who only looks.
    pub(crate) fn clock_reading(&self, now: u64) -> Timestamp {
        SlewedClock::read(&mut self.clock.clone(), now, self.wall)
    }

    pub(crate) fn tick(&mut self, context: &mut Context) {
        context.after(TICK, Event::ManagerTick { manager: self.id, life: self.life });
        self.now(context);
        match &self.role {
            Role::Leader { .. } => {
                if context.now >= self.beat_at {
                    self.beat_at = context.now + HEARTBEAT;
                    self.beat(context);
                }
                self.lead_tick(context);
            }
            Role::Follower | Role::Candidate { .. } if context.now >= self.stand_at => self.stand(context),
            Role::Follower | Role::Candidate { .. } => {}
        }
    }

    /// A message of another manager.
    pub(crate) fn hear(&mut self, from: usize, message: RaftMessage, context: &mut Context) {
        let term = message.term();
        context.trace.mix(term << 8 | from as u64);
        if term > self.disk.term {
            self.adopt(term, context);
        }
        match message {
            RaftMessage::Ask { term, last, last_term } => self.asked(from, term, (last_term, last), context),
            RaftMessage::Vote { term, is_granted } => {
                if term == self.disk.term && is_granted {
                    self.elected_by(from, context);
                }
            }
            RaftMessage::Append { term, previous, previous_term, entries, commit } => {
                if self.follows(from, term, context) {
                    self.append_after((previous, previous_term), &entries, commit, from, context);
                }
            }
            RaftMessage::Appended { term, is_match, matched } => {
                if term == self.disk.term {
                    self.answered(from, is_match, matched, context);
                }
            }
            RaftMessage::Install { term, index, index_term, snapshot } => {
                if self.follows(from, term, context) {
                    self.install(from, (index, index_term), &snapshot, context);
                }
            }
        }
    }

    /// Appends an entry as the leader. The index that it has if it is committed; none when this manager does not lead.
    pub(crate) fn propose(&mut self, entry: Entry, context: &mut Context) -> Option<u64> {
        let Role::Leader { .. } = self.role else { return None };
        let index = self.disk.log.append(Arc::new(Logged { term: self.disk.term, entry: Some(entry) }));
        self.sync(context);
        self.replicate(context);
        Some(index)
    }

    /// Asks the disk to sync what is in the log now.
    fn sync(&mut self, context: &mut Context) {
        let (epoch, upto) = (self.disk.log.epoch(), self.disk.log.last());
        let at = self.stalls_until.max(context.now + context.chance.within(0..=self.sync_millis));
        context.queue.push(at, Event::Synced { manager: self.id, life: self.life, epoch, upto });
    }

    /// What was written is on the disk.
    pub(crate) fn synced(&mut self, epoch: u64, upto: u64, context: &mut Context) {
        self.disk.log.note_synced(epoch, upto);
        match (&self.role, self.leads) {
            (Role::Leader { .. }, _) => self.advance(context),
            (Role::Follower, Some(leader)) => self.acknowledge(leader, context),
            (Role::Follower | Role::Candidate { .. }, _) => {}
        }
    }

    /// Gives up leadership without a word to the others.
    pub(crate) fn step_down(&mut self, context: &mut Context) {
        if let Role::Leader { .. } = self.role {
            context.say(&format!("manager {} steps down in term {}", self.id, self.disk.term));
            self.become_follower(context);
            // The others first.
            self.stand_at += ELECTION.end();
        }
    }

    pub(crate) fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }

    /// How many of all managers are a majority.
    fn majority(&self) -> usize {
        if cluster_types::bug!(FalseQuorum) { self.count / 2 } else { self.count / 2 + 1 }
    }
}
