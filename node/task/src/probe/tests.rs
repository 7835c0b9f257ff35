//! Containers with checks: as stories, and under any answers, restarts of the agent and turns of the clock.

use std::sync::Arc;

use cluster_types::{ContainerStatus, DesiredState, TaskStatus};
use proptest::prelude::*;

use super::*;
use crate::samples::assignment;
use crate::{Action, Outcome, step};

const START: Timestamp = Timestamp(1_000_000);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn check(start_period: u64) -> HealthCheck {
    HealthCheck {
        command: vec!["/probe".to_owned()],
        interval: seconds(30),
        timeout: seconds(30),
        retries: 3,
        start_period: seconds(start_period),
        start_interval: seconds(5),
    }
}

/// A running container, its machine, and a clock.
#[derive(Clone)]
struct World {
    observed: Observed,
    memory: TaskMemory,
    now: Timestamp,
    wanted: DesiredState,
    under_way: Option<Check>,
    changed: bool,
    reported: Vec<TaskStatus>,
    stops: u32,
}

impl World {
    fn new(health: Option<HealthCheck>, readiness: Option<HealthCheck>) -> Self {
        let checks = Arc::new(Checks { health, readiness });
        let observed = Observed { phase: ContainerPhase::Running, at: START, checks, ..Observed::default() };
        let memory = TaskMemory::default();
        let wanted = DesiredState::Running;
        let mut world = Self { observed, memory, now: START, wanted, under_way: None, changed: false, reported: Vec::new(), stops: 0 };
        world.settle();
        world
    }

    /// Steps until nothing is to be done now; when to look again.
    fn settle(&mut self) -> Option<Timestamp> {
        let assignment = assignment(self.wanted);
        loop {
            let step = step(Some(&assignment), &self.observed, &self.memory, self.now);
            self.memory = step.memory;
            self.changed |= step.status.is_some();
            if let Some(check) = step.probe {
                assert_eq!(self.under_way.replace(check), None, "two probes at once");
            }
            if step.action == Some(Action::Stop) {
                self.stops += 1;
                self.memory.record(Action::Stop, Outcome::Done, self.now);
            }
            if step.wake_at.is_none_or(|at| at > self.now) {
                let changed = std::mem::take(&mut self.changed);
                self.reported.extend(changed.then(|| self.memory.status.clone()));
                return step.wake_at;
            }
        }
    }

    /// Waits for the next probe; after how long it came.
    fn probe(&mut self) -> (Check, Duration) {
        let before = self.now;
        if self.under_way.is_none() {
            self.now = self.settle().expect("nothing is to come");
            self.settle();
        }
        (self.under_way.expect("no probe"), self.now.since(before))
    }

    fn answer(&mut self, verdict: &Verdict) {
        let check = self.under_way.take().expect("no probe");
        self.changed |= self.memory.record_probe(check, verdict, self.now);
        self.settle();
    }

    fn fail(&mut self) -> Duration {
        let (_, after) = self.probe();
        self.answer(&Verdict::Failed("it said\nno".to_owned()));
        after
    }

    fn pass(&mut self) -> Duration {
        let (_, after) = self.probe();
        self.answer(&Verdict::Passed("it said yes".to_owned()));
        after
    }

    fn end(&mut self) {
        self.observed.phase = ContainerPhase::Exited;
        self.observed.container = ContainerStatus { exit_code: Some(143), ..ContainerStatus::default() };
        self.settle();
    }

    /// What survives an agent: the memory as it was last saved, which is with every status.
    fn restart(&mut self) {
        self.memory.probing = Probing::default();
        self.memory.attempt = None;
        self.under_way = None;
        self.settle();
    }

    fn status(&self) -> &TaskStatus {
        &self.memory.status
    }

    fn health(&self) -> (HealthState, bool) {
        self.status().health.as_ref().map(|health| (health.state, health.ready)).unwrap()
    }
}

#[test]
fn a_task_runs_once_it_is_healthy() {
    let mut world = World::new(Some(check(0)), None);
    assert_eq!((world.status().state, world.health()), (TaskState::Starting, (HealthState::Starting, false)));
    assert_eq!(world.fail(), seconds(5));
    assert_eq!(world.pass(), seconds(5));
    assert_eq!((world.status().state, world.health()), (TaskState::Running, (HealthState::Healthy, true)));
    assert_eq!(world.status().health.as_ref().unwrap().output, "it said yes");
    let reported = world.reported.len();
    assert_eq!(world.pass(), seconds(30));
    assert_eq!(world.fail(), seconds(30));
    assert_eq!(world.reported.len(), reported, "what changes nothing is not reported");
}

#[test]
fn failures_in_a_row_stop_it_and_it_has_failed_once_it_ended() {
    let mut world = World::new(Some(check(0)), None);
    world.pass();
    for verdict in [false, false, true, false, false] {
        if verdict {
            world.pass()
        } else {
            world.fail()
        };
    }
    assert_eq!((world.health(), world.stops), ((HealthState::Healthy, true), 0));
    world.fail();
    assert_eq!((world.status().state, world.health(), world.stops), (TaskState::Running, (HealthState::Unhealthy, false), 1));
    world.end();
    assert_eq!((world.status().state, world.status().error.as_deref()), (TaskState::Failed, Some("unhealthy: no")));
    assert_eq!(world.status().health.as_ref().unwrap().output, "it said\nno");
}

#[test]
fn one_that_is_never_healthy_ends_when_docker_ends_it() {
    let mut world = World::new(Some(check(0)), None);
    while world.stops == 0 {
        world.fail();
    }
    assert_eq!(world.now.since(START), seconds(90));
    world.end();
    assert_eq!(world.status().state, TaskState::Failed);
    let mut slow = World::new(Some(check(100)), None);
    while slow.stops == 0 {
        slow.fail();
    }
    assert_eq!(slow.now.since(START), seconds(100 + 60));
}

#[test]
fn a_first_success_ends_the_start_period() {
    let mut world = World::new(Some(check(1000)), None);
    world.pass();
    for _ in 0..3 {
        assert_eq!(world.fail(), seconds(30));
    }
    assert_eq!(world.stops, 1);
}

#[test]
fn readiness_flips_and_stops_nothing() {
    let mut world = World::new(None, Some(check(0)));
    assert_eq!((world.status().state, world.health()), (TaskState::Running, (HealthState::Healthy, false)));
    world.pass();
    assert_eq!(world.health(), (HealthState::Healthy, true));
    for _ in 0..2 {
        world.fail();
        assert!(world.health().1);
    }
    world.fail();
    assert_eq!(world.health(), (HealthState::Healthy, false));
    for _ in 0..10 {
        world.fail();
    }
    world.pass();
    assert_eq!((world.health(), world.stops, world.reported.len()), ((HealthState::Healthy, true), 0, 4));
}

#[test]
fn with_both_checks_each_says_its_own() {
    let mut world = World::new(Some(check(0)), Some(HealthCheck { start_interval: seconds(2), ..check(0) }));
    assert_eq!(world.probe(), (Check::Readiness, seconds(2)));
    world.answer(&Verdict::Passed(String::new()));
    assert_eq!((world.status().state, world.health()), (TaskState::Starting, (HealthState::Starting, true)));
    assert!(!world.status().is_serving());
    assert_eq!(world.probe(), (Check::Health, seconds(3)));
    world.answer(&Verdict::Passed(String::new()));
    assert!(world.status().is_serving());
}

#[test]
fn a_restarted_agent_keeps_what_was_said_and_probes_at_once() {
    let mut world = World::new(Some(check(10)), None);
    world.pass();
    world.fail();
    world.now = world.now.plus(seconds(12));
    world.restart();
    assert_eq!((world.status().state, world.health()), (TaskState::Running, (HealthState::Healthy, true)));
    assert_eq!(world.probe(), (Check::Health, seconds(0)));
    // The start period is over for it, whenever the agent started.
    for _ in 0..3 {
        world.fail();
    }
    assert_eq!(world.stops, 1);
    // Nor does it forget what it stops a container for.
    world.restart();
    world.end();
    assert_eq!((world.status().state, world.status().error.as_deref()), (TaskState::Failed, Some("unhealthy: no")));
}

#[test]
fn nothing_is_asked_of_a_container_that_is_being_stopped() {
    let mut world = World::new(Some(check(0)), None);
    world.pass();
    world.probe();
    world.wanted = DesiredState::Shutdown;
    world.settle();
    for _ in 0..5 {
        if world.under_way.is_some() {
            world.answer(&Verdict::Failed("gone".to_owned()));
        }
        world.now = world.now.plus(seconds(100));
        world.settle();
        assert_eq!(world.under_way, None);
    }
    world.end();
    assert_eq!((world.status().state, world.health()), (TaskState::Shutdown, (HealthState::Healthy, true)));
}

#[test]
fn a_failure_takes_the_last_lines_with_it() {
    for (code, lines) in [(1, Some("panic!".to_owned())), (0, None)] {
        let mut world = World::new(None, None);
        world.memory.last_lines = Some("panic!".to_owned());
        world.observed.container.exit_code = Some(code);
        world.observed.phase = ContainerPhase::Exited;
        world.settle();
        assert_eq!(world.status().output, lines);
    }
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Pass,
    Fail,
    Unknown,
    Restart,
    Clock(i32),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Pass),
        6 => Just(Happens::Fail),
        1 => Just(Happens::Unknown),
        1 => Just(Happens::Restart),
        1 => (-500_000..50_000).prop_map(Happens::Clock),
    ]
}

fn any_check() -> impl Strategy<Value = HealthCheck> {
    (0..40_u64, 0..100_u64, 0..10_u64, 1..4_u32).prop_map(|(interval, start_period, start_interval, retries)| HealthCheck {
        interval: seconds(interval),
        start_interval: seconds(start_interval),
        retries,
        ..check(start_period)
    })
}

proptest! {
    #[test]
    fn a_container_is_probed_to_its_end(
        health in prop::option::of(any_check()),
        readiness in prop::option::of(any_check()),
        script in prop::collection::vec(happens(), 0..60),
    ) {
        prop_assume!(health.is_some() || readiness.is_some());
        let mut world = World::new(health.clone(), readiness);
        let (mut passed, mut clock_turned) = (health.is_none(), false);
        for event in script {
            match event {
                Happens::Restart => world.restart(),
                Happens::Clock(by) => {
                    clock_turned = true;
                    world.now = Timestamp(world.now.0.saturating_add_signed(by.into()));
                    world.settle();
                }
                Happens::Pass | Happens::Fail | Happens::Unknown => {
                    let asked_at = (world.now, world.probe());
                    // Never far: also after the clock was put back.
                    prop_assert!(asked_at.1.1 <= seconds(40));
                    passed |= matches!(event, Happens::Pass) && asked_at.1.0 == Check::Health;
                    let in_time = health.as_ref().is_some_and(|health| world.now < START.plus(health.start_period));
                    world.answer(&match event {
                        Happens::Pass => Verdict::Passed(String::new()),
                        Happens::Fail => Verdict::Failed(String::new()),
                        _ => Verdict::Unknown,
                    });
                    prop_assert!(passed || clock_turned || !in_time || world.stops == 0, "killed in the start period");
                }
            }
            prop_assert_eq!(world.status().state >= TaskState::Running, passed, "running is what has been healthy, for ever");
            if world.stops > 0 {
                prop_assert!(health.is_some() && world.memory.is_unhealthy() && world.under_way.is_none());
                break;
            }
            prop_assert!(world.under_way.is_some() || world.settle().is_some(), "nobody would look again");
        }
        world.end();
        prop_assert!(world.status().state.is_terminal());
        for pair in world.reported.windows(2) {
            prop_assert_ne!(&pair[0], &pair[1], "told twice");
        }
    }
}
