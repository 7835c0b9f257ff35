//! A service is followed from look to look: what is said, and how it ends.

use std::time::Duration;

use std::sync::Arc;

use cluster_types::{
    Author, FailureAction, HealthState, JobStatus, NodeId, Revision, Schedule, ServiceMode, TaskHealth, TaskState, Timestamp, UpdateState,
    UpdateStatus, Version,
};

use super::drain::Drain;
use super::progress::{Goal, Progress, Step, Verdict};
use crate::failure::Exit;
use crate::model::{ServiceView, TaskView};
use crate::render::error::error;
use crate::render::paint::Paint;
use crate::render::tests::{service, task};

struct Follow {
    progress: Progress,
    replicas: u64,
    said: String,
}

impl Follow {
    fn new(replicas: u64, floor: Option<Version>) -> Self {
        let goal = Goal { name: "web".into(), floor, ..Goal::default() };
        Self { progress: Progress::new(goal), replicas, said: String::new() }
    }

    fn look(&mut self, seconds: u64, tasks: &[TaskView]) -> Step {
        let service = service("web", ServiceMode::Replicated { replicas: self.replicas }, 0);
        let step = self.progress.look(&service, tasks, Duration::from_secs(seconds));
        for line in &step.lines {
            self.said.push_str(&format!("{seconds:>3} s  {line}\n"));
        }
        if let Verdict::Cannot(failure) = &step.verdict {
            self.said.push_str(&error(failure, Paint(false)));
        }
        step
    }
}

fn exit(step: &Step) -> Option<Exit> {
    match &step.verdict {
        Verdict::Cannot(failure) => Some(failure.exit),
        Verdict::Going | Verdict::Reached | Verdict::Ended(..) => None,
    }
}

/// What was broken before a change that may mend it.
#[test]
fn failures_of_the_spec_before_do_not_count() {
    let older = |id| task(id, 1, TaskState::Rejected, None);
    let floor = Version(older(1).task.spec_version.0 + 1);
    let mut follow = Follow::new(1, Some(floor));
    let step = follow.look(1, &[older(1), older(2), older(3), older(4)]);
    assert_eq!(step.verdict, Verdict::Going);
    let mut follow = Follow::new(1, None);
    assert_eq!(exit(&follow.look(1, &[older(1), older(2), older(3), older(4)])), Some(Exit::Tasks));
}

#[test]
fn a_service_that_starts_has_a_line_for_each_change() {
    let mut follow = Follow::new(2, None);
    follow.look(0, &[]);
    follow.look(0, &[task(1, 1, TaskState::Assigned, None), task(2, 2, TaskState::Pending, None)]);
    follow.look(1, &[task(1, 1, TaskState::Preparing, None), task(2, 2, TaskState::Preparing, None)]);
    follow.look(1, &[task(1, 1, TaskState::Running, None), task(2, 2, TaskState::Preparing, None)]);
    let same = follow.look(2, &[task(1, 1, TaskState::Running, None), task(2, 2, TaskState::Preparing, None)]);
    assert!(same.lines.is_empty() && same.verdict == Verdict::Going);
    let last = follow.look(3, &[task(1, 1, TaskState::Running, None), task(2, 2, TaskState::Running, None)]);
    assert_eq!((last.verdict, last.running, last.goal), (Verdict::Reached, 2, 2));
    insta::assert_snapshot!(follow.said, @"
    0 s  web: 0/2 running
    1 s  web.1 on n1: preparing
    1 s  web.2 on n1: preparing
    1 s  web.1 on n1: running
    1 s  web: 1/2 running
    3 s  web.2 on n1: running
    3 s  web: 2/2 running
    ");
}

#[test]
fn a_surplus_task_is_not_the_goal() {
    let mut follow = Follow::new(1, None);
    let both = [task(1, 1, TaskState::Running, None), task(2, 2, TaskState::Running, None)];
    assert_eq!(follow.look(0, &both).verdict, Verdict::Going);
    let gone = [task(1, 1, TaskState::Running, None), task(2, 2, TaskState::Shutdown, None)];
    assert_eq!(follow.look(1, &gone).verdict, Verdict::Reached);
    insta::assert_snapshot!(follow.said, @"
    0 s  web: 2/1 running
    1 s  web.2 on n1: shutdown
    1 s  web: 1/1 running
    ");
}

#[test]
fn what_was_not_got_is_warned_of_once_and_not_waited_for() {
    let mut follow = Follow::new(1, None);
    let running = [task(1, 1, TaskState::Running, None)];
    let mut view = service("web", ServiceMode::Replicated { replicas: 1 }, 1);
    view.service.endpoint.error = Some("left from the spec before".into());
    let mut looks = vec![follow.progress.look(&view, &running, Duration::ZERO)];
    view.service.endpoint.error = None;
    view.conflicts = vec!["port 8080/tcp is not open on w1: another program has it".into()];
    looks.extend((1..4).map(|seconds| follow.progress.look(&view, &running, Duration::from_secs(seconds))));
    assert!(looks.iter().all(|step| step.verdict == Verdict::Reached));
    let warnings: Vec<String> = looks.into_iter().flat_map(|step| step.warnings).collect();
    assert_eq!(warnings, ["warning: web: port 8080/tcp is not open on w1: another program has it"]);
}

#[test]
fn tasks_of_the_old_spec_do_not_count() {
    let mut follow = Follow::new(1, Some(Version(8)));
    assert_eq!(follow.look(0, &[task(1, 1, TaskState::Running, None)]).verdict, Verdict::Going);
    let mut new = task(2, 1, TaskState::Running, None);
    new.task.spec_version = Version(8);
    assert_eq!(follow.look(1, &[task(1, 1, TaskState::Shutdown, None), new]).verdict, Verdict::Reached);
}

#[test]
fn tasks_that_fail_again_and_again_end_it() {
    let mut follow = Follow::new(1, None);
    let mut tasks = Vec::new();
    for number in 1..=3 {
        tasks.push(task(number, 1, TaskState::Running, None));
        follow.look(u64::try_from(number).unwrap(), &tasks);
        tasks.pop();
        tasks.push(task(number, 1, TaskState::Failed, None));
    }
    tasks.push(task(4, 1, TaskState::Ready, None));
    let last = follow.look(9, &tasks);
    assert_eq!(exit(&last), Some(Exit::Tasks));
    insta::assert_snapshot!(follow.said, @"
      1 s  web: 1/1 running
      2 s  web.1 on n1: failed: exit code 1
      2 s  web.1 on n1: running
      3 s  web.1 on n1: failed: exit code 1
      3 s  web.1 on n1: running
      9 s  web.1 on n1: failed: exit code 1
      9 s  web: 0/1 running
    error[E0301]: web is at 0/1: its tasks fail
      cause: web.1 on n1: failed: exit code 1 (3 times)
      fix:   see what they wrote: cluster service logs web     and all of them: cluster service ps web
      The change stays, and the managers go on trying.
    ");
}

#[test]
fn a_missing_image_ends_it_before_a_task_ever_ran() {
    let mut follow = Follow::new(3, None);
    let why = Some("image shop/web:1.9: the registry has no such tag");
    let tasks = [1, 2, 3].map(|number| task(number, u64::try_from(number).unwrap(), TaskState::Rejected, why));
    assert_eq!(exit(&follow.look(1, &tasks)), Some(Exit::Tasks));
}

#[test]
fn a_task_that_is_never_restarted_ends_it_at_once() {
    let mut follow = Follow::new(1, None);
    let mut once = service("web", ServiceMode::Replicated { replicas: 1 }, 0);
    let spec = std::sync::Arc::make_mut(&mut once.service.spec);
    spec.task.restart.condition = cluster_types::RestartCondition::None;
    let rejected = [task(1, 1, TaskState::Rejected, Some("no such image"))];
    let step = follow.progress.look(&once, &rejected, Duration::ZERO);
    assert_eq!(exit(&step), Some(Exit::Tasks));
}

#[test]
fn tasks_that_no_node_takes_end_it_after_a_while() {
    let mut follow = Follow::new(2, None);
    let why = Some("n1: 800 MiB short\nn2: drained");
    let tasks = [task(1, 1, TaskState::Running, None), task(2, 2, TaskState::Pending, why)];
    assert_eq!(follow.look(0, &tasks).verdict, Verdict::Going);
    assert_eq!(follow.look(9, &tasks).verdict, Verdict::Going);
    assert_eq!(exit(&follow.look(10, &tasks)), Some(Exit::Placement));
    insta::assert_snapshot!(follow.said, @"
      0 s  web.2: pending: n1: 800 MiB short; n2: drained
      0 s  web: 1/2 running
    error[E0302]: web is at 1/2: no node can take the other tasks
      cause: web.2: n1: 800 MiB short
             n2: drained
      fix:   make room or add a node, or change what the service needs: cluster service update
      The change stays: the tasks start as soon as a node can take them.
    ");
}

#[test]
fn the_deadline_tells_the_reason() {
    let mut follow = Follow::new(1, None);
    let slow = follow.look(60, &[task(1, 1, TaskState::Preparing, None)]);
    let late = follow.progress.late(&slow, Duration::from_secs(60));
    assert_eq!(late.exit, Exit::Timeout);
    insta::assert_snapshot!(error(&late, Paint(false)), @"
    error[E0303]: web is at 0/1 after 1 m 0 s
      cause: web.1 on n1: preparing
      fix:   look again: cluster service ps web     or wait longer: --timeout
      The change stays and goes on.
    ");
    insta::assert_snapshot!(super::screen::heartbeat(&slow, Duration::from_secs(30)), @"still at 0/1 after 30 s: web.1 on n1: preparing");
}

#[test]
fn without_a_leader_it_goes_on_and_says_so_once() {
    let mut follow = Follow::new(1, None);
    let failure = cluster_api::ApiError::no_leader("no leader: 1 of 3 managers answers").into();
    assert_eq!(follow.progress.blind(&failure).lines, ["web: no leader: 1 of 3 managers answers; trying again"]);
    assert!(follow.progress.blind(&failure).lines.is_empty());
    assert_eq!(follow.look(3, &[task(1, 1, TaskState::Running, None)]).verdict, Verdict::Reached);
}

#[test]
fn a_large_service_has_a_line_for_each_tenth() {
    let mut follow = Follow::new(100, None);
    for running in 0..=100 {
        let tasks: Vec<TaskView> = (1..=100)
            .map(|slot| {
                task(slot, u64::try_from(slot).unwrap(), if slot <= running { TaskState::Running } else { TaskState::Starting }, None)
            })
            .collect();
        follow.look(1, &tasks);
    }
    assert_eq!(follow.said.lines().count(), 11, "{}", follow.said);
}

/// A service of five whose template changed at version 8.
fn updated(state: UpdateState, message: &str) -> ServiceView {
    let mut view = service("web", ServiceMode::Replicated { replicas: 2 }, 2);
    let spec = Arc::make_mut(&mut view.service.spec);
    spec.update.failure_action = FailureAction::Rollback;
    view.service.spec_version = Version(8);
    view.service.update = Some(UpdateStatus { state, target: Version(8), message: message.into(), places: 2, ..UpdateStatus::default() });
    view
}

fn of(version: u64, view: TaskView) -> TaskView {
    let mut view = view;
    view.task.spec_version = Version(version);
    view
}

fn goal() -> Goal {
    Goal { name: "web".into(), version: Version(8), floor: Some(Version(8)), ..Goal::default() }
}

fn failed(number: u128, slot: u64) -> TaskView {
    let mut view = of(8, task(number, slot, TaskState::Failed, None));
    view.task.status.output = Some("reading /etc/app\npanic: DATABASE_URL is not set\n".into());
    view
}

fn told(step: &Step) -> String {
    match &step.verdict {
        Verdict::Cannot(failure) => format!("exit {}\n{}", failure.exit as u8, error(failure, Paint(false))),
        verdict => format!("{verdict:?}"),
    }
}

#[test]
fn an_update_is_over_when_its_status_says_so() {
    let mut progress = Progress::new(goal());
    let both = [of(8, task(1, 1, TaskState::Running, None)), of(8, task(2, 2, TaskState::Running, None))];
    let step = progress.look(&updated(UpdateState::Updating, ""), &both, Duration::ZERO);
    assert_eq!((step.running, step.verdict), (2, Verdict::Going), "the last tasks are still watched");
    let step = progress.look(&updated(UpdateState::Completed, ""), &both, Duration::from_secs(5));
    assert_eq!(step.verdict, Verdict::Reached);
}

#[test]
fn the_last_line_says_what_a_completed_update_could_not_keep() {
    let both = [of(8, task(1, 1, TaskState::Running, None)), of(8, task(2, 2, TaskState::Running, None))];
    for (message, end) in [
        ("update completed", "web is at 2/2 after 3.0 s"),
        (
            "update completed; old tasks stopped first, because a node has host port 80 once",
            "web is at 2/2 after 3.0 s; old tasks stopped first, because a node has host port 80 once",
        ),
    ] {
        let step = Progress::new(goal()).look(&updated(UpdateState::Completed, message), &both, Duration::ZERO);
        assert_eq!(super::ok("web", &step, Duration::from_secs(3)), end);
    }
}

#[test]
fn a_change_that_replaces_nothing_is_there_once_the_managers_have_looked() {
    let mut progress = Progress::new(goal());
    let old = [task(1, 1, TaskState::Running, None), task(2, 2, TaskState::Running, None)];
    let same = || service("web", ServiceMode::Replicated { replicas: 2 }, 2);
    assert_eq!(progress.look(&same(), &old, Duration::ZERO).verdict, Verdict::Going);
    assert_eq!(progress.look(&same(), &old, Duration::from_secs(1)).verdict, Verdict::Going);
    assert_eq!(progress.look(&same(), &old, Duration::from_secs(2)).verdict, Verdict::Reached);
}

#[test]
fn a_canary_ends_the_waiting_and_says_how_to_go_on() {
    let mut progress = Progress::new(goal());
    let tasks = [of(8, task(1, 1, TaskState::Running, None)), task(2, 2, TaskState::Running, None)];
    let step = progress.look(&updated(UpdateState::Canary, "1 of 2 places are updated: waiting to be promoted"), &tasks, Duration::ZERO);
    insta::assert_snapshot!(told(&step), @r#"Ended("web has its canaries: 1 of 2 places are updated: waiting to be promoted", Some("go on: cluster rollout promote web     or go back: cluster service rollback web"))"#);
}

#[test]
fn a_paused_update_tells_what_failed_and_what_it_printed() {
    let mut progress = Progress::new(goal());
    let mut view = updated(UpdateState::Paused, "update paused: web.1 on n1 failed: exit code 1");
    view.service.update.as_mut().unwrap().failed = 1;
    let tasks = [failed(1, 1), of(8, task(3, 1, TaskState::Ready, None)), task(2, 2, TaskState::Running, None)];
    let step = progress.look(&view, &tasks, Duration::ZERO);
    insta::assert_snapshot!(told(&step), @"
    exit 7
    error[E0306]: web is at 0/2: update paused: web.1 on n1 failed: exit code 1
      cause: web.1 on n1: failed: exit code 1
               | reading /etc/app
               | panic: DATABASE_URL is not set
      fix:   go on: cluster rollout resume web     or go back: cluster service rollback web
      The tasks that run go on running.
    ");
}

#[test]
fn an_update_that_a_user_paused_is_no_failure_of_its_tasks() {
    let mut progress = Progress::new(goal());
    let tasks = [of(8, task(1, 1, TaskState::Running, None)), task(2, 2, TaskState::Running, None)];
    let step = progress.look(&updated(UpdateState::Paused, "paused by a user"), &tasks, Duration::ZERO);
    insta::assert_snapshot!(told(&step), @"
    exit 1
    error[E0306]: web is at 1/2: paused by a user
      fix:   go on: cluster rollout resume web     or go back: cluster service rollback web
      The tasks that run go on running.
    ");
}

#[test]
fn a_change_that_was_rolled_back_says_why_and_where_it_is_now() {
    let mut progress = Progress::new(goal());
    let tasks = [failed(1, 1), of(8, task(3, 1, TaskState::Starting, None)), task(2, 2, TaskState::Running, None)];
    let step = progress.look(&updated(UpdateState::Updating, ""), &tasks, Duration::ZERO);
    assert_eq!(step.verdict, Verdict::Going, "the update judges its tasks");
    let mut view = updated(UpdateState::RollbackStarted, "web.1 on n1 failed: exit code 1");
    let revision = |number, restores| Revision {
        number,
        spec_version: Version(6 + number),
        at: Timestamp::default(),
        author: Author::default(),
        restores,
    };
    view.service.history = vec![revision(1, None), revision(2, None), revision(3, Some(1))];
    view.service.author = Author { by: "rollout".into(), message: "web.1 on n1 failed: exit code 1".into() };
    view.service.update.as_mut().unwrap().target = Version(9);
    let back = [failed(1, 1), of(9, task(4, 1, TaskState::Starting, None)), task(2, 2, TaskState::Running, None)];
    let step = progress.look(&view, &back, Duration::from_secs(1));
    assert_eq!(step.verdict, Verdict::Going);
    insta::assert_snapshot!(step.lines.join("\n"), @"
    web.1 on n1: starting
    web: goes back: web.1 on n1 failed: exit code 1
    web: 1/2 running
    ");
    view.service.update.as_mut().unwrap().state = UpdateState::RollbackCompleted;
    let back = [failed(1, 1), of(9, task(4, 1, TaskState::Running, None)), task(2, 2, TaskState::Running, None)];
    insta::assert_snapshot!(told(&progress.look(&view, &back, Duration::from_secs(2))), @"
    exit 8
    error[E0305]: web was rolled back: web.1 on n1 failed: exit code 1
      cause: web.1 on n1: failed: exit code 1
               | reading /etc/app
               | panic: DATABASE_URL is not set
      fix:   see what they wrote: cluster service logs web     and its revisions: cluster service history web
      web is at 2/2 with the spec of revision 1, as revision 3.
    ");
    let mut asked = Progress::new(Goal { rollback: true, ..goal() });
    assert_eq!(asked.look(&view, &back, Duration::ZERO).verdict, Verdict::Reached);
}

fn job(total: u64, job: JobStatus) -> ServiceView {
    let mut view = service("web", ServiceMode::ReplicatedJob { max_concurrent: 2, total }, 0);
    view.service.job = Some(JobStatus { cause: 8, ..job });
    view.completions = (0, total);
    view
}

fn of_run(iteration: u64, view: TaskView) -> TaskView {
    let mut view = view;
    view.task.iteration = iteration;
    view
}

#[test]
fn a_job_is_waited_for_until_its_run_has_ended() {
    let mut progress = Progress::new(Goal { run: Some(2), ..goal() });
    let before = job(2, JobStatus { iteration: 1, ended: Some(Timestamp(5)), ..JobStatus::default() });
    assert_eq!(progress.look(&before, &[], Duration::ZERO).verdict, Verdict::Going);
    let run = JobStatus { iteration: 2, ..JobStatus::default() };
    let tasks = [
        of_run(1, task(1, 1, TaskState::Complete, None)),
        of_run(2, task(2, 1, TaskState::Complete, None)),
        of_run(2, task(3, 2, TaskState::Running, None)),
    ];
    let with = |completed, job: JobStatus| ServiceView { completions: (completed, 2), ..self::job(2, job) };
    let step = progress.look(&with(1, run.clone()), &tasks, Duration::from_secs(1));
    assert_eq!((step.running, step.goal, step.unit, step.verdict), (1, 2, "completed", Verdict::Going));
    let tasks = [2, 3].map(|number| of_run(2, task(number, u64::try_from(number).unwrap() - 1, TaskState::Complete, None)));
    let ended = JobStatus { ended: Some(Timestamp(9)), ..run.clone() };
    assert_eq!(
        progress.look(&with(2, ended.clone()), &tasks, Duration::from_secs(2)).verdict,
        Verdict::Ended("web has completed 2/2 after 2.0 s".into(), None)
    );
    let tasks = [of_run(2, task(2, 1, TaskState::Complete, None)), of_run(2, task(3, 2, TaskState::Failed, None))];
    assert_eq!(exit(&progress.look(&with(1, ended), &tasks, Duration::from_secs(2))), Some(Exit::Tasks));
}

#[test]
fn a_scheduled_job_is_not_waited_for_but_says_when_it_runs() {
    let mut view = job(1, JobStatus { next: Some(Timestamp(1_764_000_000_000)), ..JobStatus::default() });
    let schedule = Schedule { cron: "0 3 * * *".into(), time_zone: "UTC".into(), overlap: Default::default() };
    Arc::make_mut(&mut view.service.spec).schedule = Some(schedule);
    insta::assert_snapshot!(told(&Progress::new(goal()).look(&view, &[], Duration::ZERO)), @r#"Ended("web runs next at 2025-11-24T16:00:00Z", Some("run it now: cluster service restart web"))"#);
    assert_eq!(Progress::new(Goal { run: Some(1), ..goal() }).look(&view, &[], Duration::ZERO).verdict, Verdict::Going);
}

#[test]
fn a_drain_tells_what_moves_and_what_cannot() {
    let here = |number, slot, state| task(number, slot, state, None);
    let there = |number, slot, state, error| {
        let mut view = task(number, slot, state, error);
        let node = NodeId::from_bits(99);
        (view.task.node, view.node_hostname) = if state > TaskState::Pending { (Some(node), "n2".into()) } else { (None, String::new()) };
        view
    };
    let node = here(1, 1, TaskState::Running).task.node.unwrap();
    let mut drain = Drain::new(node, "n1");
    let running = |slots: &[u64]| slots.iter().map(|slot| here(u128::from(*slot), *slot, TaskState::Running)).collect::<Vec<_>>();
    let mut said = String::new();
    let mut look = |drain: &mut Drain, seconds: u64, tasks: Vec<TaskView>| {
        let step = drain.look(&tasks, &Default::default(), Duration::from_secs(seconds));
        said.push_str(&step.lines.iter().map(|line| format!("{seconds} s  {line}\n")).collect::<String>());
        (step.running, step.goal, step.verdict)
    };
    assert_eq!(look(&mut drain, 0, running(&[1, 2, 3])), (0, 3, Verdict::Going));
    look(&mut drain, 1, [running(&[1, 2, 3]), vec![there(4, 1, TaskState::Preparing, None)]].concat());
    look(&mut drain, 2, [running(&[1, 2, 3]), vec![there(4, 1, TaskState::Running, None)]].concat());
    look(
        &mut drain,
        3,
        [running(&[2, 3]), vec![there(4, 1, TaskState::Running, None), there(5, 2, TaskState::Pending, Some("n2: 1 GiB short"))]].concat(),
    );
    let late = error(&drain.clone().late(Duration::from_secs(60)), Paint(false));
    insta::assert_snapshot!(late, @"
    error[E0307]: n1 still has 2 tasks after 1 m 0 s
      cause: web.2: cannot move: n2: 1 GiB short
             web.3: waits for its turn
      fix:   look again: cluster node drain n1     or end it: cluster node update --availability active n1
      The drain goes on: new tasks are not placed there.
    ");
    let step = drain.look(
        &[there(4, 1, TaskState::Running, None), there(6, 2, TaskState::Running, None)],
        &Default::default(),
        Duration::from_secs(9),
    );
    said.push_str(&step.lines.join("\n"));
    insta::assert_snapshot!(said, @"
    0 s  web.1: waits for its turn
    0 s  web.2: waits for its turn
    0 s  web.3: waits for its turn
    1 s  web.1: -> n2: preparing
    2 s  web.1: -> n2: stops here
    3 s  web.2: cannot move: n2: 1 GiB short
    3 s  web.1: moved to n2
    web.2: moved to n2
    web.3: stopped
    ");
    insta::assert_snapshot!(told(&step), @r#"Ended("n1 is drained after 9.0 s: 3 tasks have left it", Some("let it take tasks again: cluster node update --availability active n1"))"#);
}

/// It runs and stays; what its readiness check printed is the cause.
#[test]
fn a_task_that_is_not_ready_is_named_when_the_time_is_over() {
    let mut unready = task(1, 1, TaskState::Running, None);
    let output = "no database yet".to_owned();
    unready.task.status.health = Some(TaskHealth { state: HealthState::Healthy, ready: false, output });
    let mut follow = Follow::new(2, None);
    let step = follow.look(1, &[unready.clone(), task(2, 2, TaskState::Running, None)]);
    assert_eq!((step.running, &step.verdict), (1, &Verdict::Going));
    assert!(follow.said.contains("web.1 on n1: running, not ready"), "{}", follow.said);
    let late = error(&follow.progress.late(&step, Duration::from_secs(9)), Paint(false));
    assert!(late.contains("web.1 on n1: running, not ready") && late.contains("no database yet"), "{late}");
}
