//! What all parts of a simulation share: the time, chance, what is to happen, the network, what is watched.

use std::time::Duration;

use cluster_seeds::{Chance, Trace};

use crate::event::Event;
use crate::fault::{Class, Fired, Weather};
use crate::invariants::Watch;
use crate::link::Links;
use crate::queue::Queue;

/// See the module.
pub(crate) struct Context {
    /// Virtual milliseconds since the beginning.
    pub(crate) now: u64,
    pub(crate) chance: Chance,
    pub(crate) queue: Queue,
    pub(crate) links: Links,
    pub(crate) trace: Trace,
    pub(crate) weather: Weather,
    pub(crate) watch: Watch,
    /// How often each class of faults has really done something.
    pub(crate) fired: Fired,
}

impl Context {
    /// Something happens after so many milliseconds.
    pub(crate) fn after(&mut self, millis: u64, event: Event) {
        self.queue.push(self.now + millis, event);
    }

    /// The same, after a time of chance.
    pub(crate) fn soon(&mut self, millis: std::ops::RangeInclusive<u64>, event: Event) {
        let millis = self.chance.within(millis);
        self.after(millis, event);
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.trace.say(Duration::from_millis(self.now), text);
    }

    /// A fault did something.
    pub(crate) fn fired(&mut self, class: Class) {
        self.fired[class as usize] += 1;
        self.trace.mix(class as u64);
    }
}
