//! One round of the worker: step, save, report, act. Each in a step of its own, so that the agent may die in between.

use cluster_task::{Action, Outcome};
use cluster_types::{Check, TaskId, Timestamp};

use super::Host;
use super::agent::{Agent, Round};
use super::ledger::Record;
use super::runtime::Fate;
use crate::context::Context;
use crate::event::Event;
use crate::fault::Class;

impl Host {
    /// Steps the tasks that are ready, and begins to save what came of it.
    pub(crate) fn work(&mut self, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        let now = agent.clock.read(context.now, self.wall);
        agent.is_woken = false;
        if agent.round.is_some() {
            // The end of the save makes another round.
            return;
        }
        let mut round = Round::default();
        let mut looks = Vec::new();
        for task in std::mem::take(&mut agent.ready) {
            if agent.look_at(task, now, &mut round) {
                looks.push(task);
            }
        }
        round.records = std::mem::take(&mut agent.unsaved);
        round.is_durable = agent.unsaved_matters || round.actions.iter().any(|(_, action)| action.needs_memory_saved());
        let nothing = round.records.is_empty();
        let is_durable = std::mem::take(&mut agent.unsaved_matters) || round.is_durable;
        agent.round = Some(round);
        for task in looks {
            let millis = self.takes(0..=3, context);
            context.after(millis, Event::Finished { host: self.index, life: self.life, task, acted: None });
        }
        if nothing || !is_durable {
            return self.saved(context);
        }
        if cluster_types::bug!(ActsBeforeSaved) {
            self.act(context);
        }
        let millis = self.takes(1..=6, context);
        context.after(millis, Event::Saved { host: self.index, life: self.life });
    }

    /// What was to be saved is: reports go out, actions begin.
    pub(crate) fn saved(&mut self, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        let Some(round) = &mut agent.round else { return };
        self.ledger.append(std::mem::take(&mut round.records), round.is_durable);
        context.watch.saved_fence(self.index, self.ledger.saved_fence());
        self.act(context);
        let Some(agent) = &mut self.agent else { return };
        agent.round = None;
        if !agent.ready.is_empty() {
            self.wake_worker(context);
        }
    }

    /// Reports and begins the actions of the round.
    fn act(&mut self, context: &mut Context) {
        let Some(agent) = &mut self.agent else { return };
        let Some(round) = &mut agent.round else { return };
        let Round { statuses, actions, probes, .. } = std::mem::take(round);
        for (task, status) in &statuses {
            agent.reports.put(*task, status);
        }
        for (_, status) in statuses {
            self.report_within(status.state, context);
        }
        for (task, action) in actions {
            let usual = match action {
                Action::Prepare => 5..=400,
                Action::Start => 5..=60,
                Action::Stop | Action::Remove => 1..=10,
            };
            let millis = self.takes(usual, context);
            context.after(millis, Event::Effect { host: self.index, boot: self.boot, life: self.life, task, action });
        }
        for (task, check) in probes {
            let millis = self.takes(5..=150, context);
            context.after(millis, Event::Probed { host: self.index, life: self.life, task, check });
        }
    }

    /// A check of a container ends.
    pub(crate) fn probed(&mut self, task: TaskId, check: Check, context: &mut Context) {
        let verdict = self.runtime.probe(task, context.now);
        let Some(agent) = &mut self.agent else { return };
        let now = agent.clock.read(context.now, self.wall);
        let Some(slot) = agent.slots.get_mut(&task) else { return };
        slot.probed(check, &verdict, now);
        agent.ready.insert(task);
        self.wake_worker(context);
    }

    /// The runtime does what it was asked.
    pub(crate) fn effect(&mut self, task: TaskId, action: Action, life: u64, context: &mut Context) {
        let all_good = context.weather.is_fair;
        let now = self.wall.now(context.now);
        let is_asked = self.life == life && self.agent.is_some();
        if !is_asked && context.chance.percent(50) {
            return;
        }
        context.say(&format!("host {} {} {}", self.index, action.word(), task.short()));
        let outcome = match action {
            Action::Prepare => {
                let assignment = self.agent.as_ref().and_then(|agent| agent.slots.get(&task)?.assignment.clone());
                let (outcome, is_fault) = self.runtime.prepare(assignment.as_ref(), all_good);
                if is_fault {
                    context.fired(Class::ImageMissing);
                }
                outcome
            }
            Action::Start => self.start_container(task, now, all_good, context),
            Action::Stop => {
                if self.runtime.stop(task) {
                    let grace = self.runtime.get(task).map_or(0, |it| grace_millis(&it.assignment.spec));
                    let millis = context.chance.within(1..=(grace / 4).max(1));
                    let started = self.runtime.starts(task);
                    context.after(millis, Event::Exit { host: self.index, boot: self.boot, task, started, code: 143 });
                }
                Outcome::Done
            }
            Action::Remove => {
                if self.runtime.remove(task) {
                    context.watch.stopped(self.index, task);
                }
                Outcome::Done
            }
        };
        if is_asked {
            let millis = self.takes(0..=3, context);
            context.after(millis, Event::Finished { host: self.index, life, task, acted: Some((action, outcome)) });
        }
    }

    fn start_container(&mut self, task: TaskId, now: Timestamp, all_good: bool, context: &mut Context) -> Outcome {
        let (outcome, fate) = self.runtime.start(task, all_good, now, &mut context.chance);
        let started = self.runtime.starts(task);
        if fate.is_some()
            && let Some(container) = self.runtime.get(task)
        {
            context.watch.started(self.index, self.node, &container.assignment, started);
            context.watch.found_saved(self.index, task, self.ledger.saved(task));
            let ill_until = context.now + context.chance.within(0..=3_000);
            self.runtime.sicken(task, ill_until);
        }
        if let Some(Fate::Ends(millis, code)) = fate {
            context.after(millis, Event::Exit { host: self.index, boot: self.boot, task, started, code });
        }
        outcome
    }

    /// A container ends.
    pub(crate) fn exit(&mut self, task: TaskId, code: i32, context: &mut Context) {
        let now = self.wall.now(context.now);
        if !self.runtime.exit(task, code, now) {
            return;
        }
        context.watch.stopped(self.index, task);
        context.say(&format!("host {}: container {} ends with {code}", self.index, task.short()));
        // A rare event gets lost: the agent looks at all containers from time to time.
        if context.weather.is_fair || !context.chance.percent(1) {
            context.soon(0..=3, Event::Notice { host: self.index, life: self.life, task });
        }
    }

    /// An action or a look ended.
    pub(crate) fn finished(&mut self, task: TaskId, acted: Option<(Action, Outcome)>, context: &mut Context) {
        let observed = self.runtime.observe(task);
        let Some(agent) = &mut self.agent else { return };
        let now = agent.clock.read(context.now, self.wall);
        let Some(slot) = agent.slots.get_mut(&task) else { return };
        slot.rest(acted, now);
        slot.see(observed, self.wall.now(context.now), now);
        agent.ready.insert(task);
        self.wake_worker(context);
    }
}

impl Agent {
    /// One task has its turn. Whether its container must be looked at.
    fn look_at(&mut self, task: TaskId, now: Timestamp, round: &mut Round) -> bool {
        let Some(slot) = self.slots.get_mut(&task) else { return false };
        let turn = slot.turn(now);
        if turn.remember {
            self.unsaved.push(Record::Remembered(task, Box::new(slot.memory.clone())));
        }
        if turn.forgotten {
            self.slots.remove(&task);
            self.unsaved.push(Record::Forgotten(task));
        }
        round.statuses.extend(turn.report.map(|status| (task, status)));
        round.actions.extend(turn.action.map(|action| (task, action)));
        round.probes.extend(turn.probe.map(|check| (task, check)));
        turn.look
    }
}

fn grace_millis(spec: &cluster_types::TaskSpec) -> u64 {
    u64::try_from(spec.container.stop_grace.as_millis()).unwrap_or(u64::MAX)
}
