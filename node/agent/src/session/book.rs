//! Where the managers are, which one is asked next, and how long the agent waits between two that did not answer.

use std::time::Duration;

use rand::Rng as _;
use rand::seq::SliceRandom as _;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const FIRST_PATIENCE: Duration = Duration::from_millis(1_500);
/// Redirects followed at once; then it pauses as after any failure, since two managers may each take the other for the leader.
const REDIRECTS: u32 = 3;

/// The managers' addresses: those that the node was given, those that managers told, and who was named as the leader.
#[derive(Debug)]
pub(crate) struct Book {
    given: Vec<String>,
    told: Vec<String>,
    /// The rest of this round's order, last first.
    order: Vec<String>,
    leader: Option<String>,
    /// Whose session broke last: asked after all others, since its host may be gone and would only cost a timeout.
    broken: Option<String>,
    redirects: u32,
    failures: u32,
    /// Begun since the last session.
    rounds: u32,
}

impl Book {
    pub(crate) fn new(given: Vec<String>, told: Vec<String>) -> Self {
        Self { given, told, order: Vec::new(), leader: None, broken: None, redirects: 0, failures: 0, rounds: 0 }
    }

    /// Who is asked next: the named leader, else all in random order, one after the other. None when no manager is known.
    pub(crate) fn next(&mut self) -> Option<String> {
        if let Some(leader) = self.leader.take() {
            // Once a round is enough: the others may not know yet that its host is gone.
            self.order.retain(|manager| *manager != leader);
            return Some(leader);
        }
        if self.order.is_empty() {
            self.rounds += 1;
            self.order = [self.told.as_slice(), &self.given].concat();
            self.order.sort_unstable();
            self.order.dedup();
            self.order.shuffle(&mut rand::rng());
            // Taken from the end: what sorts first comes last.
            self.order.sort_by_key(|manager| Some(manager) != self.broken.as_ref());
        }
        self.order.pop()
    }

    /// The managers as one of them last told; until then, those that were given.
    pub(crate) fn managers(&self) -> impl Iterator<Item = &String> {
        if self.told.is_empty() { self.given.iter() } else { self.told.iter() }
    }

    /// Managers of the cluster, as one of them told.
    pub(crate) fn learn(&mut self, managers: &[String]) {
        if !managers.is_empty() {
            self.told = managers.to_vec();
            self.order.clear();
        }
    }

    /// A manager said who leads.
    pub(crate) fn redirected(&mut self, leader: String) {
        self.leader = Some(leader);
    }

    /// A session with `manager` is open. When it breaks, the others are asked first: one of them knows who leads now.
    pub(crate) fn succeeded(&mut self, manager: &str) {
        (self.redirects, self.failures, self.rounds) = (0, 0, 0);
        self.order.clear();
        self.broken = Some(manager.to_owned());
    }

    /// How long a manager may take to open a session: short in the first round, since a host that is cut off does not even refuse; then
    /// longer, for managers that are besieged. Others may still name the manager that broke off as the leader: it is given a moment only.
    pub(crate) fn patience(&self, manager: &str) -> Duration {
        let first = if self.broken.as_deref() == Some(manager) { FIRST_PATIENCE / 3 } else { FIRST_PATIENCE };
        first * (1 << self.rounds.saturating_sub(1).min(3))
    }

    /// How long to wait before the next is asked: doubles with each failure, with jitter, so that a thousand agents do not come as one.
    pub(crate) fn pause(&mut self) -> Duration {
        if self.leader.is_some() && self.redirects < REDIRECTS {
            self.redirects += 1;
            return Duration::ZERO;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.redirects = 0;
        pause.mul_f64(rand::rng().random_range(0.5..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Book {
        Book::new(vec!["a".to_owned(), "b".to_owned()], vec!["b".to_owned(), "c".to_owned()])
    }

    #[test]
    fn every_manager_is_asked_once_a_round() {
        let mut book = book();
        for _ in 0..5 {
            let mut round: Vec<String> = (0..3).filter_map(|_| book.next()).collect();
            round.sort_unstable();
            assert_eq!(round, ["a", "b", "c"]);
        }
        assert_eq!(Book::new(Vec::new(), Vec::new()).next(), None);
    }

    #[test]
    fn the_leader_is_asked_at_once_but_not_for_ever() {
        let mut book = book();
        let mut waits = Vec::new();
        for _ in 0..4 {
            book.redirected("leader".to_owned());
            waits.push(book.pause());
            assert_eq!(book.next().as_deref(), Some("leader"));
        }
        assert_eq!(waits[..3], [Duration::ZERO; 3]);
        assert!(waits[3] > Duration::ZERO);
    }

    #[test]
    fn pauses_grow_to_a_limit_and_begin_anew_after_a_session() {
        let mut book = book();
        let pauses: Vec<Duration> = (0..20).map(|_| book.pause()).collect();
        assert!(pauses[0] <= FIRST_PAUSE && pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert!(pauses[19] >= LONGEST_PAUSE / 2);
        book.succeeded("a");
        assert!(book.patience("a") < book.patience("b"));
        assert!(book.pause() <= FIRST_PAUSE);
    }

    #[test]
    fn patience_grows_from_round_to_round_to_a_limit() {
        let mut book = book();
        let mut round = || (0..3).map(|_| book.next().map(|manager| book.patience(&manager)).unwrap()).max().unwrap();
        let rounds: Vec<Duration> = (0..6).map(|_| round()).collect();
        assert_eq!(rounds, [1, 2, 4, 8, 8, 8].map(|times| FIRST_PATIENCE * times));
    }

    /// The others name it as the leader until they have elected another: that must cost less than the time after which nodes count as down.
    #[test]
    fn a_leader_whose_host_is_gone_costs_a_moment_each_time_it_is_named() {
        let mut book = book();
        book.next();
        book.succeeded("b");
        let mut lost = Duration::ZERO;
        for _ in 0..3 {
            if book.next().is_some_and(|manager| manager != "b") {
                book.redirected("b".to_owned());
                lost += book.pause();
                assert_eq!(book.next().as_deref(), Some("b"));
            }
            lost += book.patience("b") + book.pause();
        }
        assert!(lost < Duration::from_millis(2_500), "{lost:?}");
    }

    #[test]
    fn the_manager_that_broke_off_is_asked_last() {
        for _ in 0..20 {
            let mut book = book();
            book.next();
            book.succeeded("b");
            let round: Vec<String> = (0..3).filter_map(|_| book.next()).collect();
            assert_eq!(round[2], "b");
        }
    }
}
