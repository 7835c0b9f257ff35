//! The network: which machine hears which, how long messages take, and the sessions between agents and managers.
//!
//! Messages between managers may be lost, late, doubled or out of order. A session is a connection: what is sent in it arrives in order or
//! not at all; what is lost there breaks it, and the side that waits notices by the silence. Processes on one machine always hear each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_types::{AssignmentDiff, NodeDescription, NodeId, SessionStamp, TaskId, TaskStatus, Version, ViewDiff};

use crate::context::Context;
use crate::event::{Event, Stream};
use crate::fault::Class;
use crate::manager::RaftMessage;

/// What an agent hears.
#[derive(Debug)]
pub(crate) struct Down {
    pub(crate) stamp: SessionStamp,
    pub(crate) item: DownItem,
}

/// See [`Down`].
#[derive(Debug)]
pub(crate) enum DownItem {
    /// The session is open; so often heartbeats are wanted.
    Welcome(u64),
    /// A heartbeat was heard.
    Heartbeat(u64),
    Assignments(AssignmentDiff),
    Network(ViewDiff),
    /// So many of the session's statuses are in the log.
    Committed(u64),
    /// Another manager leads, perhaps this one.
    NotLeading(Option<usize>),
    /// The cluster does not know the node.
    Removed,
    /// The manager ended the session.
    Closed,
}

/// What a manager hears in a session.
#[derive(Debug, Clone)]
pub(crate) enum Up {
    Hello {
        node: NodeId,
        nonce: u64,
        boot: u64,
        description: Box<NodeDescription>,
    },
    Heartbeat,
    Report(Vec<(TaskId, TaskStatus)>),
    Applied(Version),
    /// The agent ended the session.
    Closed,
}

/// Both ends of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) host: usize,
    pub(crate) manager: usize,
}

/// One direction of a session.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    last: u64,
    is_broken: bool,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Links {
    /// How many faults cut the way from one machine to another.
    cuts: BTreeMap<(usize, usize), u32>,
    streams: BTreeMap<Stream, (Ends, Way, Way)>,
    opened: Stream,
}

impl Links {
    /// Whether messages from one machine reach another.
    pub(crate) fn hears(&self, from: usize, to: usize) -> bool {
        from == to || !self.cuts.contains_key(&(from, to))
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize) {
        *self.cuts.entry((from, to)).or_default() += 1;
    }

    pub(crate) fn mend(&mut self, from: usize, to: usize) {
        if let Some(cuts) = self.cuts.get_mut(&(from, to)) {
            *cuts -= 1;
            if *cuts == 0 {
                self.cuts.remove(&(from, to));
            }
        }
    }

    pub(crate) fn mend_all(&mut self) {
        self.cuts.clear();
    }

    pub(crate) fn open(&mut self, host: usize, manager: usize) -> Stream {
        self.opened += 1;
        self.streams.insert(self.opened, (Ends { host, manager }, Way::default(), Way::default()));
        self.opened
    }

    /// Forgets a session that its agent has left: what is on its way in it arrives nowhere.
    pub(crate) fn close(&mut self, stream: Stream) {
        self.streams.remove(&stream);
    }

    pub(crate) fn ends(&self, stream: Stream) -> Option<Ends> {
        self.streams.get(&stream).map(|(ends, _, _)| *ends)
    }
}

impl Context {
    /// A message from a manager to another.
    pub(crate) fn tell(&mut self, from: usize, to: usize, message: RaftMessage) {
        if !self.links.hears(from, to) {
            return;
        }
        let weather = self.weather.clone();
        if weather.hits(Class::Loss, from, to) && self.chance.percent(30) {
            return self.fired(Class::Loss);
        }
        if weather.hits(Class::Duplicate, from, to) && self.chance.percent(30) {
            self.fired(Class::Duplicate);
            let millis = self.latency(from, to);
            self.after(millis, Event::Raft { from, to, message: message.clone() });
        }
        let mut millis = self.latency(from, to);
        if weather.hits(Class::Reorder, from, to) && self.chance.percent(30) {
            self.fired(Class::Reorder);
            millis += self.chance.within(1..=60);
        }
        self.after(millis, Event::Raft { from, to, message });
    }

    /// A message of a manager in a session.
    pub(crate) fn say_down(&mut self, stream: Stream, stamp: SessionStamp, item: DownItem) {
        let Some(ends) = self.links.ends(stream) else { return };
        if let Some(at) = self.arrival(stream, ends.manager, ends.host, true) {
            self.queue.push(at, Event::Down { stream, message: Arc::new(Down { stamp, item }) });
        }
    }

    /// A message of an agent in a session.
    pub(crate) fn say_up(&mut self, stream: Stream, message: Up) {
        let Some(ends) = self.links.ends(stream) else { return };
        if let Some(at) = self.arrival(stream, ends.host, ends.manager, false) {
            self.queue.push(at, Event::Up { stream, message });
        }
    }

    /// When a message arrives; never when the way is cut, and then nothing that follows it does.
    fn arrival(&mut self, stream: Stream, from: usize, to: usize, is_down: bool) -> Option<u64> {
        let hears = self.links.hears(from, to);
        let mut millis = self.latency(from, to);
        if self.weather.hits(Class::Loss, from, to) && self.chance.percent(30) {
            self.fired(Class::Loss);
            // It is sent again by the kernel.
            millis += self.chance.within(200..=800);
        }
        let (_, down, up) = self.links.streams.get_mut(&stream)?;
        let way = if is_down { down } else { up };
        way.is_broken |= !hears;
        way.last = way.last.max(self.now + millis);
        (!way.is_broken).then_some(way.last)
    }

    pub(crate) fn latency(&mut self, from: usize, to: usize) -> u64 {
        if from == to {
            return 0;
        }
        let usual = self.chance.within(0..=2);
        if self.weather.hits(Class::Delay, from, to) && self.chance.percent(50) {
            self.fired(Class::Delay);
            return usual + self.chance.within(20..=400);
        }
        usual
    }
}
