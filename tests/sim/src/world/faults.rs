//! What goes wrong, when, and for how long.

use super::World;
use crate::event::Event;
use crate::fault::{Class, Ending, Storm};

/// An hour, in milliseconds.
const HOUR: u64 = 3_600_000;

impl World {
    /// The next fault, and when the one after it comes.
    pub(super) fn fault(&mut self) {
        if self.context.weather.is_fair {
            return;
        }
        let millis = if self.context.chance.percent(30) { 20..=400 } else { 400..=12_000 };
        self.context.soon(millis, Event::Fault);
        self.rejoin();
        let host = self.context.chance.index(self.hosts.len());
        let manager = self.context.chance.index(self.managers.len());
        match self.context.chance.below(19) {
            0 => self.storm(Class::Loss),
            1 => self.storm(Class::Delay),
            2 => self.storm(Class::Duplicate),
            3 => self.storm(Class::Reorder),
            4 | 5 => self.cut(),
            6 => self.partition(),
            7 => self.kill_leader(),
            8 => {
                let millis = self.context.chance.within(300..=8_000);
                self.kill_manager(manager, millis);
            }
            9 => self.depose(),
            10 => self.slow_disk(manager),
            11 => self.slow_agent(host),
            12 => {
                let millis = self.context.chance.within(50..=4_000);
                self.kill_agent(host, millis);
            }
            13 => {
                let millis = self.context.chance.within(800..=2_500);
                self.lose_power(host, millis, Class::Reboot);
            }
            14 => {
                let millis = self.context.chance.within(6_000..=45_000);
                self.lose_power(host, millis, Class::NodeLoss);
            }
            15 => self.jump(host),
            16 => self.crash_containers(host),
            17 => self.sicken_containers(host),
            _ => self.close_registry(host),
        }
    }

    fn lasts(&mut self, most: u64, ending: Ending) {
        self.context.soon(300..=most, Event::Ends { ending });
    }

    fn storm(&mut self, class: Class) {
        let around = self.context.chance.index(self.hosts.len());
        let storm = Storm { class, around: Some(around).filter(|_| self.context.chance.percent(60)) };
        self.context.say(&format!("{}: around {:?}", class.word(), storm.around));
        self.context.weather.storms.insert(storm);
        self.lasts(8_000, Ending::Clear(storm));
    }

    /// One machine no longer hears another, or any.
    fn cut(&mut self) {
        let hosts = self.hosts.len();
        let (from, to) = (self.context.chance.index(hosts), self.context.chance.index(self.managers.len()));
        let (from, to) = if self.context.chance.percent(50) { (from, to) } else { (to, from) };
        let ways: Vec<(usize, usize)> =
            if self.context.chance.percent(40) { (0..hosts).map(|other| (from, other)).collect() } else { vec![(from, to)] };
        self.context.say(&format!("cut: {} ways from {from}", ways.len()));
        self.cut_ways(Class::OneWayCut, ways, 12_000);
    }

    /// A set of machines hears nobody else, and is not heard.
    fn partition(&mut self) {
        let hosts = self.hosts.len();
        let share = self.context.chance.within(10..=50);
        let inside: Vec<bool> = (0..hosts).map(|_| self.context.chance.percent(share)).collect();
        let across = |from: usize, to: usize| inside[from] != inside[to];
        let ways: Vec<(usize, usize)> =
            (0..hosts).flat_map(|from| (0..hosts).map(move |to| (from, to))).filter(|(from, to)| across(*from, *to)).collect();
        if !ways.is_empty() {
            let cut_off: Vec<usize> = (0..hosts).filter(|host| inside[*host]).collect();
            self.context.say(&format!("partition: {cut_off:?} and the others"));
            self.cut_ways(Class::Partition, ways, 20_000);
        }
    }

    fn cut_ways(&mut self, class: Class, ways: Vec<(usize, usize)>, most: u64) {
        ways.iter().for_each(|(from, to)| self.context.links.cut(*from, *to));
        self.context.fired(class);
        self.lasts(most, Ending::Mend(ways));
    }

    fn kill_leader(&mut self) {
        let leader = self.managers.iter().position(|manager| manager.is_up && manager.leader.is_some());
        let millis = self.context.chance.within(300..=8_000);
        if let Some(leader) = leader {
            self.kill_manager(leader, millis);
        }
    }

    fn depose(&mut self) {
        if let Some(leader) = self.managers.iter_mut().find(|manager| manager.is_up && manager.is_leader()) {
            leader.step_down(&mut self.context);
            self.context.fired(Class::StepDown);
        }
    }

    /// One manager's disk is slow; or all stand still, since they share what is below them: then a proposal may take longer than is waited for.
    fn slow_disk(&mut self, manager: usize) {
        if self.context.chance.percent(40) {
            return self.stall_disks();
        }
        self.managers[manager].sync_millis = self.context.chance.within(50..=1_500);
        self.context.say(&format!("the disk of manager {manager} is slow"));
        self.context.fired(Class::SlowDisk);
        self.lasts(6_000, Ending::Disk(manager));
    }

    fn stall_disks(&mut self) {
        let millis = self.context.chance.within(1_000..=6_000);
        self.context.say(&format!("the managers' disks stand still for {millis} ms"));
        for manager in &mut self.managers {
            manager.stalls_until = self.context.now + millis;
            self.context.fired(Class::SlowDisk);
        }
    }

    fn slow_agent(&mut self, host: usize) {
        self.hosts[host].slowness = self.context.chance.within(50..=3_000);
        self.lasts(15_000, Ending::Agent(host));
    }

    fn jump(&mut self, host: usize) {
        let hour = i64::try_from(HOUR).unwrap_or_default();
        let offset = i64::try_from(self.context.chance.below(2 * HOUR)).unwrap_or_default() - hour;
        self.context.say(&format!("the clock of host {host} is {offset} ms wrong"));
        self.context.fired(Class::ClockJump);
        self.hosts[host].wall.offset = offset;
        if let Some(manager) = self.managers.get_mut(host) {
            manager.wall.offset = offset;
        }
    }

    /// Some of a host's containers end.
    fn crash_containers(&mut self, host: usize) {
        let running: Vec<_> = self.hosts[host].runtime.running().map(|(task, _)| task).collect();
        for task in running {
            if self.context.chance.percent(40) {
                self.context.fired(Class::ContainerCrash);
                self.hosts[host].exit(task, 1, &mut self.context);
            }
        }
    }

    /// Some of a host's containers fail their checks: for a while, or until they end.
    fn sicken_containers(&mut self, host: usize) {
        for task in self.hosts[host].runtime.checked() {
            if self.context.chance.percent(60) {
                let recovers = self.context.chance.percent(50);
                let until = if recovers { self.context.now + self.context.chance.within(500..=12_000) } else { u64::MAX };
                self.context.fired(Class::Unhealthy);
                self.context.say(&format!("host {host}: container {} is ill", task.short()));
                self.hosts[host].runtime.sicken(task, until);
            }
        }
    }

    fn close_registry(&mut self, host: usize) {
        self.hosts[host].runtime.has_no_images = true;
        self.lasts(10_000, Ending::Registry(host));
    }

    /// A fault ends.
    pub(super) fn end_fault(&mut self, ending: Ending) {
        if self.context.weather.is_fair {
            return;
        }
        match ending {
            Ending::Mend(ways) => ways.into_iter().for_each(|(from, to)| self.context.links.mend(from, to)),
            Ending::Clear(storm) => drop(self.context.weather.storms.remove(&storm)),
            Ending::Disk(manager) => self.managers[manager].sync_millis = 1,
            Ending::Agent(host) => self.hosts[host].slowness = 0,
            Ending::Registry(host) => self.hosts[host].runtime.has_no_images = false,
        }
    }

    /// All faults end, and no others come.
    pub(super) fn clear_up(&mut self) {
        self.context.say("the faults end");
        self.context.weather.is_fair = true;
        self.context.weather.storms.clear();
        self.context.links.mend_all();
        self.managers.iter_mut().for_each(|manager| (manager.sync_millis, manager.stalls_until) = (1, 0));
        for host in &mut self.hosts {
            host.slowness = 0;
            host.runtime.has_no_images = false;
            host.runtime.cure();
        }
        self.clients.iter_mut().for_each(|client| client.is_idle = true);
    }
}
