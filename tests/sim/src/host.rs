//! A machine of the cluster: its clock, its disk, its container runtime and the agent that runs on it.
//!
//! The agent is the product's in small: it finds the leader, obeys no older one, saves what it is told before it acts, steps every task with
//! `cluster-task` and reports. It may be killed between any two steps; the machine may lose its power.

mod agent;
mod ledger;
mod reports;
mod round;
mod runtime;
mod session;
mod worker;

use std::collections::BTreeSet;

use cluster_types::{NodeDescription, NodeId, TaskId, ViewItems};

pub(crate) use self::agent::Agent;
pub(crate) use self::ledger::Known;
use self::ledger::Ledger;
pub(crate) use self::runtime::Runtime;
use crate::clock::{SlewedClock, WallClock};
use crate::context::Context;
use crate::event::Event;

/// See the module.
pub(crate) struct Host {
    pub(crate) index: usize,
    pub(crate) managers: usize,
    /// Its identity in the cluster: another one when it was removed and has joined again.
    pub(crate) node: NodeId,
    /// Whether the cluster knows that.
    pub(crate) is_member: bool,
    pub(crate) description: NodeDescription,
    pub(crate) wall: WallClock,
    /// Counts the starts of the machine.
    pub(crate) boot: u64,
    /// Counts the starts of the agent.
    pub(crate) life: u64,
    pub(crate) ledger: Ledger,
    pub(crate) runtime: Runtime,
    /// The network view that its kernel follows.
    pub(crate) view: ViewItems,
    pub(crate) agent: Option<Agent>,
    /// How much longer everything takes that the agent does.
    pub(crate) slowness: u64,
    /// Whether its power is on.
    pub(crate) is_on: bool,
}

impl Host {
    pub(crate) fn new(index: usize, managers: usize, node: NodeId, description: NodeDescription) -> Self {
        Self {
            index,
            managers,
            node,
            is_member: false,
            description,
            wall: WallClock::default(),
            boot: 1,
            life: 0,
            ledger: Ledger::default(),
            runtime: Runtime::default(),
            view: ViewItems::new(),
            agent: None,
            slowness: 0,
            is_on: true,
        }
    }

    /// The agent starts: it takes over what the ledger says and what the runtime has.
    pub(crate) fn start(&mut self, context: &mut Context) {
        self.life += 1;
        let mut agent = Agent::new(context.chance.word(), SlewedClock::new(context.now, self.wall), self.ledger.fence());
        let present: BTreeSet<TaskId> = self.runtime.tasks().collect();
        let contents = self.ledger.read();
        for task in present.iter().filter(|task| self.runtime.starts(**task) > 0) {
            context.watch.found_saved(self.index, *task, contents.tasks.get(task));
        }
        agent.adopt(contents, present, self.boot);
        self.agent = Some(agent);
        context.say(&format!("agent {} starts", self.index));
        context.soon(0..=50, Event::AgentTick { host: self.index, life: self.life });
        self.wake_worker(context);
    }

    /// The agent is killed. Containers run on.
    pub(crate) fn kill(&mut self, context: &mut Context) {
        let Some(agent) = self.agent.take() else { return };
        self.life += 1;
        if let Some(stream) = agent.stream() {
            context.say_up(stream, crate::link::Up::Closed);
        }
        // Of what it was writing, the first records may have got as far as the kernel.
        if let Some(round) = agent.round {
            let written = context.chance.index(round.records.len() + 1);
            self.ledger.append(round.records.into_iter().take(written), false);
        }
    }

    /// The power goes: nobody is told, and what runs ends.
    pub(crate) fn lose_power(&mut self, context: &mut Context) {
        if let Some(agent) = self.agent.take()
            && let Some(stream) = agent.stream()
        {
            context.links.close(stream);
        }
        self.life += 1;
        self.boot += 1;
        self.is_on = false;
        self.ledger.lose_power(&mut context.chance);
        let ended = self.runtime.lose_power(&mut context.chance);
        ended.into_iter().for_each(|task| context.watch.stopped(self.index, task));
        self.view.clear();
    }

    /// A time that something takes on this machine.
    fn takes(&self, millis: std::ops::RangeInclusive<u64>, context: &mut Context) -> u64 {
        let usual = context.chance.within(millis);
        if self.slowness > 0 {
            context.fired(crate::fault::Class::SlowAgent);
        }
        usual + context.chance.below(self.slowness + 1)
    }
}
