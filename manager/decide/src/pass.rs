//! One pass of all deciders, in order. Each step sees what the steps before it decided, through the draft.
//!
//! Called by the leader loop whenever an event or a due timer wakes it. Running it again on the state that its plan led to gives an empty
//! plan, and any leader gives the same plan for the same view, time and seed.

use cluster_state::View;
use cluster_types::{Change, ObjectKey, Timestamp};

use crate::draft::Draft;
use crate::liveness::Presence;
use crate::{Dirty, allocate, enforce, job, liveness, moving, orchestrate, reap, rebalance, restart, rollout, schedule};

/// What a pass wants.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// To be proposed in this order, with `EntryMode::Each`: a stale change is refused when it is applied, the others hold.
    pub changes: Vec<Change>,
    /// When to look again though nothing happens.
    pub wake_at: Option<Timestamp>,
    /// What was decided, for the log.
    pub notes: Vec<Note>,
    /// What the next pass must look at even if no event names it: running timers and tasks without room. The leader loop notes its events
    /// on top of this; when it could not propose all of the changes, it goes on with [`Dirty::all`] instead.
    pub carry: Dirty,
}

/// A few words about a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is about.
    pub about: ObjectKey,
    /// The words.
    pub text: String,
}

/// Decides all that is to be decided now. `seed` is only the source of jitter; ids come from the view's index.
#[must_use]
pub fn pass(view: &View, now: Timestamp, seed: u64, dirty: &Dirty, presence: &Presence) -> Plan {
    let mut draft = Draft::new(view, now, seed, dirty);
    liveness::step(&mut draft, presence);
    enforce::step(&mut draft);
    restart::step(&mut draft);
    rebalance::step(&mut draft);
    moving::step(&mut draft);
    orchestrate::replicated(&mut draft);
    orchestrate::global(&mut draft);
    job::step(&mut draft);
    rollout::step(&mut draft);
    allocate::step(&mut draft);
    schedule::step(&mut draft);
    reap::step(&mut draft);
    draft.finish()
}

#[cfg(test)]
mod chaos;
#[cfg(test)]
mod tests;
