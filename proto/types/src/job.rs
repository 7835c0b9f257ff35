//! Jobs: services whose tasks are to end, once or by the clock.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// When a job runs by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five or six fields of cron; the sixth, in front, is seconds.
    pub cron: String,
    /// Time zone by its IANA name, such as `Europe/Zurich`.
    pub time_zone: String,
    /// What happens when it is due while its last run goes on.
    pub overlap: Overlap,
}

/// What happens when a scheduled job is due while its last run goes on. Kubernetes' concurrency policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The new run is left out.
    #[default]
    Forbid,
    /// The last run is stopped.
    Replace,
}

/// How a job goes. Written by the orchestrator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobStatus {
    /// Counts its runs: a task belongs to one of them. 0 before the first of a scheduled job.
    pub iteration: u64,
    /// When the current run began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The spec version that was judged last: another one may begin the next run.
    pub cause: u64,
    /// When the schedule begins the next run.
    pub next: Option<Timestamp>,
    /// Runs before the current one, the newest last, at most `limits::JOB_RUNS`.
    pub runs: Vec<JobRun>,
    /// How many tasks the current run wants to complete; of a job on all nodes it follows the nodes until the run has ended.
    #[serde(default)]
    pub wanted: u64,
    /// How many tasks completed, of those in the books. While the run goes on, tasks that completed and are not in `settled` come on top.
    #[serde(default)]
    pub completed: u64,
    /// The books of a replicated job: slots that completed or failed for good in this run, and whose tasks need not be kept for that.
    #[serde(default)]
    pub settled: SlotRanges,
}

impl JobStatus {
    /// Whether a run goes on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.iteration > 0 && self.ended.is_none()
    }
}

/// One run of a job that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// Which; 0 for one that was left out.
    pub iteration: u64,
    /// When it began, or was to begin.
    pub started: Timestamp,
    /// When it ended or was given up.
    pub ended: Timestamp,
    /// Tasks that completed.
    pub completed: u64,
    /// Tasks that were to complete.
    pub wanted: u64,
    /// How it ended, in words: `completed`, `failed`, `replaced`, `left out`.
    pub outcome: String,
}

/// A set of slots. As slots are taken in order, it is a few ranges, however many slots there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotRanges(Vec<(u64, u64)>);

impl SlotRanges {
    /// Takes a slot in. Twice is once.
    pub fn insert(&mut self, slot: u64) {
        let place = self.0.partition_point(|(_, last)| *last < slot);
        let meets = |range: Option<&(u64, u64)>| range.is_some_and(|(first, _)| *first <= slot.saturating_add(1));
        let follows = place > 0 && self.0[place - 1].1.checked_add(1) == Some(slot);
        match (follows, meets(self.0.get(place))) {
            (true, true) => {
                let (_, last) = self.0.remove(place);
                self.0[place - 1].1 = last;
            }
            (true, false) => self.0[place - 1].1 = slot,
            (false, true) => self.0[place].0 = self.0[place].0.min(slot),
            (false, false) => self.0.insert(place, (slot, slot)),
        }
    }

    /// Whether a slot is in it.
    #[must_use]
    pub fn contains(&self, slot: u64) -> bool {
        self.range_at(slot).is_some()
    }

    /// The first slot from `slot` on that is not in it.
    #[must_use]
    pub fn first_gap(&self, slot: u64) -> u64 {
        self.range_at(slot).map_or(slot, |(_, last)| last.saturating_add(1))
    }

    /// How many slots it has up to and with `most`.
    #[must_use]
    pub fn count_to(&self, most: u64) -> u64 {
        self.0.iter().take_while(|(first, _)| *first <= most).map(|(first, last)| last.min(&most) - first + 1).sum()
    }

    fn range_at(&self, slot: u64) -> Option<(u64, u64)> {
        let place = self.0.partition_point(|(_, last)| *last < slot);
        self.0.get(place).copied().filter(|(first, _)| *first <= slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    #[test]
    fn slots_that_follow_each_other_are_one_range() {
        let mut slots = SlotRanges::default();
        for slot in [1, 2, 5, 4, 3, 9, 3] {
            slots.insert(slot);
        }
        assert_eq!(slots.0, [(1, 5), (9, 9)]);
    }

    proptest! {
        #[test]
        fn ranges_are_a_set(list in prop::collection::vec(0_u64..40, 0..60), asked in 0_u64..45) {
            let set: BTreeSet<u64> = list.iter().copied().collect();
            let mut slots = SlotRanges::default();
            list.iter().for_each(|slot| slots.insert(*slot));
            prop_assert_eq!(slots.contains(asked), set.contains(&asked));
            prop_assert_eq!(slots.count_to(asked), set.range(..=asked).count() as u64);
            prop_assert_eq!(slots.first_gap(asked), (asked..).find(|slot| !set.contains(slot)).unwrap());
            prop_assert!(slots.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", slots);
        }
    }
}
