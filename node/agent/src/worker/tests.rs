//! The worker alone: a full disk, many tasks, and an agent that ends at any moment.

mod health;

use std::fs::OpenOptions;
use std::path::Path;

use cluster_runtime::FakeRuntime;
use cluster_types::{ContainerSpec, DesiredState, ServiceId, TaskAssignment, TaskSpec, TaskState};
use proptest::prelude::*;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::SystemClock;

fn wanted(number: u128, desired: DesiredState) -> Arc<TaskAssignment> {
    let container = ContainerSpec { image: "fake/sleep".to_owned(), ..ContainerSpec::default() };
    Arc::new(TaskAssignment {
        task: TaskId::from_bits(number),
        service: ServiceId::from_bits(1),
        service_name: "web".to_owned(),
        slot: 1,
        desired,
        spec: Arc::new(TaskSpec { container, ..TaskSpec::default() }),
        ports: Vec::new(),
        addresses: Vec::new(),
        generic: Default::default(),
    })
}

fn full(tasks: impl IntoIterator<Item = Arc<TaskAssignment>>) -> Command {
    Command::Assign(AssignmentDiff { full: true, put: tasks.into_iter().collect(), remove: Vec::new() })
}

struct Running {
    commands: mpsc::Sender<Command>,
    ledger: Arc<Mutex<Ledger>>,
    reports: Arc<Reports>,
    stop: CancellationToken,
    worker: AbortOnDropHandle<()>,
}

impl Running {
    async fn start(folder: &Path, runtime: &Arc<FakeRuntime>) -> Self {
        let reports = Arc::new(Reports::default());
        let worker = Worker::new(WorkerConfig {
            node: NodeId::from_bits(1),
            runtime: Arc::clone(runtime) as Arc<dyn Runtime>,
            clock: Arc::new(SystemClock::default()),
            reports: Arc::clone(&reports),
            ledger: Ledger::open(folder).unwrap().ledger,
            boot_id: "boot".to_owned(),
        })
        .await;
        let ledger = Arc::clone(worker.ledger.as_ref().unwrap());
        let (commands, heard) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let worker = AbortOnDropHandle::new(tokio::spawn(worker.run(heard, stop.clone())));
        Self { commands, ledger, reports, stop, worker }
    }

    async fn tell(&self, command: Command) {
        self.commands.send(command).await.unwrap();
    }

    fn asked(&self) -> crate::ledger::Asked {
        self.ledger.lock().unwrap().asked
    }

    async fn end(self) {
        self.stop.cancel();
        self.worker.await.unwrap();
    }
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let looking = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.unwrap_or_else(|_| panic!("it never came to this: {what}"));
}

#[tokio::test]
async fn a_full_disk_starts_nothing_and_stops_what_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    let worker = Running::start(folder.path(), &runtime).await;
    worker.tell(full([wanted(1, DesiredState::Running)])).await;
    eventually("the first runs", || runtime.running().len() == 1).await;
    let full_disk = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
    let disk = worker.ledger.lock().unwrap().swap_file(full_disk).unwrap();
    worker.tell(full([wanted(1, DesiredState::Shutdown), wanted(2, DesiredState::Running)])).await;
    eventually("the first is stopped", || runtime.running().is_empty()).await;
    let before = worker.asked().failed;
    eventually("it was tried again", || worker.asked().failed > before + 1).await;
    assert!(!runtime.has(TaskId::from_bits(2)), "a container was made of what was not saved");
    worker.ledger.lock().unwrap().swap_file(disk);
    eventually("the second runs once there is space", || runtime.running() == [TaskId::from_bits(2)]).await;
    worker.end().await;
    let known = Ledger::open(folder.path()).unwrap().ledger.contents().tasks.clone();
    assert_eq!(known[&TaskId::from_bits(1)].memory.status.state, TaskState::Shutdown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_assignments_cost_few_writes() {
    const TASKS: u128 = 1000;
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    let worker = Running::start(folder.path(), &runtime).await;
    worker.tell(full((0..TASKS).map(|number| wanted(number, DesiredState::Running)))).await;
    eventually("all run", || runtime.running().len() == 1000).await;
    eventually("all are to be reported", || worker.reports.take(usize::MAX).is_empty()).await;
    let asked = worker.asked();
    assert!(asked.durable < 1000, "the writes are not grouped");
    assert!(asked.durable >= 2, "assignments and starts must reach the disk first");
    worker.end().await;
}

/// Rounds without the loop, until nothing is left to do.
async fn settle(worker: &mut Worker) {
    worker.round().await;
    while let Some(finished) = worker.jobs.join_next().await {
        worker.take_in(finished);
        worker.round().await;
    }
}

async fn bare(ledger: Ledger, runtime: &Arc<FakeRuntime>) -> Worker {
    let (runtime, clock) = (Arc::clone(runtime) as Arc<dyn Runtime>, Arc::new(SystemClock::default()));
    Worker::new(WorkerConfig { node: NodeId::from_bits(1), runtime, clock, reports: Arc::default(), ledger, boot_id: String::new() }).await
}

#[tokio::test]
async fn a_lost_event_is_made_up_for() {
    let runtime = Arc::new(FakeRuntime::new());
    let mut worker = bare(Ledger::in_memory(), &runtime).await;
    let task = TaskId::from_bits(1);
    worker.hear(full([wanted(1, DesiredState::Running)]));
    settle(&mut worker).await;
    runtime.lose_silently(task);
    settle(&mut worker).await;
    assert_eq!(worker.slots[&task].memory.status.state, TaskState::Running);
    worker.look_again_at_all();
    settle(&mut worker).await;
    assert_eq!(worker.slots[&task].memory.status.state, TaskState::Failed);
}

#[tokio::test]
async fn what_the_node_is_told_is_on_the_disk_before_anything_is_made_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    let mut worker = bare(Ledger::open(folder.path()).unwrap().ledger, &runtime).await;
    worker.hear(full([wanted(1, DesiredState::Ready)]));
    worker.round().await;
    assert_eq!(worker.ledger.as_ref().unwrap().lock().unwrap().asked.durable, 1);
    assert!(!runtime.has(TaskId::from_bits(1)));
    assert_eq!(Ledger::open(folder.path()).unwrap().ledger.contents().tasks.len(), 1);
}

#[tokio::test]
async fn a_removal_that_was_cut_short_goes_on_without_managers() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    let mut worker = bare(Ledger::open(folder.path()).unwrap().ledger, &runtime).await;
    worker.hear(full([wanted(1, DesiredState::Running)]));
    settle(&mut worker).await;
    worker.hear(full([]));
    // One round only: the agent dies while the container is being stopped.
    worker.round().await;
    drop(worker);
    assert_eq!(runtime.running(), [TaskId::from_bits(1)]);
    let mut worker = bare(Ledger::open(folder.path()).unwrap().ledger, &runtime).await;
    settle(&mut worker).await;
    assert!(!runtime.has(TaskId::from_bits(1)) && worker.slots.is_empty());
}

/// An agent that ends at any moment, again and again, and what it is told meanwhile.
async fn restless(ends_after: &[u16], last: DesiredState) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new());
    for (round, micros) in ends_after.iter().enumerate() {
        let worker = Running::start(folder.path(), &runtime).await;
        let desired = if round == 0 { DesiredState::Ready } else { DesiredState::Running };
        worker.tell(full((0..5).map(|number| wanted(number, desired)))).await;
        tokio::time::sleep(Duration::from_micros(u64::from(*micros))).await;
        worker.end().await;
    }
    let worker = Running::start(folder.path(), &runtime).await;
    worker.tell(full((0..5).map(|number| wanted(number, DesiredState::Running)))).await;
    eventually("all run", || runtime.running().len() == 5).await;
    for number in 0..5 {
        assert_eq!(runtime.starts(TaskId::from_bits(number)), 1, "task {number} was started twice");
    }
    worker.tell(full((0..5).map(|number| wanted(number, last)))).await;
    eventually("all stop", || runtime.running().is_empty()).await;
    worker.end().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn an_agent_that_ends_at_any_moment_starts_each_container_once(
        ends_after in prop::collection::vec(0_u16..3000, 0..6),
        last in prop::sample::select(vec![DesiredState::Shutdown, DesiredState::Remove]),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(restless(&ends_after, last));
    }
}
