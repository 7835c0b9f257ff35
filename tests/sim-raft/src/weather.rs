//! How bad the network and the disks are just now.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_seeds::Chance;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    /// No further faults come.
    pub(crate) is_fair: bool,
    /// Percent of the messages that are lost.
    pub(crate) loss: u64,
    /// Percent of the messages that come twice.
    pub(crate) doubled: u64,
    /// How late a message may be, in milliseconds.
    pub(crate) late: u64,
    /// Ways from one manager to another that are cut, and how often.
    cuts: BTreeMap<(u64, u64), u32>,
    /// The longest time that a sync takes on a manager's disk, in milliseconds.
    pub(crate) slow: BTreeMap<u64, u64>,
}

impl Weather {
    pub(crate) fn cut(&mut self, ways: &[(u64, u64)]) {
        ways.iter().for_each(|way| *self.cuts.entry(*way).or_default() += 1);
    }

    pub(crate) fn mend(&mut self, ways: &[(u64, u64)]) {
        for way in ways {
            self.cuts.entry(*way).and_modify(|cuts| *cuts = cuts.saturating_sub(1));
        }
    }

    pub(crate) fn is_cut(&self, from: u64, to: u64) -> bool {
        self.cuts.get(&(from, to)).is_some_and(|cuts| *cuts > 0)
    }

    pub(crate) fn clear_up(&mut self) {
        *self = Self { is_fair: true, ..Self::default() };
    }

    /// How long a message is under way.
    pub(crate) fn delay(&self, chance: &mut Chance) -> Duration {
        chance.micros(100..=2_000) + if self.late > 0 { chance.millis(0..=self.late) } else { Duration::ZERO }
    }

    /// How long a disk takes to sync.
    pub(crate) fn sync_time(&self, manager: u64, chance: &mut Chance) -> Duration {
        match self.slow.get(&manager) {
            Some(most) => chance.millis(20..=*most),
            None => chance.micros(200..=4_000),
        }
    }
}
