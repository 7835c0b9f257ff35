//! Whether a session may open for a node that has, or had, another one: tells an agent that came back from two machines with one identity
//! (failures D10). The dispatcher's registry of sessions calls it.
//!
//! An agent makes a nonce at each start, a machine a boot id. A new nonce from the same boot is a restarted agent: it replaces the old
//! session. From another boot it is a machine that rebooted, or a copy of it: the old session, when it was just heard from, decides. A nonce
//! that was replaced does not come back by itself: whoever shows it runs beside its successor.

use std::collections::VecDeque;
use std::time::Duration;

use cluster_types::Timestamp;

/// Nonces remembered for each node.
const REMEMBERED: usize = 16;

/// Who an agent says it is, in its first message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Made at each start of the agent.
    pub nonce: String,
    /// Made at each start of the machine.
    pub boot: String,
}

/// The session that a node has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Who opened it.
    pub arrival: Arrival,
    /// When its last message came.
    pub heard: Timestamp,
}

/// What is to be done with an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Open the session; the node's old one, if any, ends.
    Open,
    /// Refuse: another machine holds a live session of this identity.
    Copied,
    /// Refuse: a later start of this agent, or a copy of its machine, took its place.
    Replaced,
}

/// The nonces of a node that others took the place of.
#[derive(Debug, Clone, Default)]
pub struct Nonces {
    replaced: VecDeque<String>,
}

impl Nonces {
    /// Judges an arrival. `silence` is how long a session that lives may say nothing.
    #[must_use]
    pub fn judge(&self, present: Option<&Present>, arrival: &Arrival, silence: Duration, now: Timestamp) -> Verdict {
        if self.replaced.contains(&arrival.nonce) {
            return Verdict::Replaced;
        }
        let Some(present) = present else { return Verdict::Open };
        let lives = now.since(present.heard) <= silence;
        if lives && present.arrival.boot != arrival.boot { Verdict::Copied } else { Verdict::Open }
    }

    /// A session with another nonce took the place of this one's.
    pub fn replace(&mut self, nonce: String) {
        self.replaced.push_back(nonce);
        if self.replaced.len() > REMEMBERED {
            self.replaced.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(2);

    fn arrival(nonce: &str, boot: &str) -> Arrival {
        Arrival { nonce: nonce.into(), boot: boot.into() }
    }

    fn present(nonce: &str, boot: &str, heard: u64) -> Present {
        Present { arrival: arrival(nonce, boot), heard: Timestamp(heard) }
    }

    fn judge(nonces: &Nonces, present: Option<Present>, arrival: &Arrival, now: u64) -> Verdict {
        nonces.judge(present.as_ref(), arrival, SILENCE, Timestamp(now))
    }

    #[test]
    fn an_agent_that_reconnects_or_restarts_comes_in() {
        let nonces = Nonces::default();
        assert_eq!(judge(&nonces, None, &arrival("a", "x"), 0), Verdict::Open);
        assert_eq!(judge(&nonces, Some(present("a", "x", 0)), &arrival("a", "x"), 1), Verdict::Open);
        assert_eq!(judge(&nonces, Some(present("a", "x", 0)), &arrival("b", "x"), 1), Verdict::Open);
    }

    #[test]
    fn a_copied_machine_is_refused_while_the_first_one_lives() {
        let nonces = Nonces::default();
        assert_eq!(judge(&nonces, Some(present("a", "x", 1000)), &arrival("b", "y"), 3000), Verdict::Copied);
        assert_eq!(judge(&nonces, Some(present("a", "x", 1000)), &arrival("b", "y"), 3001), Verdict::Open);
    }

    #[test]
    fn a_replaced_nonce_never_comes_back() {
        let mut nonces = Nonces::default();
        nonces.replace("a".into());
        assert_eq!(judge(&nonces, Some(present("b", "x", 0)), &arrival("a", "x"), 1), Verdict::Replaced);
        assert_eq!(judge(&nonces, None, &arrival("a", "x"), 1), Verdict::Replaced);
        for number in 0..REMEMBERED {
            nonces.replace(number.to_string());
        }
        assert_eq!(judge(&nonces, None, &arrival("a", "x"), 1), Verdict::Open, "memory is bounded");
    }
}
