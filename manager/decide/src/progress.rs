//! How far a session's node has come with its network view. The dispatcher keeps one for each session, for [`crate::drain`].
//!
//! A node acknowledges the views that it was sent. A look that found nothing new sends nothing and needs no acknowledgement: a node that has
//! the last view that was sent has also that of every state which was looked at since. A drain counts on it: a task that no view of the
//! node shows any more is out of its data path.

use cluster_types::Version;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Version of the last view that was sent.
    sent: Version,
    /// The newest state that was looked at.
    looked: Version,
    /// The newest version that the node applied.
    acknowledged: Version,
}

impl Progress {
    /// A state was looked at, and its view is sent now, or is the one that was sent last.
    pub fn look(&mut self, index: Version, sends: bool) {
        self.looked = self.looked.max(index);
        if sends {
            self.sent = self.sent.max(index);
        }
    }

    /// The node applied a view. One that was not sent yet says nothing.
    pub fn acknowledge(&mut self, version: Version) {
        if version <= self.sent {
            self.acknowledged = self.acknowledged.max(version);
        }
    }

    /// The newest state whose view the node has applied.
    #[must_use]
    pub fn applied(&self) -> Version {
        if self.acknowledged >= self.sent { self.looked } else { self.acknowledged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_found_nothing_new_needs_no_acknowledgement() {
        let mut progress = Progress::default();
        assert_eq!(progress.applied(), Version(0));
        progress.look(Version(5), true);
        assert_eq!(progress.applied(), Version(0));
        progress.look(Version(7), false);
        progress.acknowledge(Version(5));
        assert_eq!(progress.applied(), Version(7));
        progress.look(Version(9), false);
        assert_eq!(progress.applied(), Version(9));
        progress.look(Version(10), true);
        assert_eq!(progress.applied(), Version(5));
    }

    #[test]
    fn what_was_not_sent_cannot_be_acknowledged() {
        let mut progress = Progress::default();
        progress.look(Version(5), true);
        progress.acknowledge(Version(u64::MAX));
        assert_eq!(progress.applied(), Version(0));
    }

    proptest::proptest! {
        /// Against a node that applies views in the order in which they come: it never has less than is said.
        #[test]
        fn a_node_has_what_it_is_said_to_have(steps in proptest::collection::vec((0_u8..4, 1_u64..4), 0..40)) {
            let (mut progress, mut index, mut way, mut has) = (Progress::default(), 0, std::collections::VecDeque::new(), 0);
            // Which view each state has: the index of the state that it came with.
            let mut views = std::collections::BTreeMap::from([(0, 0)]);
            for (step, ahead) in steps {
                match step {
                    0 | 1 => {
                        index += ahead;
                        let sends = step == 0;
                        progress.look(Version(index), sends);
                        let view = if sends { index } else { *views.last_key_value().unwrap().1 };
                        views.insert(index, view);
                        way.extend(sends.then_some(index));
                    }
                    2 => has = way.pop_front().unwrap_or(has),
                    _ => progress.acknowledge(Version(has)),
                }
                let applied = progress.applied().0;
                proptest::prop_assert!(*views.range(..=applied).next_back().unwrap().1 <= has, "{progress:?} with {has}");
            }
        }
    }
}
