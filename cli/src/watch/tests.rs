//! A service is followed from look to look: what is said, and how it ends.

use std::time::Duration;

use cluster_types::{ServiceMode, TaskState, Version};

use super::progress::{Goal, Progress, Step, Verdict};
use crate::failure::Exit;
use crate::model::TaskView;
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
        let goal = Goal { name: "web".into(), floor, ended: Default::default() };
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
        Verdict::Going | Verdict::Reached => None,
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
