//! Modes and schedules.

use cluster_types::*;

use super::refused;

fn job(spec: &mut ServiceSpec, max_concurrent: u64, total: u64) {
    spec.mode = ServiceMode::ReplicatedJob { max_concurrent, total };
}

fn schedule(cron: &str, time_zone: &str) -> Option<Schedule> {
    Some(Schedule { cron: cron.to_owned(), time_zone: time_zone.to_owned(), overlap: Overlap::Forbid })
}

#[test]
fn a_job_completes_something_and_not_too_much() {
    assert_eq!(refused(|spec| job(spec, 1, 1)), [] as [&str; 0]);
    assert_eq!(refused(|spec| job(spec, limits::REPLICAS, limits::REPLICAS)), [] as [&str; 0]);
    assert_eq!(refused(|spec| job(spec, 0, 0)), ["mode.max_concurrent", "mode.total"]);
    assert_eq!(refused(|spec| job(spec, limits::REPLICAS + 1, limits::REPLICAS + 1)), ["mode.max_concurrent", "mode.total"]);
    assert_eq!(refused(|spec| spec.mode = ServiceMode::GlobalJob), [] as [&str; 0]);
}

#[test]
fn a_job_may_publish_ports_and_name_an_update() {
    let problems = refused(|spec| {
        job(spec, 1, 1);
        spec.ports = vec![crate::testbed::host_port(80), crate::testbed::ingress_port(81)];
        spec.update.parallelism = 3;
    });
    assert_eq!(problems, [] as [&str; 0]);
}

#[test]
fn schedules_are_of_jobs_and_make_sense() {
    let scheduled = |cron: &str, zone: &str| {
        refused(|spec| {
            job(spec, 1, 1);
            spec.schedule = schedule(cron, zone);
        })
    };
    assert_eq!(scheduled("*/5 * * * *", "Europe/Zurich"), [] as [&str; 0]);
    assert_eq!(scheduled("0 */5 * * * MON-FRI", "UTC"), [] as [&str; 0]);
    assert_eq!(scheduled("every day", "UTC"), ["schedule.cron"]);
    assert_eq!(scheduled("0 0 31 2 *", "UTC"), ["schedule.cron"]);
    assert_eq!(scheduled("* * * * *", "Mars/Olympus"), ["schedule.time_zone"]);
    assert_eq!(refused(|spec| spec.schedule = schedule("* * * * *", "UTC")), ["schedule"]);
}

#[test]
fn a_lost_node_is_waited_for_no_longer_than_a_year() {
    let after = |after| refused(|spec| spec.task.on_node_lost = NodeLoss::Replace { after });
    assert_eq!(after(limits::DURATION_MAX), [] as [&str; 0]);
    assert_eq!(after(limits::DURATION_MAX + std::time::Duration::from_nanos(1)), ["task.on_node_lost"]);
}
