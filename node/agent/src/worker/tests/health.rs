//! Containers that are asked how they are: what is reported, what waits for nobody, and what an agent finds again.

use cluster_runtime::FakeProbe;
use cluster_types::{Check, HealthSpec, HealthState, HealthTest, TaskStatus};

use super::*;

/// Asked every few milliseconds. The start period of the fake's containers is over when they start.
fn check() -> HealthSpec {
    HealthSpec {
        test: HealthTest::Cmd(vec!["/probe".to_owned()]),
        interval: Some(Duration::from_millis(20)),
        timeout: Some(Duration::from_millis(300)),
        retries: Some(2),
        ..HealthSpec::default()
    }
}

fn checked(number: u128, desired: DesiredState, change: impl FnOnce(&mut ContainerSpec)) -> Arc<TaskAssignment> {
    let mut assignment = TaskAssignment::clone(&wanted(number, desired));
    let mut spec = TaskSpec::clone(&assignment.spec);
    change(&mut spec.container);
    assignment.spec = Arc::new(spec);
    Arc::new(assignment)
}

fn alive(number: u128, desired: DesiredState) -> Arc<TaskAssignment> {
    checked(number, desired, |spec| spec.health = check())
}

fn task(number: u128) -> TaskId {
    TaskId::from_bits(number)
}

impl Running {
    /// The newest status of a task that holds.
    async fn reported(&self, number: u128, what: &str, holds: impl Fn(&TaskStatus) -> bool) -> TaskStatus {
        let looking = async {
            loop {
                let found = self.reports.take(usize::MAX).into_iter().rev().find(|(of, status)| *of == task(number) && holds(status));
                match found {
                    Some((_, status)) => return status,
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), looking).await.unwrap_or_else(|_| panic!("it was never reported: {what}"))
    }
}

#[tokio::test]
async fn a_task_is_running_once_it_is_healthy_and_failed_once_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    runtime.set_probe(task(1), Check::Health, FakeProbe::Hangs);
    let worker = Running::start(folder.path(), &runtime).await;
    worker.tell(full([alive(1, DesiredState::Running)])).await;
    let starting = worker.reported(1, "starting", |status| status.health.is_some()).await;
    assert_eq!((starting.state, starting.health.unwrap().ready), (TaskState::Starting, false));
    runtime.set_probe(task(1), Check::Health, FakeProbe::Passes);
    let healthy = worker.reported(1, "running", |status| status.state == TaskState::Running).await;
    assert!(healthy.is_serving() && healthy.health.unwrap().output == "ok");
    let before = runtime.probed(task(1)).0;
    eventually("it is asked on and on", || runtime.probed(task(1)).0 > before + 3).await;
    assert_eq!(worker.reports.take(9), [], "what changes nothing is not told");
    runtime.set_probe(task(1), Check::Health, FakeProbe::Fails("refused\n".to_owned()));
    let failed = worker.reported(1, "failed", |status| status.state == TaskState::Failed).await;
    assert_eq!(failed.error.as_deref(), Some("unhealthy: refused"));
    assert_eq!(failed.health.map(|health| (health.state, health.output)), Some((HealthState::Unhealthy, "refused\n".to_owned())));
    assert!(runtime.running().is_empty());
    assert_eq!(runtime.probed(task(1)).1, 1, "two probes at the same time");
    worker.end().await;
}

#[tokio::test]
async fn readiness_turns_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    runtime.set_probe(task(1), Check::Readiness, FakeProbe::Fails("warming up".to_owned()));
    let worker = Running::start(folder.path(), &runtime).await;
    worker.tell(full([checked(1, DesiredState::Running, |spec| spec.readiness = Some(check()))])).await;
    let cold = worker.reported(1, "running", |status| status.state == TaskState::Running).await;
    assert!(!cold.is_serving());
    eventually("it is asked", || runtime.probed(task(1)).0 > 4).await;
    runtime.set_probe(task(1), Check::Readiness, FakeProbe::Passes);
    worker.reported(1, "serving", TaskStatus::is_serving).await;
    runtime.set_probe(task(1), Check::Readiness, FakeProbe::Fails("too busy".to_owned()));
    let busy = worker.reported(1, "not serving", |status| !status.is_serving()).await;
    assert_eq!((busy.state, busy.health.unwrap().output.as_str()), (TaskState::Running, "too busy"));
    assert_eq!(runtime.running().len(), 1);
    worker.end().await;
}

#[tokio::test]
async fn slow_checks_hold_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    let worker = Running::start(folder.path(), &runtime).await;
    let slow = |number| {
        let forever = HealthSpec { timeout: Some(Duration::from_secs(10_000)), ..check() };
        checked(number, DesiredState::Running, |spec| spec.health = forever)
    };
    // More than are asked at the same time.
    let mut all: Vec<_> = (0..100).map(slow).collect();
    (0..100).for_each(|number| runtime.set_probe(task(number), Check::Health, FakeProbe::Hangs));
    worker.tell(full(all.clone())).await;
    eventually("they are asked", || (0..100).map(|number| runtime.probed(task(number)).0).sum::<u32>() >= 32).await;
    all.push(wanted(200, DesiredState::Running));
    worker.tell(full(all.clone())).await;
    worker.reported(200, "running", |status| status.state == TaskState::Running).await;
    // Nor a stop of their own containers.
    let stopped = (0..100).map(|number| wanted(number, DesiredState::Shutdown)).chain([wanted(200, DesiredState::Running)]);
    worker.tell(full(stopped)).await;
    eventually("they are stopped", || runtime.running() == [task(200)]).await;
    assert!((0..100).map(|number| runtime.probed(task(number)).0).sum::<u32>() <= 32);
    worker.end().await;
}

#[tokio::test]
async fn a_restarted_agent_goes_on_asking() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    let worker = Running::start(folder.path(), &runtime).await;
    worker.tell(full([alive(1, DesiredState::Running)])).await;
    worker.reported(1, "running", |status| status.state == TaskState::Running).await;
    worker.end().await;
    let before = runtime.probed(task(1)).0;
    let worker = Running::start(folder.path(), &runtime).await;
    let found = worker.reported(1, "anything", |_| true).await;
    assert!(found.is_serving(), "{found:?}");
    eventually("it is asked again", || runtime.probed(task(1)).0 > before + 1).await;
    runtime.set_probe(task(1), Check::Health, FakeProbe::Fails("no".to_owned()));
    worker.reported(1, "failed", |status| status.state == TaskState::Failed).await;
    assert_eq!(runtime.starts(task(1)), 1);
    worker.end().await;
}

#[tokio::test]
async fn a_stopped_container_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    let worker = Running::start(folder.path(), &runtime).await;
    worker.tell(full([alive(1, DesiredState::Running)])).await;
    worker.reported(1, "running", |status| status.state == TaskState::Running).await;
    worker.tell(full([alive(1, DesiredState::Shutdown)])).await;
    worker.reported(1, "stopped", |status| status.state == TaskState::Shutdown).await;
    let asked = runtime.probed(task(1)).0;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(runtime.probed(task(1)).0, asked);
    worker.end().await;
}

#[tokio::test]
async fn a_failed_task_shows_its_last_lines_and_a_stopped_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    let worker = Running::start(folder.path(), &runtime).await;
    let talking = |number, desired| {
        checked(number, desired, |spec| {
            spec.image = "fake/talk".to_owned();
            spec.args = (1..=7).map(|line| format!("line {line}")).collect();
        })
    };
    worker.tell(full([talking(1, DesiredState::Running), talking(2, DesiredState::Running)])).await;
    eventually("both run", || runtime.running().len() == 2).await;
    runtime.exit(task(1), 3);
    let failed = worker.reported(1, "failed", |status| status.state == TaskState::Failed).await;
    assert_eq!(failed.output.as_deref(), Some("line 3\nline 4\nline 5\nline 6\nline 7"));
    worker.tell(full([talking(2, DesiredState::Shutdown)])).await;
    let stopped = worker.reported(2, "stopped", |status| status.state == TaskState::Shutdown).await;
    assert_eq!(stopped.output, None);
    worker.end().await;
}
