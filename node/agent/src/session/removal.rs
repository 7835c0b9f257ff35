//! Whether the node was removed from the cluster. One manager's word is not enough: it may lag behind and not know the node yet, and to believe
//! it stops every container. Only the one that leads says it; a manager that sends the node there leaves the word to it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// It must be said at least this often …
const TIMES: u32 = 3;
/// … over this time, when every manager says so …
const BY_ALL: Duration = Duration::from_secs(2);
/// … or over this time, when the others do not answer.
const BY_SOME: Duration = Duration::from_secs(30);

/// What managers have said, one after the other, without any of them opening a session.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    since: Option<Instant>,
    times: u32,
    by: BTreeSet<String>,
}

impl Removal {
    /// A manager said that the node was removed. Whether that is to be believed now.
    pub(super) fn said<'a>(&mut self, manager: &str, mut managers: impl Iterator<Item = &'a String>, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        self.times += 1;
        self.by.insert(manager.to_owned());
        let enough = if managers.all(|manager| self.by.contains(manager)) { BY_ALL } else { BY_SOME };
        self.times >= TIMES && now.duration_since(since) >= enough
    }

    /// A manager sent the node to the leader: it does not speak for itself.
    pub(super) fn deferred(&mut self, manager: &str) {
        if self.since.is_some() {
            self.by.insert(manager.to_owned());
        }
    }

    /// A manager knows the node.
    pub(super) fn denied(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_all_managers_or_a_long_time() {
        let managers = ["a".to_owned(), "b".to_owned()];
        let (mut removal, start) = (Removal::default(), Instant::now());
        let second = |number| start + Duration::from_secs(number);
        assert!(!removal.said("a", managers.iter(), second(0)));
        assert!(!removal.said("a", managers.iter(), second(1)));
        assert!(!removal.said("a", managers.iter(), second(9)), "one manager of two may lag behind");
        assert!(removal.said("b", managers.iter(), second(10)));
        removal.denied();
        removal.deferred("a");
        assert!(!removal.said("b", managers.iter(), second(11)));
        assert!(!removal.said("b", managers.iter(), second(40)));
        assert!(removal.said("b", managers.iter(), second(41)));
    }

    #[test]
    fn the_leaders_word_is_enough_when_all_others_leave_it_to_it() {
        let managers = ["a".to_owned(), "b".to_owned()];
        let (mut removal, start) = (Removal::default(), Instant::now());
        for second in 0..3 {
            assert!(!removal.said("a", managers.iter(), start + Duration::from_secs(second)));
        }
        removal.deferred("b");
        assert!(removal.said("a", managers.iter(), start + Duration::from_secs(3)));
    }
}
