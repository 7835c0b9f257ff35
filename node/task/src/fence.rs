//! The fence: which manager's word counts. A session speaks for one (incarnation, term); one that is older than any before it is refused
//! (failures A17, C14, D1), and a gap in its sequence ends it, since the next session begins with the full set. Pure; the agent's session
//! asks it for every message.

use cluster_types::SessionStamp;

/// The highest (incarnation, term) that this node has obeyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Fence {
    /// Recoveries of the cluster.
    pub incarnation: u64,
    /// The leader's term.
    pub term: u64,
}

/// Why a message is not obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An older leader speaks.
    #[error("it speaks for an old leader: incarnation {} term {}, and this node has obeyed incarnation {} term {}", .told.incarnation, .told.term, .obeyed.incarnation, .obeyed.term)]
    Stale {
        /// For whom it speaks.
        told: Fence,
        /// Whom the node has obeyed.
        obeyed: Fence,
    },
    /// A session speaks for one leader only.
    #[error("the leader changed to term {} within the session", .0.term)]
    Changed(Fence),
    /// Something got lost, or came twice.
    #[error("assignment {told} came after {last}")]
    Gap {
        /// The last one that was obeyed.
        last: u64,
        /// The one that came.
        told: u64,
    },
    /// Nobody says whose word it is.
    #[error("a message has no stamp")]
    Unstamped,
}

impl Fence {
    fn of(stamp: SessionStamp) -> Self {
        Self { incarnation: stamp.incarnation, term: stamp.term }
    }
}

/// The order of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    fence: Fence,
    last: u64,
}

impl Sequence {
    /// Begins a session with its first stamp, and raises the fence to it.
    ///
    /// # Errors
    /// When it is an older leader's.
    pub fn begin(fence: &mut Fence, stamp: SessionStamp) -> Result<Self, Refused> {
        let told = Fence::of(stamp);
        if told < *fence {
            return Err(Refused::Stale { told, obeyed: *fence });
        }
        *fence = told;
        Ok(Self { fence: told, last: 0 })
    }

    /// Whether a message that is no assignment may be obeyed.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check(&self, stamp: SessionStamp) -> Result<(), Refused> {
        let told = Fence::of(stamp);
        match told.cmp(&self.fence) {
            std::cmp::Ordering::Less => Err(Refused::Stale { told, obeyed: self.fence }),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(Refused::Changed(told)),
        }
    }

    /// Whether a piece of an assignment may be obeyed: it must be the next one.
    ///
    /// # Errors
    /// Why it may not.
    pub fn advance(&mut self, stamp: SessionStamp) -> Result<(), Refused> {
        self.check(stamp)?;
        if stamp.sequence != self.last + 1 {
            return Err(Refused::Gap { last: self.last, told: stamp.sequence });
        }
        self.last = stamp.sequence;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(incarnation: u64, term: u64, sequence: u64) -> SessionStamp {
        SessionStamp { incarnation, term, sequence }
    }

    #[test]
    fn an_older_leader_is_refused_and_the_fence_never_falls() {
        let mut fence = Fence { incarnation: 2, term: 5 };
        assert!(matches!(Sequence::begin(&mut fence, stamp(2, 4, 0)), Err(Refused::Stale { .. })));
        assert!(matches!(Sequence::begin(&mut fence, stamp(1, 9, 0)), Err(Refused::Stale { .. })));
        assert_eq!(fence, Fence { incarnation: 2, term: 5 });
        assert!(Sequence::begin(&mut fence, stamp(2, 5, 0)).is_ok());
        // A recovery may begin its terms anew.
        assert!(Sequence::begin(&mut fence, stamp(3, 1, 0)).is_ok());
        assert_eq!(fence, Fence { incarnation: 3, term: 1 });
    }

    #[test]
    fn gaps_repeats_and_other_terms_end_a_session() {
        let mut session = Sequence::begin(&mut Fence::default(), stamp(1, 1, 0)).unwrap();
        assert_eq!(session.advance(stamp(1, 1, 1)), Ok(()));
        assert_eq!(session.advance(stamp(1, 1, 3)), Err(Refused::Gap { last: 1, told: 3 }));
        assert_eq!(session.advance(stamp(1, 1, 1)), Err(Refused::Gap { last: 1, told: 1 }));
        assert_eq!(session.advance(stamp(1, 1, 2)), Ok(()));
        assert!(matches!(session.check(stamp(1, 0, 2)), Err(Refused::Stale { .. })));
        assert!(matches!(session.check(stamp(1, 2, 2)), Err(Refused::Changed(_))));
    }
}
