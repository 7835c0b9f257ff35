//! Jobs that run by the clock.

use cluster_types::*;

use super::{SECOND, end_all, job, live, run_for, status};
use crate::testbed::Testbed;

fn scheduled(cron: &str, overlap: Overlap) -> ServiceSpec {
    let schedule = Some(Schedule { cron: cron.to_owned(), time_zone: "UTC".to_owned(), overlap });
    ServiceSpec { schedule, ..job(1, 1) }
}

#[test]
fn a_scheduled_job_runs_at_its_times_only() {
    let mut bed = Testbed::new(1);
    bed.create(1, scheduled("*/10 * * * *", Overlap::Forbid));
    run_for(&mut bed, SECOND);
    let first = status(&bed).next.unwrap();
    assert_eq!((status(&bed).iteration, live(&bed).len(), first.0 % 600_000), (0, 0, 0));
    for iteration in 1..4 {
        let next = status(&bed).next.unwrap();
        let wait = next.since(bed.now) + SECOND;
        run_for(&mut bed, wait);
        assert_eq!((status(&bed).iteration, status(&bed).started, live(&bed).len()), (iteration, next, 1));
        end_all(&mut bed, TaskState::Complete);
        run_for(&mut bed, SECOND);
        assert!(status(&bed).ended.is_some());
    }
}

#[test]
fn a_run_that_is_due_while_the_last_goes_on_is_left_out_or_replaces_it() {
    for overlap in [Overlap::Forbid, Overlap::Replace] {
        let mut bed = Testbed::new(1);
        bed.create(1, scheduled("* * * * *", overlap));
        run_for(&mut bed, 70 * SECOND);
        let first = live(&bed);
        run_for(&mut bed, 120 * SECOND);
        let status = status(&bed);
        let outcomes: Vec<&str> = status.runs.iter().map(|run| run.outcome.as_str()).collect();
        assert_eq!(live(&bed).len(), 1);
        match overlap {
            Overlap::Forbid => assert_eq!((status.iteration, outcomes, live(&bed)), (1, vec!["left out"], first)),
            Overlap::Replace => assert_eq!((status.iteration, outcomes), (3, vec!["replaced", "replaced"])),
        }
    }
}

#[test]
fn runs_that_nobody_was_there_to_begin_are_made_up_for_once() {
    let mut bed = Testbed::new(1);
    bed.create(1, scheduled("0 * * * *", Overlap::Forbid));
    bed.pass();
    bed.advance(5 * 3_600 * SECOND);
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).iteration, live(&bed).len()), (1, 1));
    assert!(status(&bed).next.unwrap().since(bed.now) <= 3_600 * SECOND);
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).iteration, live(&bed).len()), (1, 0));
}

#[test]
fn a_clock_that_goes_back_repeats_no_run() {
    let mut bed = Testbed::new(1);
    bed.create(1, scheduled("0 * * * *", Overlap::Forbid));
    run_for(&mut bed, 3_700 * SECOND);
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, SECOND);
    bed.now = Timestamp(bed.now.0 - 1_800_000);
    run_for(&mut bed, 2_000 * SECOND);
    assert_eq!(status(&bed).iteration, 1);
}

#[test]
fn another_schedule_moves_the_next_run_and_force_runs_at_once() {
    let mut bed = Testbed::new(1);
    let id = bed.create(1, scheduled("0 0 1 1 *", Overlap::Forbid));
    run_for(&mut bed, SECOND);
    bed.update(id, |spec| spec.task.container.image = "web:2".to_owned());
    run_for(&mut bed, SECOND);
    assert_eq!(status(&bed).iteration, 0, "a new image counts from the next run on");
    bed.update(id, |spec| spec.schedule.as_mut().unwrap().cron = "* * * * *".to_owned());
    run_for(&mut bed, SECOND);
    assert!(status(&bed).next.unwrap().since(bed.now) <= 60 * SECOND);
    bed.update(id, |spec| spec.task.force_update += 1);
    run_for(&mut bed, SECOND);
    assert_eq!((status(&bed).iteration, live(&bed).len()), (1, 1));
    bed.update(id, |spec| spec.schedule = None);
    end_all(&mut bed, TaskState::Complete);
    run_for(&mut bed, 300 * SECOND);
    assert_eq!((status(&bed).iteration, status(&bed).next), (1, None));
}

#[test]
fn the_history_is_bounded() {
    let mut bed = Testbed::new(1);
    bed.create(1, scheduled("* * * * *", Overlap::Replace));
    run_for(&mut bed, 60 * 40 * SECOND);
    assert_eq!(status(&bed).runs.len(), limits::JOB_RUNS);
    assert!(bed.view().task_count() <= limits::JOB_RECORDS + 2, "{}", bed.view().task_count());
}
