//! The machine against a model of a runtime and an agent that dies between any two steps.

use std::collections::BTreeMap;

use cluster_types::ContainerStatus;
use proptest::prelude::*;

use super::*;
use crate::Outcome;
use crate::samples::assignment;

/// A runtime of one container, and the agent around the machine: memory in RAM, memory on disk.
#[derive(Clone, Default)]
struct World {
    container: Observed,
    ram: TaskMemory,
    disk: TaskMemory,
    now: Timestamp,
    starts: u32,
    actions: BTreeMap<Action, u32>,
    /// What the container does next.
    fate: Option<i32>,
    rejects: bool,
    reported: Vec<TaskState>,
}

impl World {
    fn run(&mut self, action: Action) -> Outcome {
        *self.actions.entry(action).or_default() += 1;
        let phase = &mut self.container.phase;
        match (action, *phase) {
            (Action::Prepare, ContainerPhase::Absent) if self.rejects => return Outcome::Rejected("image: none".to_owned()),
            (Action::Prepare, ContainerPhase::Absent) => *phase = ContainerPhase::Prepared,
            (Action::Start, ContainerPhase::Absent) => return Outcome::Failed("there is no container".to_owned()),
            (Action::Start, ContainerPhase::Prepared) => {
                self.starts += 1;
                *phase = ContainerPhase::Running;
                if let Some(code) = self.fate {
                    self.exit(code);
                }
            }
            (Action::Stop, ContainerPhase::Running) => self.exit(143),
            (Action::Remove, _) => self.container = Observed::default(),
            (Action::Prepare | Action::Start | Action::Stop, _) => {}
        }
        Outcome::Done
    }

    fn exit(&mut self, code: i32) {
        if self.container.phase == ContainerPhase::Running {
            self.container.phase = ContainerPhase::Exited;
            self.container.container = ContainerStatus { exit_code: Some(code), ..ContainerStatus::default() };
        }
    }

    /// One step and its action; the agent dies after `survive` of (save, act, take in), when given.
    fn turn(&mut self, wanted: Option<DesiredState>, survive: Option<u8>) -> Step {
        self.now = self.now.plus(Duration::from_millis(10));
        let given = wanted.map(assignment);
        let step = step(given.as_ref(), &self.container, &self.ram, self.now);
        assert!(step.memory.status.state >= self.ram.status.state, "the state went back");
        if self.ram.status.state.is_terminal() {
            assert_eq!(step.memory.status.state, self.ram.status.state, "it ended twice");
        }
        self.reported.extend(step.status.as_ref().map(|status| status.state));
        self.ram = step.memory.clone();
        if survive == Some(0) {
            return self.restart(step);
        }
        if step.action.is_none_or(Action::needs_memory_saved) {
            self.disk = self.ram.clone();
        }
        if survive == Some(1) {
            return self.restart(step);
        }
        if let Some(action) = step.action {
            let outcome = self.run(action);
            if survive == Some(2) {
                return self.restart(step);
            }
            self.ram.record(action, outcome, self.now);
        }
        if let Some(wake_at) = step.wake_at {
            self.now = self.now.max(wake_at);
        }
        step
    }

    fn restart(&mut self, step: Step) -> Step {
        // What was saved is what a restarted agent knows; the part that is not saved is gone.
        self.ram = TaskMemory { attempt: None, ..self.disk.clone() };
        step
    }

    fn settle(&mut self, wanted: Option<DesiredState>) -> Step {
        for _ in 0..50 {
            let step = self.turn(wanted, None);
            if step.action.is_none() && step.wake_at.is_none() && step.status.is_none() {
                return step;
            }
        }
        panic!("the task never settles: {:?}", self.ram);
    }

    fn state(&self) -> TaskState {
        self.ram.status.state
    }
}

#[test]
fn a_task_walks_through_all_its_states() {
    let mut world = World::default();
    world.settle(Some(DesiredState::Running));
    let walked = [TaskState::Accepted, TaskState::Preparing, TaskState::Ready, TaskState::Starting, TaskState::Running];
    // Ready is passed in the same step that asks for the start.
    assert_eq!(world.reported, walked.into_iter().filter(|state| *state != TaskState::Ready).collect::<Vec<_>>());
    world.settle(Some(DesiredState::Shutdown));
    assert_eq!((world.state(), world.container.phase), (TaskState::Shutdown, ContainerPhase::Exited));
    assert!(world.settle(None).forgotten);
    assert_eq!(world.container.phase, ContainerPhase::Absent);
}

#[test]
fn ready_prepares_and_does_not_start() {
    let mut world = World::default();
    world.settle(Some(DesiredState::Ready));
    assert_eq!((world.state(), world.container.phase, world.starts), (TaskState::Ready, ContainerPhase::Prepared, 0));
    world.settle(Some(DesiredState::Running));
    assert_eq!((world.state(), world.starts), (TaskState::Running, 1));
}

#[test]
fn a_prepared_task_that_is_no_longer_wanted_leaves_nothing() {
    let mut world = World::default();
    world.settle(Some(DesiredState::Ready));
    world.settle(Some(DesiredState::Shutdown));
    assert_eq!((world.state(), world.container.phase, world.starts), (TaskState::Shutdown, ContainerPhase::Absent, 0));
}

#[test]
fn an_end_by_itself_is_told_from_a_stop() {
    for (code, state) in [(0, TaskState::Complete), (7, TaskState::Failed)] {
        let mut world = World::default();
        world.settle(Some(DesiredState::Running));
        world.exit(code);
        // The wish to stop comes after the end: it ended by itself.
        world.settle(Some(DesiredState::Shutdown));
        assert_eq!((world.state(), world.ram.status.container.as_ref().unwrap().exit_code), (state, Some(code)));
    }
}

#[test]
fn a_lost_container_is_a_failure_and_nothing_starts_again() {
    let mut world = World::default();
    world.settle(Some(DesiredState::Running));
    world.container = Observed::default();
    world.settle(Some(DesiredState::Running));
    assert_eq!((world.state(), world.ram.status.error.as_deref(), world.starts), (TaskState::Failed, Some("container lost"), 1));
}

#[test]
fn a_reboot_fails_what_ran_and_keeps_what_had_not_started() {
    for phase in [ContainerPhase::Absent, ContainerPhase::Prepared, ContainerPhase::Exited] {
        let mut world = World::default();
        world.settle(Some(DesiredState::Running));
        world.container = Observed { phase, ..Observed::default() };
        world.ram.rebooted = true;
        world.settle(Some(DesiredState::Running));
        assert_eq!((world.state(), world.starts), (TaskState::Failed, 1));
        assert!(world.ram.status.error.as_ref().unwrap().contains("the host restarted"));
    }
    let mut world = World::default();
    world.settle(Some(DesiredState::Ready));
    world.container = Observed::default();
    world.ram.rebooted = true;
    world.settle(Some(DesiredState::Running));
    assert_eq!((world.state(), world.starts), (TaskState::Running, 1));
}

#[test]
fn a_reboot_in_the_middle_of_a_start_does_not_start_again() {
    let mut world = World::default();
    world.settle(Some(DesiredState::Ready));
    // The start is saved; whether it happened before the power went, nobody knows.
    world.turn(Some(DesiredState::Running), Some(1));
    assert_eq!((world.state(), world.container.phase), (TaskState::Starting, ContainerPhase::Prepared));
    world.ram.rebooted = true;
    world.settle(Some(DesiredState::Running));
    assert_eq!((world.state(), world.starts), (TaskState::Failed, 0));
}

#[test]
fn what_matters_is_saved_before_it_is_done() {
    let mut world = World::default();
    world.settle(Some(DesiredState::Ready));
    world.turn(Some(DesiredState::Running), Some(2));
    assert_eq!(world.container.phase, ContainerPhase::Running);
    // The agent died at the start, and the container goes before it is back.
    world.container = Observed::default();
    world.settle(Some(DesiredState::Running));
    assert_eq!((world.state(), world.starts), (TaskState::Failed, 1));

    let mut world = World::default();
    world.settle(Some(DesiredState::Running));
    world.turn(Some(DesiredState::Shutdown), Some(2));
    world.settle(Some(DesiredState::Shutdown));
    assert_eq!(world.state(), TaskState::Shutdown, "it was stopped; it did not fail");
}

#[test]
fn a_container_that_runs_although_its_start_failed_is_stopped() {
    let mut world = World::default();
    world.settle(Some(DesiredState::Running));
    world.ram.status.state = TaskState::Starting;
    world.ram.record(Action::Start, Outcome::Failed("no answer in time".to_owned()), world.now);
    world.settle(Some(DesiredState::Running));
    assert_eq!((world.state(), world.container.phase), (TaskState::Failed, ContainerPhase::Exited));
}

#[test]
fn a_rejected_image_ends_the_task_with_its_cause() {
    let mut world = World { rejects: true, ..World::default() };
    world.settle(Some(DesiredState::Running));
    assert_eq!((world.state(), world.ram.status.error.as_deref()), (TaskState::Rejected, Some("image: none")));
    assert_eq!(world.actions.get(&Action::Prepare), Some(&1));
}

#[test]
fn a_running_container_without_memory_is_adopted() {
    let mut world = World::default();
    world.settle(Some(DesiredState::Running));
    world.ram = TaskMemory::default();
    world.settle(Some(DesiredState::Running));
    assert_eq!((world.state(), world.starts), (TaskState::Running, 1));
}

#[test]
fn a_failed_removal_is_tried_again_later_each_time() {
    let mut memory = TaskMemory::default();
    let observed = Observed { phase: ContainerPhase::Exited, ..Observed::default() };
    let mut now = Timestamp(1_000);
    let mut last = 0;
    for _ in 0..5 {
        let first = step(None, &observed, &memory, now);
        assert_eq!(first.action, Some(Action::Remove));
        memory = first.memory;
        memory.record(Action::Remove, Outcome::Failed("busy".to_owned()), now);
        let held = step(None, &observed, &memory, now);
        let wait = held.wake_at.unwrap().since(now).as_millis();
        assert!(held.action.is_none() && wait > last);
        (last, now) = (wait, held.wake_at.unwrap());
    }
}

#[test]
fn a_stop_is_asked_again_when_the_container_outlives_it() {
    let running = Observed { phase: ContainerPhase::Running, ..Observed::default() };
    let shutdown = assignment(DesiredState::Shutdown);
    let mut first = step(Some(&shutdown), &running, &TaskMemory::default(), Timestamp(1));
    assert_eq!((first.action, first.memory.stop_asked), (Some(Action::Stop), true));
    first.memory.record(Action::Stop, Outcome::Done, Timestamp(2));
    let held = step(Some(&shutdown), &running, &first.memory, Timestamp(3));
    assert_eq!(held.action, None);
    assert_eq!(step(Some(&shutdown), &running, &held.memory, held.wake_at.unwrap()).action, Some(Action::Stop));
    // A restarted agent cannot know whether the runtime's grace timer still runs: it asks at once.
    let restarted = TaskMemory { attempt: None, ..held.memory };
    assert_eq!(step(Some(&shutdown), &running, &restarted, Timestamp(4)).action, Some(Action::Stop));
}

/// What happens to a task, one after the other.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Turn(Option<u8>),
    Want(DesiredState),
    Forget,
    Exit(i32),
    Lose,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        8 => prop::option::weighted(0.4, 0_u8..3).prop_map(Happens::Turn),
        2 => prop::sample::select(vec![DesiredState::Ready, DesiredState::Running, DesiredState::Shutdown, DesiredState::Remove])
            .prop_map(Happens::Want),
        1 => Just(Happens::Forget),
        1 => (0..3).prop_map(Happens::Exit),
        1 => Just(Happens::Lose),
    ]
}

proptest! {
    #[test]
    fn a_container_starts_once_whatever_crashes(
        script in prop::collection::vec(happens(), 0..60),
        fate in prop::option::of(0..3),
        rejects: bool,
    ) {
        let mut world = World { fate, rejects, ..World::default() };
        let mut wanted = Some(DesiredState::Ready);
        for event in script {
            match event {
                Happens::Turn(survive) => { world.turn(wanted, survive); }
                Happens::Want(desired) => wanted = wanted.map(|now| now.max(desired)),
                Happens::Forget => wanted = None,
                Happens::Exit(code) => world.exit(code),
                Happens::Lose if world.container.phase > ContainerPhase::Prepared => world.container = Observed::default(),
                Happens::Lose => {}
            }
            prop_assert!(world.starts <= 1, "the container was started twice");
        }
        let ended = world.state().is_terminal();
        world.settle(wanted);
        prop_assert!(world.starts <= 1, "the container was started twice");
        match wanted {
            None | Some(DesiredState::Remove) => prop_assert_eq!(world.container.phase, ContainerPhase::Absent),
            Some(DesiredState::Shutdown) => prop_assert_ne!(world.container.phase, ContainerPhase::Running),
            Some(DesiredState::Running) => prop_assert!(world.state() >= TaskState::Running),
            Some(DesiredState::Ready) => prop_assert!(ended || world.starts == 0),
        }
    }

    /// The same wishes with crashes and without end the same.
    #[test]
    fn crashes_do_not_change_the_end(
        wishes in prop::collection::vec((prop::option::of(0_u8..3), any::<bool>()), 0..25),
        fate in prop::option::of(0..3),
        rejects: bool,
        last in prop::sample::select(vec![DesiredState::Ready, DesiredState::Running, DesiredState::Shutdown]),
    ) {
        let mut calm = World { fate, rejects, ..World::default() };
        let mut crashing = calm.clone();
        let mut wanted = DesiredState::Ready;
        for (survive, more) in wishes {
            crashing.turn(Some(wanted), survive);
            calm.turn(Some(wanted), None);
            if more && wanted < last {
                crashing.settle(Some(wanted));
                calm.settle(Some(wanted));
                wanted = DesiredState::Running.min(last);
            }
        }
        crashing.settle(Some(wanted));
        calm.settle(Some(wanted));
        crashing.settle(Some(last));
        calm.settle(Some(last));
        prop_assert_eq!(crashing.state(), calm.state());
        prop_assert_eq!(crashing.container.phase, calm.container.phase);
        prop_assert_eq!(crashing.starts, calm.starts);
    }
}
