//! Jobs on the simulated cluster: stories.

mod clock;
mod mishaps;

use std::collections::BTreeMap;
use std::time::Duration;

use cluster_types::*;

use super::{JobProgress, job_progress};
use crate::Dirty;
use crate::testbed::{Testbed, node_id, service_id, spec};

const SECOND: Duration = Duration::from_secs(1);

fn job(max_concurrent: u64, total: u64) -> ServiceSpec {
    ServiceSpec { mode: ServiceMode::ReplicatedJob { max_concurrent, total }, ..spec("job", 0) }
}

fn on_all_nodes() -> ServiceSpec {
    ServiceSpec { mode: ServiceMode::GlobalJob, ..spec("job", 0) }
}

fn status(bed: &Testbed) -> JobStatus {
    bed.view().service(service_id(1)).unwrap().job.clone().unwrap()
}

/// The wanted tasks that have not ended.
fn live(bed: &Testbed) -> Vec<TaskId> {
    bed.wanted(service_id(1)).iter().filter(|task| !task.status.state.is_terminal()).map(|task| task.id).collect()
}

/// The slots that have such a task.
fn slots(bed: &Testbed) -> Vec<u64> {
    let view = bed.view();
    let mut slots: Vec<u64> = live(bed).into_iter().map(|id| view.task(id).unwrap().slot).collect();
    slots.sort_unstable();
    slots
}

/// Lets the cluster go on for a while without waiting for what is further away.
fn run_for(bed: &mut Testbed, time: Duration) {
    let until = bed.now.plus(time);
    for _ in 0..100_000 {
        let plan = bed.pass();
        if bed.agents() || !plan.changes.is_empty() {
            bed.advance(Duration::from_millis(10));
        } else {
            match bed.wake_at.filter(|at| *at < until) {
                Some(at) => bed.now = at,
                None => {
                    bed.now = bed.now.max(until);
                    return;
                }
            }
        }
    }
    panic!("it does not settle");
}

/// Every task that runs ends.
fn end_all(bed: &mut Testbed, state: TaskState) {
    let view = bed.view();
    for id in live(bed).into_iter().filter(|id| view.task(*id).unwrap().status.state == TaskState::Running) {
        bed.end(id, state);
    }
}

#[test]
fn a_job_completes_each_slot_once_a_few_at_a_time() {
    let mut bed = Testbed::new(2);
    bed.create(1, job(2, 5));
    run_for(&mut bed, SECOND);
    for expected in [vec![1, 2], vec![3, 4], vec![5]] {
        assert_eq!(slots(&bed), expected);
        end_all(&mut bed, TaskState::Complete);
        run_for(&mut bed, SECOND);
    }
    let status = status(&bed);
    assert_eq!((live(&bed).len(), status.iteration, status.completed, status.wanted), (0, 1, 5, 5));
    assert!(status.ended.is_some());
    assert_eq!(bed.wanted(service_id(1)).len(), 0, "what completed is history");
    assert_eq!(bed.view().tasks_of_service(service_id(1)).count(), 5);
    bed.dirty = Dirty::all();
    assert!(bed.pass().changes.is_empty(), "a job that has ended makes no task");
}

#[test]
fn users_see_how_far_a_run_is() {
    let mut bed = Testbed::new(2);
    bed.create(1, job(2, 40));
    run_for(&mut bed, SECOND);
    for completed in 0..39 {
        let progress = progress(&bed);
        assert_eq!((progress.completed, progress.running, progress.wanted), (completed, 2.min(40 - completed), 40));
        bed.end(live(&bed)[0], TaskState::Complete);
        run_for(&mut bed, SECOND);
    }
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    assert_eq!(progress(&bed), JobProgress { completed: 40, running: 0, wanted: 40 });
}

fn progress(bed: &Testbed) -> JobProgress {
    let view = bed.view();
    job_progress(&view, view.service(service_id(1)).unwrap()).unwrap()
}

#[test]
fn a_task_that_fails_is_restarted_in_its_slot_after_the_delay() {
    let mut bed = Testbed::new(2);
    bed.create(1, job(1, 2));
    run_for(&mut bed, SECOND);
    end_all(&mut bed, TaskState::Failed);
    bed.pass();
    assert_eq!(slots(&bed), [1]);
    assert!(bed.view().task(live(&bed)[0]).unwrap().not_before.is_some());
    run_for(&mut bed, 10 * SECOND);
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    assert_eq!(slots(&bed), [2]);
}

#[test]
fn a_run_whose_tasks_fail_for_good_has_failed_and_the_next_one_counts_anew() {
    let mut bed = Testbed::new(2);
    let mut spec = job(2, 3);
    spec.task.restart.max_attempts = 1;
    bed.broken.insert("web:1".to_owned());
    let id = bed.create(1, spec);
    bed.settle();
    let first = status(&bed);
    assert!(first.ended.is_some());
    assert_eq!((first.completed, first.wanted), (0, 3));
    let tasks = |bed: &Testbed, iteration| bed.view().tasks_of_service(id).filter(|task| task.iteration == iteration).count();
    assert_eq!(tasks(&bed, 1), 6, "each slot had its attempt and one more");
    bed.update(id, |spec| spec.task.force_update += 1);
    bed.settle();
    assert_eq!((status(&bed).iteration, tasks(&bed, 2)), (2, 6));
    assert!(bed.view().tasks_of_service(id).filter(|task| task.iteration == 2).any(|task| task.failures == 0), "failures are a run's own");
    assert_eq!(status(&bed).runs[0].outcome, "failed");
}

#[test]
fn without_restarts_a_failure_is_final_and_the_others_still_run() {
    let mut bed = Testbed::new(1);
    let mut spec = job(1, 3);
    spec.task.restart.condition = RestartCondition::None;
    bed.create(1, spec);
    for state in [TaskState::Complete, TaskState::Failed, TaskState::Complete] {
        run_for(&mut bed, SECOND);
        end_all(&mut bed, state);
    }
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).completed, status(&bed).wanted, status(&bed).ended.is_some()), (2, 3, true));
}

#[test]
fn another_task_spec_begins_another_run_once_the_old_tasks_have_stopped() {
    let mut bed = Testbed::new(2);
    let id = bed.create(1, job(2, 4));
    run_for(&mut bed, SECOND);
    bed.end(live(&bed)[0], TaskState::Complete);
    run_for(&mut bed, SECOND);
    bed.update(id, |spec| spec.task.container.image = "web:2".to_owned());
    bed.pass();
    assert!(live(&bed).is_empty(), "two runs overlap");
    run_for(&mut bed, SECOND);
    let status = status(&bed);
    assert_eq!((status.iteration, slots(&bed)), (2, vec![1, 2]));
    let first = &status.runs[0];
    assert_eq!((first.iteration, first.completed, first.wanted, first.outcome.as_str()), (1, 1, 4, "replaced"));
}

/// However long the old tasks have run: what is told to stop now is waited for from now on.
#[test]
fn runs_do_not_overlap_though_the_old_one_is_long_under_way() {
    for spec in [job(2, 4), on_all_nodes()] {
        let mut bed = Testbed::new(2);
        let id = bed.create(1, spec);
        run_for(&mut bed, SECOND);
        bed.advance(1_000 * SECOND);
        bed.update(id, |spec| spec.task.container.image = "web:2".to_owned());
        bed.pass();
        assert!(live(&bed).is_empty(), "two runs overlap");
        run_for(&mut bed, SECOND);
        assert_eq!((status(&bed).iteration, live(&bed).len()), (2, 2));
    }
}

#[test]
fn a_job_that_is_rolled_back_runs_again_and_has_no_update() {
    let mut bed = Testbed::new(2);
    let id = bed.create(1, job(1, 1));
    run_for(&mut bed, SECOND);
    bed.update(id, |spec| spec.task.container.image = "web:2".to_owned());
    run_for(&mut bed, SECOND);
    let service = bed.view().service(id).unwrap().clone();
    let (from, to) = (service.spec_version, service.history[0].spec_version);
    bed.apply(vec![Change::Service(id, ServiceStep::RollBack { from, to, author: Author::default() })]);
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).iteration, live(&bed).len()), (3, 1));
    assert_eq!(bed.view().service(id).unwrap().update, None);
}

#[test]
fn what_is_no_change_of_the_task_begins_no_run() {
    let mut bed = Testbed::new(2);
    let id = bed.create(1, job(2, 2));
    run_for(&mut bed, SECOND);
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    for number in 0..15 {
        bed.update(id, |spec| drop(spec.labels.insert("a".to_owned(), number.to_string())));
        run_for(&mut bed, SECOND);
    }
    assert_eq!((status(&bed).iteration, live(&bed).len()), (1, 0));
}

/// A node that is paused gets no task of a run, but what it has is waited for: users see what the run is still to do.
#[test]
fn a_task_on_a_paused_node_is_one_of_those_that_are_to_complete() {
    let mut bed = Testbed::new(2);
    bed.create(1, on_all_nodes());
    run_for(&mut bed, SECOND);
    for number in 1..=2 {
        bed.update_node(number, |node| node.availability = Availability::Pause);
    }
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).wanted, live(&bed).len()), (2, 2));
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).completed, status(&bed).ended.is_some()), (2, true));
}

#[test]
fn total_and_concurrency_can_change_while_it_runs() {
    let mut bed = Testbed::new(2);
    let id = bed.create(1, job(3, 5));
    run_for(&mut bed, SECOND);
    bed.update(id, |spec| spec.mode = ServiceMode::ReplicatedJob { max_concurrent: 1, total: 2 });
    run_for(&mut bed, SECOND);
    assert_eq!(slots(&bed), [1, 2], "those that run go on");
    bed.update(id, |spec| spec.mode = ServiceMode::ReplicatedJob { max_concurrent: 1, total: 4 });
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    assert_eq!(slots(&bed), [3]);
    assert_eq!(status(&bed).iteration, 1);
}

/// However many completions leave a few records, and the books stay small.
#[test]
fn a_large_job_keeps_few_records() {
    let mut bed = Testbed::new(2);
    let total = 600;
    bed.create(1, job(3, total));
    let (mut completions, mut most) = (BTreeMap::<u64, usize>::new(), 0);
    for round in 0..10_000_u64 {
        bed.pass();
        bed.agents();
        bed.advance(Duration::from_millis(10));
        let running: Vec<_> = bed.wanted(service_id(1)).into_iter().filter(|task| task.status.state == TaskState::Running).collect();
        // Slot 2 never hurries.
        for task in running.iter().filter(|task| task.slot != 2 || round > 1_000) {
            *completions.entry(task.slot).or_default() += 1;
            bed.end(task.id, TaskState::Complete);
        }
        most = most.max(bed.view().task_count());
        if status_of(&bed).is_some_and(|status| status.ended.is_some()) {
            break;
        }
    }
    assert_eq!(status(&bed).completed, total);
    assert!(completions.len() == 600 && completions.values().all(|count| *count == 1));
    assert!(most <= 2 * limits::JOB_RECORDS + 10, "{most} records");
    let bytes: usize = bed.view().service(service_id(1)).map(|service| format!("{:?}", service.job).len()).unwrap();
    assert!(bytes < 1_000, "the books take {bytes} bytes");
}

fn status_of(bed: &Testbed) -> Option<JobStatus> {
    bed.view().service(service_id(1)).and_then(|service| service.job.clone())
}

#[test]
fn a_job_on_all_nodes_completes_once_on_each_and_waits_for_one_that_is_cut_off() {
    let mut bed = Testbed::new(4);
    bed.update_node(4, |node| node.availability = Availability::Drain);
    let id = bed.create(1, on_all_nodes());
    bed.set_node(3, NodeState::Disconnected);
    run_for(&mut bed, SECOND);
    assert_eq!(bed.running(id).keys().copied().collect::<Vec<_>>(), [1, 2]);
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    assert!(status(&bed).is_on());
    bed.set_node(3, NodeState::Ready);
    run_for(&mut bed, SECOND);
    assert_eq!(bed.running(id).keys().copied().collect::<Vec<_>>(), [3]);
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).completed, status(&bed).wanted, status(&bed).ended.is_some()), (3, 3, true));
    bed.update_node(4, |node| node.availability = Availability::Active);
    run_for(&mut bed, SECOND);
    assert!(live(&bed).is_empty(), "the run has ended");
    bed.update(id, |spec| spec.task.force_update += 1);
    run_for(&mut bed, SECOND);
    assert_eq!(bed.running(id).len(), 4);
}

#[test]
fn a_job_on_all_nodes_does_not_wait_for_a_node_that_is_lost() {
    let mut bed = Testbed::new(2);
    bed.create(1, on_all_nodes());
    run_for(&mut bed, SECOND);
    end_on(&mut bed, 1, TaskState::Complete);
    bed.set_node(2, NodeState::Down);
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).completed, status(&bed).wanted, status(&bed).ended.is_some()), (1, 1, true));
}

fn end_on(bed: &mut Testbed, node: u128, state: TaskState) {
    let task = bed.wanted(service_id(1)).into_iter().find(|task| task.node == Some(node_id(node))).unwrap();
    bed.end(task.id, state);
}

#[test]
fn a_job_goes_on_elsewhere_when_its_node_is_lost() {
    let mut bed = Testbed::new(2);
    let id = bed.create(1, job(1, 1));
    run_for(&mut bed, SECOND);
    let node = *bed.running(id).keys().next().unwrap();
    bed.set_node(node, NodeState::Down);
    run_for(&mut bed, SECOND);
    assert_eq!(bed.running(id).into_iter().collect::<Vec<_>>(), [(3 - node, 1)]);
}

#[test]
fn a_removed_job_leaves_nothing() {
    let mut bed = Testbed::new(1);
    let id = bed.create(1, job(2, 5));
    run_for(&mut bed, SECOND);
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    bed.remove(ObjectKey::Service(id));
    run_for(&mut bed, SECOND);
    assert_eq!(bed.view().task_count(), 0);
}
