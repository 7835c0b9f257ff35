//! Who leads: standing for election, voting, and following.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ELECTION, Follower, Logged, Manager, RaftMessage, Role};
use crate::context::Context;

impl Manager {
    /// Begins to wait for a sign of life of a leader.
    pub(super) fn wait_for_leader(&mut self, context: &mut Context) {
        self.stand_at = context.now + context.chance.within(ELECTION);
    }

    /// A later term has begun.
    pub(super) fn adopt(&mut self, term: u64, context: &mut Context) {
        self.disk.term = term;
        self.disk.vote = None;
        self.leads = None;
        self.verified = self.verified.min(self.commit);
        self.become_follower(context);
    }

    pub(super) fn become_follower(&mut self, context: &mut Context) {
        if self.is_leader() {
            context.say(&format!("manager {} leads no longer", self.id));
            self.wait_for_leader(context);
            self.end_lead(context);
            self.leads = None;
            self.verified = self.commit;
        }
        self.role = Role::Follower;
    }

    /// Stands for election.
    pub(super) fn stand(&mut self, context: &mut Context) {
        self.disk.term += 1;
        self.disk.vote = Some(self.id);
        self.leads = None;
        self.verified = self.commit;
        self.role = Role::Candidate { votes: 1 << self.id };
        self.wait_for_leader(context);
        context.trace.mix(self.disk.term);
        let ask = RaftMessage::Ask { term: self.disk.term, last: self.disk.log.last(), last_term: self.disk.log.last_term() };
        for other in self.others() {
            context.tell(self.id, other, ask.clone());
        }
        self.elected_by(self.id, context);
    }

    /// Another one stands. It gets the vote if its log has all that was committed.
    pub(super) fn asked(&mut self, from: usize, term: u64, (last_term, last): (u64, u64), context: &mut Context) {
        let own = (self.disk.log.last_term(), self.disk.log.last());
        let is_current = (last_term, last) >= own;
        let is_granted = term == self.disk.term && is_current && self.disk.vote.is_none_or(|vote| vote == from);
        if is_granted {
            self.disk.vote = Some(from);
            self.wait_for_leader(context);
        }
        context.tell(self.id, from, RaftMessage::Vote { term: self.disk.term, is_granted });
    }

    /// A vote for this manager in its term.
    pub(super) fn elected_by(&mut self, voter: usize, context: &mut Context) {
        let Role::Candidate { votes } = &mut self.role else { return };
        *votes |= 1 << voter;
        let votes = votes.count_ones() as usize;
        if votes < self.majority() {
            return;
        }
        let next = self.disk.log.last() + 1;
        let followers: BTreeMap<usize, Follower> =
            self.others().map(|other| (other, Follower { next, heard: context.now, ..Follower::default() })).collect();
        let mark = self.disk.log.append(Arc::new(Logged { term: self.disk.term, entry: None }));
        self.role = Role::Leader { followers, mark };
        self.leads = Some(self.id);
        self.beat_at = 0;
        context.say(&format!("manager {} is elected for term {}", self.id, self.disk.term));
        context.watch.elected(self.id, self.disk.term);
        self.sync(context);
        self.replicate(context);
    }

    /// Whether a message of `from` is one of the leader of this term.
    pub(super) fn follows(&mut self, from: usize, term: u64, context: &mut Context) -> bool {
        if term < self.disk.term {
            context.tell(self.id, from, RaftMessage::Appended { term: self.disk.term, is_match: false, matched: 0 });
            return false;
        }
        self.become_follower(context);
        self.leads = Some(from);
        self.wait_for_leader(context);
        true
    }

    pub(super) fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let own = self.id;
        (0..self.count).filter(move |other| *other != own)
    }
}
