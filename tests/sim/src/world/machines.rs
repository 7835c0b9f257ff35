//! Processes and machines that go and come back.

use super::World;
use super::beginning::description;
use crate::client::Wish;
use crate::event::Event;
use crate::fault::Class;

impl World {
    /// Kills a manager; it starts again after so many milliseconds.
    pub(super) fn kill_manager(&mut self, manager: usize, millis: u64) {
        if !self.managers[manager].is_up {
            return;
        }
        let was_leader = self.managers[manager].leader.is_some();
        self.context.say(&format!("manager {manager} is killed{}", if was_leader { ", the leader" } else { "" }));
        self.context.fired(if was_leader { Class::LeaderCrash } else { Class::ManagerCrash });
        if self.managers[manager].crash(&mut self.context.chance) {
            self.context.fired(Class::LostTail);
        }
        let life = self.managers[manager].life;
        self.context.after(millis, Event::ManagerStart { manager, life });
    }

    /// Kills an agent; it starts again after so many milliseconds.
    pub(super) fn kill_agent(&mut self, host: usize, millis: u64) {
        if self.hosts[host].agent.is_none() {
            return;
        }
        self.context.say(&format!("agent {host} is killed"));
        self.context.fired(Class::AgentRestart);
        self.hosts[host].kill(&mut self.context);
        let life = self.hosts[host].life;
        self.context.after(millis, Event::AgentStart { host, life, boots: false });
    }

    /// A machine loses its power, for so many milliseconds.
    pub(super) fn lose_power(&mut self, host: usize, millis: u64, class: Class) {
        if !self.hosts[host].is_on {
            return;
        }
        self.context.say(&format!("host {host} loses its power for {millis} ms"));
        self.context.fired(class);
        self.hosts[host].lose_power(&mut self.context);
        let life = self.hosts[host].life;
        self.context.after(millis, Event::AgentStart { host, life, boots: true });
        if host < self.managers.len() {
            self.kill_manager(host, millis);
        }
    }

    pub(super) fn start_agent(&mut self, host: usize, life: u64, boots: bool) {
        let machine = &mut self.hosts[host];
        if machine.life != life || machine.agent.is_some() {
            return;
        }
        machine.is_on |= boots;
        if machine.is_on {
            machine.start(&mut self.context);
        }
    }

    /// A host whose node was removed joins again, as another node with an empty disk.
    pub(super) fn rejoin(&mut self) {
        let now = self.context.now;
        let Some(place) = self.rejoins.iter().position(|(at, host)| *at <= now && self.hosts[*host].is_on) else { return };
        let Some(client) = self.clients.iter().position(|client| !client.waits()) else { return };
        let (_, host) = self.rejoins.remove(place);
        let machine = &mut self.hosts[host];
        machine.kill(&mut self.context);
        machine.life += 1;
        for task in machine.runtime.running().map(|(task, _)| task).collect::<Vec<_>>() {
            self.context.watch.stopped(host, task);
        }
        machine.runtime.clear();
        machine.ledger.clear();
        machine.view.clear();
        machine.node = self.context.chance.id();
        machine.boot += 1;
        machine.description = description(host, machine.boot);
        self.context.watch.joined(host);
        self.context.fired(Class::Rejoin);
        let wish = Wish::Join(machine.node, Box::new(machine.description.clone()));
        self.context.say(&format!("host {host} joins anew"));
        let life = machine.life;
        self.clients[client].want(wish, &mut self.context);
        self.context.soon(500..=3_000, Event::AgentStart { host, life, boots: false });
    }
}
