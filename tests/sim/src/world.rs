//! The world of one seed: machines, managers, clients, and one step after the other.

mod beginning;
mod faults;
mod healing;
mod machines;

use cluster_seeds::{Report, Row};
use cluster_types::{NodeId, TaskId};

use crate::client::{Client, Origin, random_wish};
use crate::context::Context;
use crate::event::Event;
use crate::fault::Class;
use crate::host::Host;
use crate::manager::Manager;

/// Steps between two looks at everything.
const CHECK_EVERY: u64 = 5_000;
/// Virtual milliseconds within which everything must heal once faults stop.
const HEALS_WITHIN: u64 = 240_000;

/// See the module.
pub(crate) struct World {
    seed: u64,
    seconds: u64,
    steps: u64,
    pub(crate) context: Context,
    pub(crate) managers: Vec<Manager>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) clients: Vec<Client>,
    /// Identities that were removed, and when their hosts join again.
    rejoins: Vec<(u64, usize)>,
    healed_in: u64,
}

impl World {
    /// Lives to the end, or to the first violation.
    pub(crate) fn live(mut self) -> Report {
        let end = self.seconds * 1_000;
        while self.context.now < end && self.step() {}
        if self.context.watch.violation.is_none() {
            self.heal();
        }
        let Self { seed, steps, context: Context { now, trace, fired, watch, .. }, healed_in, .. } = self;
        Report {
            simulator: crate::SIMULATOR.name,
            seed,
            end: format!("step {steps}, virtual second {}", now / 1_000),
            rows: vec![
                Row::sum("virtual minutes", now).per(60_000),
                Row::sum("steps", steps),
                Row::sum("entries", watch.entries),
                Row::most("longest to heal, s", healed_in).per(1_000),
            ],
            faults: Row::faults(Class::WORDS, &fired),
            violation: watch.violation,
            trace,
        }
    }

    /// One step. Whether there may be another.
    pub(crate) fn step(&mut self) -> bool {
        let Some((at, event)) = self.context.queue.pop() else { return false };
        self.context.now = at;
        self.steps += 1;
        self.context.trace.mix(at);
        self.happen(event);
        self.look();
        self.context.watch.violation.is_none()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Raft { .. }
            | Event::ManagerTick { .. }
            | Event::Synced { .. }
            | Event::Decide { .. }
            | Event::Flush { .. }
            | Event::Look { .. }
            | Event::ManagerStart { .. }
            | Event::Up { .. }
            | Event::Request { .. } => self.manager_step(event),
            Event::Client { client, attempt } => self.think(client, attempt),
            Event::Answer { client, attempt, answer } => self.clients[client].hear(attempt, answer, &mut self.context),
            Event::Fault => self.fault(),
            Event::Ends { ending } => self.end_fault(ending),
            other => self.host_step(other),
        }
    }

    fn manager_step(&mut self, event: Event) {
        let context = &mut self.context;
        let alive = |managers: &[Manager], id: usize, life: u64| managers[id].is_up && managers[id].life == life;
        match event {
            Event::Raft { from, to, message } if self.managers[to].is_up => self.managers[to].hear(from, message, context),
            Event::ManagerTick { manager, life } if alive(&self.managers, manager, life) => self.managers[manager].tick(context),
            Event::Synced { manager, life, epoch, upto } if alive(&self.managers, manager, life) => {
                self.managers[manager].synced(epoch, upto, context);
            }
            Event::Decide { manager, life, lead } if alive(&self.managers, manager, life) => self.managers[manager].decide(lead, context),
            Event::Flush { manager, life, lead } if alive(&self.managers, manager, life) => self.managers[manager].flush(lead, context),
            Event::Look { manager, life, stream } if alive(&self.managers, manager, life) => self.managers[manager].look(stream, context),
            Event::ManagerStart { manager, life } if !self.managers[manager].is_up && self.managers[manager].life == life => {
                self.managers[manager].start(context);
            }
            Event::Up { stream, message } => {
                if let Some(ends) = context.links.ends(stream).filter(|ends| self.managers[ends.manager].is_up) {
                    self.managers[ends.manager].hear_agent(stream, message, context);
                }
            }
            Event::Request { manager, client, attempt, request } if self.managers[manager].is_up => {
                self.managers[manager].serve(Origin { client, attempt }, &request, context);
            }
            _ => {}
        }
    }

    fn host_step(&mut self, event: Event) {
        let context = &mut self.context;
        let alive = |hosts: &[Host], index: usize, life: u64| hosts[index].life == life && hosts[index].agent.is_some();
        match event {
            Event::Down { stream, message } => {
                if let Some(ends) = context.links.ends(stream) {
                    self.hosts[ends.host].hear(stream, &message, context);
                }
            }
            Event::AgentTick { host, life } if alive(&self.hosts, host, life) => self.hosts[host].tick(context),
            Event::Work { host, life } if alive(&self.hosts, host, life) => self.hosts[host].work(context),
            Event::Saved { host, life } if alive(&self.hosts, host, life) => self.hosts[host].saved(context),
            Event::Finished { host, life, task, acted } if alive(&self.hosts, host, life) => {
                self.hosts[host].finished(task, acted, context)
            }
            Event::Probed { host, life, task, check } if alive(&self.hosts, host, life) => self.hosts[host].probed(task, check, context),
            Event::Notice { host, life, task } if alive(&self.hosts, host, life) => self.hosts[host].notice(task, context),
            Event::Viewed { host, life } if alive(&self.hosts, host, life) => self.hosts[host].viewed(context),
            Event::Report { host, life } if alive(&self.hosts, host, life) => self.hosts[host].report(context),
            Event::Effect { host, boot, life, task, action } if self.hosts[host].boot == boot => {
                self.hosts[host].effect(task, action, life, context);
            }
            Event::Exit { host, boot, task, started, code }
                if self.hosts[host].boot == boot && self.hosts[host].runtime.starts(task) == started =>
            {
                self.hosts[host].exit(task, code, context);
            }
            Event::AgentStart { host, life, boots } => self.start_agent(host, life, boots),
            _ => {}
        }
    }

    fn think(&mut self, client: usize, attempt: u64) {
        let view = self.newest().state.view();
        self.clients[client].act(attempt, &mut self.context, |context| random_wish(&view, &mut context.chance));
    }

    /// The manager with the newest state.
    pub(crate) fn newest(&self) -> &Manager {
        self.managers.iter().fold(&self.managers[0], |newest, manager| if manager.applied > newest.applied { manager } else { newest })
    }

    /// What needs all of the world: checked when a step may have changed it.
    fn look(&mut self) {
        if let Some((index, term)) = self.context.watch.committed.take() {
            self.look_at_quorum(index, term);
            self.look_for_removed();
        }
        for told in self.context.watch.take_drained() {
            self.look_at_senders(told.task, &told.addresses, &told.senders);
        }
        if self.steps.is_multiple_of(CHECK_EVERY) {
            self.check_all(false);
        }
    }

    /// A committed entry is on the disks of a majority.
    fn look_at_quorum(&mut self, index: u64, term: u64) {
        let has = |manager: &&Manager| {
            let log = &manager.disk.log;
            log.base() >= index || (log.synced() >= index && log.term_at(index) == Some(term))
        };
        let count = self.managers.iter().filter(has).count();
        if count <= self.managers.len() / 2 {
            let text = format!("the entry {index} is committed, and on the disks of {count} of {} managers", self.managers.len());
            self.context.watch.fail("I1", text);
        }
    }

    /// Nobody sends traffic any more to a task that is told to stop.
    fn look_at_senders(&mut self, task: TaskId, addresses: &[std::net::Ipv4Addr], senders: &[NodeId]) {
        for host in self.hosts.iter().filter(|host| senders.contains(&host.node)) {
            if addresses.iter().any(|address| healing::shows(&host.view, *address)) {
                let text = format!("task {} is told to stop while host {} still sends it traffic", task.short(), host.index);
                return self.context.watch.fail("drained", text);
            }
        }
    }

    /// Everything that costs a walk.
    pub(crate) fn check_all(&mut self, rests: bool) {
        let newest = self.newest().state.clone();
        self.context.watch.check(&newest, rests);
        let waiting = self.managers.iter().filter_map(|manager| manager.leader.as_ref()).map(crate::leader::Leader::waiting).max();
        let reporting = self.hosts.iter().filter_map(|host| host.agent.as_ref()).map(crate::host::Agent::waiting).max();
        let most = waiting.max(reporting).unwrap_or(0);
        if most > crate::invariants::QUEUE {
            self.context.watch.fail("I15", format!("{most} things wait in one process"));
        }
    }

    /// Hosts whose nodes were removed: what they run is none of the cluster's, and they join again later.
    fn look_for_removed(&mut self) {
        let view = self.newest().state.view();
        let gone: Vec<usize> =
            self.hosts.iter().filter(|host| host.is_member && view.node(host.node).is_none()).map(|host| host.index).collect();
        for host in &mut self.hosts {
            host.is_member = view.node(host.node).is_some();
        }
        for host in gone {
            self.context.watch.removed(host);
            let at = self.context.now + self.context.chance.within(8_000..=40_000);
            self.rejoins.push((at, host));
        }
    }
}
