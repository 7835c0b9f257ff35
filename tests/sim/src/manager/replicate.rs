//! The log on its way from the leader to the others, and when an entry is committed.

use std::sync::Arc;

use cluster_state::State;

use super::{Follower, Logged, Manager, RaftMessage, Role};
use crate::context::Context;

/// Entries in one message.
const MOST: usize = 64;

impl Manager {
    /// Sends what each follower was not sent yet.
    pub(super) fn replicate(&mut self, context: &mut Context) {
        for other in self.others() {
            let Role::Leader { followers, .. } = &mut self.role else { return };
            let Some(follower) = followers.get_mut(&other) else { continue };
            if follower.next > self.disk.log.last() {
                continue;
            }
            let next = follower.next;
            follower.next = (next + MOST as u64).min(self.disk.log.last() + 1);
            self.send(other, next, context);
        }
    }

    /// A sign of life to all, with all that they lack as far as is known.
    pub(super) fn beat(&mut self, context: &mut Context) {
        for other in self.others() {
            let Role::Leader { followers, .. } = &mut self.role else { return };
            let Some(follower) = followers.get_mut(&other) else { continue };
            if follower.matched == follower.seen && follower.matched > 0 {
                follower.next = follower.matched + 1;
            }
            follower.seen = follower.matched;
            let next = follower.next;
            follower.next = (next + MOST as u64).min(self.disk.log.last() + 1);
            self.send(other, next, context);
        }
    }

    fn send(&mut self, to: usize, next: u64, context: &mut Context) {
        let term = self.disk.term;
        let log = &self.disk.log;
        let message = match log.term_at(next - 1) {
            Some(previous_term) => {
                RaftMessage::Append { term, previous: next - 1, previous_term, entries: log.after(next - 1, MOST), commit: self.commit }
            }
            None => RaftMessage::Install {
                term,
                index: log.base(),
                index_term: log.term_at(log.base()).unwrap_or_default(),
                snapshot: Arc::clone(self.disk.encoded.get_or_insert_with(|| Arc::new(self.disk.snapshot.encode()))),
            },
        };
        context.tell(self.id, to, message);
    }

    /// Takes entries of the leader in, or says that they do not follow what is here.
    pub(super) fn append_after(
        &mut self,
        (previous, previous_term): (u64, u64),
        entries: &[Arc<Logged>],
        commit: u64,
        leader: usize,
        context: &mut Context,
    ) {
        let log = &mut self.disk.log;
        if previous > log.base() && log.term_at(previous) != Some(previous_term) {
            // What is committed here is in every leader's log.
            let refusal = RaftMessage::Appended { term: self.disk.term, is_match: false, matched: self.commit };
            return context.tell(self.id, leader, refusal);
        }
        let mut index = previous;
        let mut has_grown = false;
        for logged in entries {
            index += 1;
            if index <= log.base() || log.term_at(index) == Some(logged.term) {
                continue;
            }
            if index <= log.last() {
                context.watch.truncated(self.id, index, self.commit);
                log.truncate(index);
            }
            log.append(Arc::clone(logged));
            has_grown = true;
        }
        self.verified = self.verified.max(index);
        if has_grown {
            self.sync(context);
        }
        self.acknowledge(leader, context);
        self.commit_upto(commit.min(self.verified), context);
    }

    /// Tells the leader what is on the disk here.
    pub(super) fn acknowledge(&mut self, leader: usize, context: &mut Context) {
        let synced = if cluster_types::bug!(AckBeforeSync) { self.disk.log.last() } else { self.disk.log.synced() };
        let matched = synced.min(self.verified);
        context.tell(self.id, leader, RaftMessage::Appended { term: self.disk.term, is_match: true, matched });
    }

    /// A follower's answer.
    pub(super) fn answered(&mut self, from: usize, is_match: bool, matched: u64, context: &mut Context) {
        let last = self.disk.log.last();
        let Role::Leader { followers, .. } = &mut self.role else { return };
        let Some(follower) = followers.get_mut(&from) else { return };
        follower.heard = context.now;
        if is_match {
            follower.matched = follower.matched.max(matched);
            follower.next = follower.next.max(follower.matched + 1).min(last + 1);
            return self.advance(context);
        }
        let next = (matched + 1).max(follower.matched + 1).min(last + 1);
        follower.next = (next + MOST as u64).min(last + 1);
        self.send(from, next, context);
    }

    /// Commits what a majority has on disk: entries of this term, and with them all before.
    pub(super) fn advance(&mut self, context: &mut Context) {
        let majority = self.majority();
        let Role::Leader { followers, .. } = &self.role else { return };
        let own = if cluster_types::bug!(AckBeforeSync) { self.disk.log.last() } else { self.disk.log.synced() };
        let mut matched: Vec<u64> = followers.values().map(|follower| follower.matched).chain([own]).collect();
        matched.sort_unstable_by(|one, other| other.cmp(one));
        let index = matched[majority - 1];
        let is_own = self.disk.log.term_at(index) == Some(self.disk.term);
        if index > self.commit && is_own {
            self.commit_upto(index, context);
        }
        self.replicate(context);
    }

    /// A snapshot of the leader. One that comes late may say less than the log here, whose tail was acknowledged and must stay.
    pub(super) fn install(&mut self, leader: usize, (index, term): (u64, u64), snapshot: &[u8], context: &mut Context) {
        if index > self.commit && self.disk.log.term_at(index) == Some(term) {
            self.verified = self.verified.max(index);
            self.commit_upto(index, context);
        } else if index > self.commit {
            self.replace_state((index, term), snapshot, context);
        }
        self.verified = self.verified.max(self.commit);
        self.acknowledge(leader, context);
    }

    fn replace_state(&mut self, (index, term): (u64, u64), snapshot: &[u8], context: &mut Context) {
        match State::decode(snapshot) {
            Ok(state) => {
                context.say(&format!("manager {} takes a snapshot at {index}", self.id));
                context.watch.installed(index, &state);
                self.disk.log.reset(index, term);
                self.disk.snapshot = state.clone();
                self.disk.encoded = None;
                self.nodes = state.view().node_count();
                (self.state, self.applied, self.commit, self.verified) = (state, index, index, index);
            }
            Err(error) => context.watch.fail("I1", format!("a snapshot cannot be read: {error}")),
        }
    }

    /// Whether a majority was heard lately.
    pub(crate) fn hears_majority(&self, now: u64) -> bool {
        let Role::Leader { followers, .. } = &self.role else { return false };
        let lately = |follower: &&Follower| now - follower.heard <= 1_000;
        followers.values().filter(lately).count() + 1 > self.count / 2
    }
}
