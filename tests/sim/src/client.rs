//! Clients: they want things of the cluster, one at a time, and ask again when they hear nothing. A request that is asked again has the same
//! key, so that it is done once.

mod spec;
mod wish;

use std::sync::Arc;

use cluster_types::RequestId;

pub(crate) use self::spec::wish as random_wish;
pub(crate) use self::wish::Wish;
use crate::context::Context;
use crate::event::Event;

/// How long a client waits for an answer.
const PATIENCE: u64 = 3_500;
/// How often it asks before it gives up, while there are faults.
const TRIES: u32 = 12;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) key: RequestId,
    pub(crate) wish: Wish,
}

/// Who asked, and for the how manieth time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) client: usize,
    pub(crate) attempt: u64,
}

/// What a client hears.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Done, by the entry at this index.
    Done(u64),
    Refused(String),
    /// Perhaps another manager leads.
    NotLeading(Option<usize>),
    /// It may have been done or not.
    Unknown,
}

/// See the module.
pub(crate) struct Client {
    pub(crate) index: usize,
    managers: usize,
    /// Counts what it sent, so that late answers are known as such.
    attempt: u64,
    asks: Option<(Arc<Request>, u32)>,
    named: Option<usize>,
    /// Whether it has new wishes.
    pub(crate) is_idle: bool,
}

impl Client {
    pub(crate) fn new(index: usize, managers: usize) -> Self {
        Self { index, managers, attempt: 0, asks: None, named: None, is_idle: false }
    }

    /// Whether it waits for an answer.
    pub(crate) fn waits(&self) -> bool {
        self.asks.is_some()
    }

    /// Its timer is over: for the next wish, or for an answer.
    pub(crate) fn act(&mut self, attempt: u64, context: &mut Context, wish: impl FnOnce(&mut Context) -> Option<Wish>) {
        if attempt != self.attempt {
            return;
        }
        if self.asks.is_none() {
            if self.is_idle {
                return self.rest(1_000..=2_000, context);
            }
            let Some(wish) = wish(context) else { return self.rest(200..=2_000, context) };
            let key = context.chance.id();
            context.say(&format!("client {} wants {wish}", self.index));
            self.asks = Some((Arc::new(Request { key, wish }), 0));
        }
        self.ask(context);
    }

    /// Has something to ask now, in the place of what chance would make it think of.
    pub(crate) fn want(&mut self, wish: Wish, context: &mut Context) {
        self.asks = Some((Arc::new(Request { key: context.chance.id(), wish }), 0));
        self.ask(context);
    }

    fn ask(&mut self, context: &mut Context) {
        self.attempt += 1;
        let Some((request, tries)) = &mut self.asks else { return };
        *tries += 1;
        if *tries > TRIES && !context.weather.is_fair {
            self.asks = None;
            return self.rest(100..=2_000, context);
        }
        let manager = self.named.take().unwrap_or_else(|| context.chance.index(self.managers));
        let (client, attempt, request) = (self.index, self.attempt, Arc::clone(request));
        context.soon(0..=3, Event::Request { manager, client, attempt, request });
        context.after(PATIENCE, Event::Client { client, attempt });
    }

    pub(crate) fn hear(&mut self, attempt: u64, answer: Answer, context: &mut Context) {
        if attempt != self.attempt {
            return;
        }
        let Some((request, _)) = &self.asks else { return };
        match answer {
            Answer::Done(index) => {
                context.watch.acknowledged(index, request.key);
                self.asks = None;
                self.rest(50..=4_000, context);
            }
            Answer::Refused(reason) => {
                context.say(&format!("client {} is refused: {reason}", self.index));
                self.asks = None;
                self.rest(50..=2_000, context);
            }
            Answer::NotLeading(leader) => {
                self.named = leader;
                self.rest(20..=300, context);
            }
            Answer::Unknown => self.rest(20..=300, context),
        }
    }

    fn rest(&mut self, millis: std::ops::RangeInclusive<u64>, context: &mut Context) {
        self.attempt += 1;
        context.soon(millis, Event::Client { client: self.index, attempt: self.attempt });
    }
}
