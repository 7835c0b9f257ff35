//! Snapshots of what updates, jobs, health and placement look like.

use std::sync::Arc;
use std::time::Duration;

use cluster_api::pb;
use cluster_types::{
    Author, Availability, DrainSpec, FailureAction, GenericPool, HealthSpec, HealthState, HealthTest, JobRun, JobStatus, NodeLoss,
    NodeState, Overlap, Platform, Ranking, Ratio, Reservation, Revision, Schedule, ServiceMode, TaskHealth, TaskState, UpdateState,
    UpdateStatus, Version,
};

use super::{NOW, ago, flags, node, service, task};
use crate::model::ServiceView;
use crate::render::output::Format;
use crate::render::row::{RevisionRow, Row, ServiceRow, TaskRow};
use crate::render::{pretty, preview, why};

/// A service with an update, a history and everything that a spec may say of health and placement.
fn rich(update: UpdateState) -> ServiceView {
    let mut view = service("web", ServiceMode::Replicated { replicas: 5 }, 5);
    let spec = Arc::make_mut(&mut view.service.spec);
    spec.task.container.health =
        HealthSpec { test: HealthTest::CmdShell("curl -f localhost".into()), retries: Some(5), ..HealthSpec::default() };
    spec.task.container.readiness =
        Some(HealthSpec { test: HealthTest::Cmd(vec!["/ready".into()]), interval: Some(Duration::from_secs(3)), ..HealthSpec::default() });
    spec.task.placement.constraints = vec!["node.role==worker".parse().unwrap()];
    spec.task.placement.preferences = vec!["node.labels.zone".into()];
    spec.task.placement.affinities = vec!["service!=db".parse().unwrap()];
    spec.task.placement.platforms = vec![Platform { os: "linux".into(), arch: "amd64".into() }];
    spec.task.placement.ranking = Ranking::Binpack;
    spec.task.on_node_lost = NodeLoss::Replace { after: Duration::from_secs(300) };
    spec.task.generic = [("gpu".to_owned(), 2)].into();
    spec.task.reservation = Reservation { nano_cpus: 500_000_000, memory: 64 << 20 };
    spec.update.failure_action = FailureAction::Rollback;
    spec.update.max_failure_ratio = Ratio(250);
    let revision = |number, version, seconds, by: &str, message: &str, restores| Revision {
        number,
        spec_version: Version(version),
        at: ago(seconds),
        author: Author { by: by.into(), message: message.into() },
        restores,
    };
    view.service.history = vec![
        revision(1, 3, 7_200, "operator", "", None),
        revision(2, 5, 600, "operator", "newer libraries", None),
        revision(3, 7, 60, "rollout", "web.1 on n1 failed: exit code 1", Some(1)),
    ];
    view.service.update = Some(UpdateStatus {
        state: update,
        target: Version(7),
        started: ago(60),
        completed: update.is_completed().then(|| ago(30)),
        message: "web.1 on n1 failed: exit code 1".into(),
        places: 5,
        failed: 2,
        ..UpdateStatus::default()
    });
    view
}

#[test]
fn a_service_has_a_word_for_how_its_update_is() {
    let states = [
        UpdateState::Updating,
        UpdateState::Canary,
        UpdateState::Paused,
        UpdateState::Completed,
        UpdateState::RollbackStarted,
        UpdateState::RollbackPaused,
        UpdateState::RollbackCompleted,
    ];
    let row = |state| ServiceRow(ServiceView { updated: 2, ..rich(state) });
    let words = states.map(|state| row(state).json()["State"].as_str().unwrap().to_owned());
    assert_eq!(words, ["updating 2/5", "canary", "paused", "ok", "rolling back 2/5", "rollback paused", "rolled back"]);
}

#[test]
fn a_job_shows_what_completed() {
    let mut view = service("web", ServiceMode::ReplicatedJob { max_concurrent: 3, total: 10 }, 1);
    view.service.job = Some(JobStatus { iteration: 4, ..JobStatus::default() });
    let progress = Some(pb::JobProgress { completed: 2, running: 1, wanted: 10 });
    let view = ServiceView::try_from(pb::Service { running: 1, progress, ..(&view.service).into() }).unwrap();
    let row = ServiceRow(view).json();
    assert_eq!((row["Replicas"].as_str().unwrap(), row["State"].as_str().unwrap()), ("1/3 (2/10 completed)", "running"));
}

#[test]
fn a_job_that_never_ran_shows_what_it_is_to_complete() {
    let mut view = service("web", ServiceMode::ReplicatedJob { max_concurrent: 3, total: 10 }, 0);
    view.service.job = Some(JobStatus { next: Some(NOW), ..JobStatus::default() });
    let progress = Some(pb::JobProgress::default());
    let view = ServiceView::try_from(pb::Service { progress, ..(&view.service).into() }).unwrap();
    assert_eq!(view.completions, (0, 10));
}

#[test]
fn the_history_of_a_service_has_the_images_that_the_leader_filled_in() {
    let mut message = pb::Service::from(&rich(UpdateState::RollbackCompleted).service);
    for (revision, image) in message.history.iter_mut().zip(["shop/web:1.8", "shop/web:1.9", "shop/web:1.8"]) {
        revision.image = image.to_owned();
    }
    let rows = RevisionRow::rows(&ServiceView::try_from(message).unwrap(), NOW);
    insta::assert_snapshot!(flags(Format::Table, false).print(&rows), @"
    REVISION   WHEN                 BY         IMAGE          RESTORES   MESSAGE
    3 *        About a minute ago   rollout    shop/web:1.8   1          web.1 on n1 failed: exit code 1
    2          10 minutes ago       operator   shop/web:1.9              newer libraries
    1          2 hours ago          operator   shop/web:1.8
    ");
    insta::assert_snapshot!(flags(Format::Json, false).print(&rows[..1]), @r#"{"By":"rollout","CreatedAt":"2025-11-24T16:00:40Z","Current":true,"Image":"shop/web:1.8","Message":"web.1 on n1 failed: exit code 1","Restores":1,"Revision":3,"SpecVersion":7}"#);
}

#[test]
fn a_service_in_lines_for_people() {
    insta::assert_snapshot!(pretty::service(&rich(UpdateState::Paused), NOW), @"
    name         web
    id           314dzessmqqc5lby3bhzxcxtf
    label        team=shop
    state        paused
    mode         replicated, 5/5 running
    image        shop/web:1.9
    health       curl -f localhost, retries 5
    readiness    /ready, every 3.0 s
    placement    only node.role == worker
                 only linux/amd64
                 spread over node.labels.zone
                 rather service != db:50
                 ranking: binpack
                 on a lost node: replace=5m
    reserves     0.5 CPUs, 64 MiB
    generic      gpu=2
    ports        *:30000->80/tcp
    updates      1 at a time, stop-first, monitor 5.0 s, on failures above 0.25: roll back
    rollbacks    1 at a time, stop-first, monitor 5.0 s, on failures above 0: pause
    update       paused, began about a minute ago
                 web.1 on n1 failed: exit code 1
                 2 of 5 places failed
    next         cluster rollout resume web     or: cluster service rollback web
    history      3, repeats 1, about a minute ago, by rollout: web.1 on n1 failed: exit code 1
                 2, 10 minutes ago, by operator: newer libraries
                 1, 2 hours ago, by operator
    ");
    insta::assert_snapshot!(pretty::rollout(&rich(UpdateState::RollbackCompleted), NOW), @"
    name         web
    state        rolled back
    mode         replicated, 5/5 running
    update       rollback completed, 30 seconds ago
                 web.1 on n1 failed: exit code 1
                 2 of 5 places failed
    history      3, repeats 1, about a minute ago, by rollout: web.1 on n1 failed: exit code 1
                 2, 10 minutes ago, by operator: newer libraries
                 1, 2 hours ago, by operator
    ");
}

#[test]
fn a_job_in_lines_for_people() {
    let mut job = service("report", ServiceMode::ReplicatedJob { max_concurrent: 1, total: 2 }, 0);
    let spec = Arc::make_mut(&mut job.service.spec);
    spec.schedule = Some(Schedule { cron: "0 3 * * *".into(), time_zone: "Europe/Zurich".into(), overlap: Overlap::Forbid });
    let run = |iteration, outcome: &str| JobRun {
        iteration,
        started: ago(9_000),
        ended: ago(8_000),
        completed: 1,
        wanted: 2,
        outcome: outcome.into(),
    };
    job.service.job = Some(JobStatus {
        iteration: 2,
        started: ago(600),
        ended: Some(ago(500)),
        next: Some(NOW.plus(Duration::from_secs(7_200))),
        runs: vec![run(1, "failed"), run(0, "left out")],
        ..JobStatus::default()
    });
    insta::assert_snapshot!(pretty::service(&job, NOW), @"
    name         report
    id           314dzessmqqc5lby3bhzxcxtf
    label        team=shop
    state        scheduled
    mode         replicated-job, 0/2 completed, 0 of at most 1 running
    schedule     0 3 * * * (Europe/Zurich), overlap: forbid
    next run     2025-11-24T18:01:40Z, in 2 hours
    runs         2: began 10 minutes ago, ended after 1 m 40 s
                 -: began 3 hours ago, left out, 1/2 completed
                 1: began 3 hours ago, failed, 1/2 completed
    image        shop/web:1.9
    ports        *:30000->80/tcp
    update       none yet
    ");
}

#[test]
fn inspect_of_a_service_has_its_update_its_history_and_its_checks() {
    let mut object = rich(UpdateState::Paused).inspect();
    insta::assert_snapshot!(object["Spec"]["TaskTemplate"]["Placement"].to_string(), @r#"{"Affinities":["service != db:50"],"Constraints":["node.role == worker"],"Platforms":[{"Architecture":"amd64","OS":"linux"}],"Preferences":[{"Spread":{"SpreadDescriptor":"node.labels.zone"}}],"Ranking":"binpack"}"#);
    insta::assert_snapshot!(object["Spec"]["TaskTemplate"]["ContainerSpec"]["Healthcheck"].to_string(), @r#"{"Retries":5,"Test":["CMD-SHELL","curl -f localhost"]}"#);
    insta::assert_snapshot!(object["Spec"]["TaskTemplate"]["Resources"].to_string(), @r#"{"Reservations":{"GenericResources":[{"DiscreteResourceSpec":{"Kind":"gpu","Value":2}}],"MemoryBytes":67108864,"NanoCPUs":500000000}}"#);
    insta::assert_snapshot!(object["UpdateStatus"].to_string(), @r#"{"Failed":2,"Message":"web.1 on n1 failed: exit code 1","Places":5,"StartedAt":"2025-11-24T16:00:40Z","State":"paused"}"#);
    insta::assert_snapshot!(object["History"][2].take().to_string(), @r#"{"By":"rollout","CreatedAt":"2025-11-24T16:00:40Z","Message":"web.1 on n1 failed: exit code 1","Restores":1,"Revision":3,"SpecVersion":7}"#);
}

#[test]
fn the_health_of_a_task_is_shown_and_what_it_printed_before_it_failed() {
    let with = |number, slot, state, health: Option<TaskHealth>, output: Option<&str>| {
        let mut view = task(number, slot, state, None);
        view.task.status.health = health;
        view.task.status.output = output.map(str::to_owned);
        view
    };
    let health = |state, ready, output: &str| Some(TaskHealth { state, ready, output: output.into() });
    let rows = TaskRow::rows(
        vec![
            with(1, 1, TaskState::Running, health(HealthState::Healthy, true, "ok"), None),
            with(2, 2, TaskState::Running, health(HealthState::Unhealthy, false, "no answer"), None),
            with(3, 3, TaskState::Starting, health(HealthState::Starting, false, ""), None),
            with(4, 4, TaskState::Running, health(HealthState::Healthy, false, ""), None),
            with(5, 5, TaskState::Failed, health(HealthState::Healthy, true, ""), Some("older")),
            with(6, 5, TaskState::Failed, None, Some("reading\npanic: \u{1b}[31mno DATABASE_URL")),
            with(7, 6, TaskState::Failed, None, Some("newest")),
        ],
        NOW,
    );
    insta::assert_snapshot!(flags(Format::Table, false).print(&rows), @r"
    ID             NAME        IMAGE          NODE   DESIRED STATE   CURRENT STATE                       ERROR         PORTS
    51vbb0nzpwjw   web.1       shop/web:1.9   n1     Running         Running 5 seconds ago (healthy)
    51vbb0nzpwjw   web.2       shop/web:1.9   n1     Running         Running 5 seconds ago (unhealthy)
        | no answer
    51vbb0nzpwjw   web.3       shop/web:1.9   n1     Running         Starting 5 seconds ago (starting)
    51vbb0nzpwjw   web.4       shop/web:1.9   n1     Running         Running 5 seconds ago (not ready)
    51vbb0nzpwjw   web.5       shop/web:1.9   n1     Shutdown        Failed 5 seconds ago                exit code 1
        | reading
        | panic: \x1b[31mno DATABASE_URL
    51vbb0nzpwjw    \_ web.5   shop/web:1.9   n1     Shutdown        Failed 5 seconds ago                exit code 1
    51vbb0nzpwjw   web.6       shop/web:1.9   n1     Shutdown        Failed 5 seconds ago                exit code 1
        | newest
    ");
}

#[test]
fn why_a_task_has_no_node_is_a_table_of_verdicts() {
    let node = |hostname: &str, rank, verdict: &str| pb::NodeVerdict {
        hostname: hostname.into(),
        rank,
        verdict: verdict.into(),
        ..Default::default()
    };
    let explained = pb::ExplainResponse {
        service_name: "web".into(),
        task_name: "web.7".into(),
        nodes: vec![node("n2", 0, "800 MiB of memory short"), node("n3", 0, "is drained")],
        remedies: vec!["cluster node update --availability active n3".into(), "cluster service update --reserve-memory 1g web".into()],
        ..Default::default()
    };
    insta::assert_snapshot!(why::text(&explained), @"
    web.7 has no node: 0 of 2 fit

    NODE   RANK   VERDICT
    n2     -      800 MiB of memory short
    n3     -      is drained

    Any one of these would make it fit:
      cluster node update --availability active n3
      cluster service update --reserve-memory 1g web
    ");
    let more = pb::ExplainResponse {
        task_name: String::new(),
        nodes: vec![node("n1", 1, "fits"), node("n2", 0, "is down")],
        remedies: Vec::new(),
        ..explained
    };
    insta::assert_snapshot!(why::text(&more), @"
    web: for one more task 1 of 2 nodes fit

    NODE   RANK   VERDICT
    n1     1      fits
    n2     -      is down
    ");
    insta::assert_snapshot!(why::object(&more).to_string(), @r#"{"Node":"","NodeID":"","Nodes":[{"Fits":true,"Hostname":"n1","ID":"","Rank":1,"Verdict":"fits"},{"Fits":false,"Hostname":"n2","ID":"","Rank":0,"Verdict":"is down"}],"Remedies":[],"Service":"web","ServiceID":"","Task":"","TaskID":"","Waiting":0}"#);
}

#[test]
fn a_preview_tells_fields_and_places() {
    let field = |field: &str, before: Option<&str>, after: Option<&str>| pb::FieldChange {
        field: field.into(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let previewed = pb::PreviewServiceResponse {
        version: 42,
        fields: vec![
            field("task.container.image", Some("shop/web:1.8"), Some("shop/web:1.9")),
            field("task.container.env[1]", None, Some("B=2")),
        ],
        nodes: vec![pb::NodeChange { hostname: "n1".into(), starts: 2, stops: 1, ..Default::default() }],
        kept: 1,
        waiting: vec![pb::Waiting { reason: "n1: 800 MiB short\nn2: is drained".into(), tasks: 2 }],
        settles: true,
        update: Some(pb::UpdateState::Canary.into()),
        ..Default::default()
    };
    insta::assert_snapshot!(preview::text("web", &previewed), @"
    web would change (version 42)
      task.container.image: shop/web:1.8 -> shop/web:1.9
    + task.container.env[1]: B=2

    NODE   STARTS   STOPS
    n1     2        1

    1 task stays as they are
    2 tasks would wait: n1: 800 MiB short; n2: is drained
    the update would wait to be promoted after its canaries
    apply exactly this: --check-version 42
    ");
    insta::assert_snapshot!(preview::object("web", &previewed).to_string(), @r#"{"Fields":[{"After":"shop/web:1.9","Before":"shop/web:1.8","Field":"task.container.image"},{"After":"B=2","Before":null,"Field":"task.container.env[1]"}],"Kept":1,"Never":"","Nodes":[{"Hostname":"n1","ID":"","Starts":2,"Stops":1}],"Service":"web","Settles":true,"Update":"canary","Version":42,"Waiting":[{"Reason":"n1: 800 MiB short\nn2: is drained","Tasks":2}]}"#);
    let new = pb::PreviewServiceResponse { settles: true, never: "no node has a gpu".into(), ..Default::default() };
    insta::assert_snapshot!(preview::text("web", &new), @"
    web would be created
    0 tasks stay as they are
    ");
    insta::assert_snapshot!(preview::object("web", &new).to_string(), @r#"{"Fields":[],"Kept":0,"Never":"no node has a gpu","Nodes":[],"Service":"web","Settles":true,"Update":null,"Version":null,"Waiting":[]}"#);
}

#[test]
fn generic_resources_of_nodes_have_a_column_where_there_are_any() {
    let mut view = node(1, "n1", true, NodeState::Ready);
    let names = ["/dev/dri0", "/dev/dri1"].map(str::to_owned).into();
    view.node.description.generic = [("gpu".to_owned(), GenericPool::Named(names)), ("ssd".to_owned(), GenericPool::Count(3))].into();
    view.node.spec.availability = Availability::Drain;
    view.node.spec.drain = DrainSpec { max_unavailable: 2, deadline: Some(NOW) };
    let object = view.inspect();
    insta::assert_snapshot!(object["Description"]["Resources"].to_string(), @r#"{"GenericResources":[{"NamedResourceSpec":{"Kind":"gpu","Value":"/dev/dri0"}},{"NamedResourceSpec":{"Kind":"gpu","Value":"/dev/dri1"}},{"DiscreteResourceSpec":{"Kind":"ssd","Value":3}}],"MemoryBytes":4294967296,"NanoCPUs":2000000000}"#);
    insta::assert_snapshot!(object["Spec"]["Drain"].to_string(), @r#"{"Deadline":"2025-11-24T16:01:40Z","MaxUnavailable":2}"#);
    insta::assert_snapshot!(flags(Format::Table, false).print(&[view, node(3, "w3", false, NodeState::Ready)]), @"
    ID               HOSTNAME   STATUS   AVAILABILITY   MANAGER STATUS   VERSION   GENERIC
    25xzpakkg8t3 *   n1         Ready    Drain          Leader           0.1.0     gpu=2,ssd=3
    25xzpakkg8t3     w3         Ready    Active                          0.1.0
    ");
}
