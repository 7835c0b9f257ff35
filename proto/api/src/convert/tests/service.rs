//! Random values of what services ask for beyond the container: modes, updates, health, placement, jobs.

use cluster_types::{
    Affinity, AffinityTarget, Author, DrainSpec, FailureAction, GenericGrant, GenericPool, HealthSpec, HealthState, HealthTest, JobRun,
    JobStatus, NodeLoss, Overlap, Placement, Platform, Ranking, Ratio, Revision, Schedule, ServiceMode, TaskHealth, UpdateConfig,
    UpdateOrder, UpdateState, Version,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{constraint, duration, stamp, text, texts};

pub(super) fn mode() -> impl Strategy<Value = ServiceMode> {
    prop_oneof![
        Just(ServiceMode::Global),
        Just(ServiceMode::GlobalJob),
        any::<u64>().prop_map(|replicas| ServiceMode::Replicated { replicas }),
        any::<(u64, u64)>().prop_map(|(max_concurrent, total)| ServiceMode::ReplicatedJob { max_concurrent, total }),
    ]
}

prop_compose! {
    pub(super) fn update_config()(
        (parallelism, delay, monitor, progress_deadline) in (any::<u64>(), duration(), duration(), duration()),
        order in select(vec![UpdateOrder::StopFirst, UpdateOrder::StartFirst]),
        failure_action in select(vec![FailureAction::Pause, FailureAction::Continue, FailureAction::Rollback]),
        (ratio, canary) in any::<(u32, u64)>(),
    ) -> UpdateConfig {
        let max_failure_ratio = Ratio(ratio);
        UpdateConfig { parallelism, delay, order, monitor, failure_action, max_failure_ratio, progress_deadline, canary }
    }
}

pub(super) fn update_state() -> impl Strategy<Value = UpdateState> {
    use UpdateState::{Canary, Completed, Paused, RollbackCompleted, RollbackPaused, RollbackStarted, Updating};
    select(vec![Updating, Canary, Paused, Completed, RollbackStarted, RollbackPaused, RollbackCompleted])
}

pub(super) fn author() -> impl Strategy<Value = Author> {
    (text(), text()).prop_map(|(by, message)| Author { by, message })
}

prop_compose! {
    pub(super) fn revision()(
        (number, version, restores) in any::<(u64, u64, Option<u64>)>(),
        (at, author) in (stamp(), author()),
    ) -> Revision {
        Revision { number, spec_version: Version(version), at, author, restores }
    }
}

pub(super) fn schedule() -> impl Strategy<Value = Schedule> {
    let overlap = select(vec![Overlap::Forbid, Overlap::Replace]);
    (text(), text(), overlap).prop_map(|(cron, time_zone, overlap)| Schedule { cron, time_zone, overlap })
}

prop_compose! {
    fn run()(
        (iteration, completed, wanted) in any::<(u64, u64, u64)>(),
        (started, ended, outcome) in (stamp(), stamp(), text()),
    ) -> JobRun {
        JobRun { iteration, started, ended, completed, wanted, outcome }
    }
}

prop_compose! {
    pub(super) fn job()(
        (iteration, cause, wanted, completed) in any::<(u64, u64, u64, u64)>(),
        (started, ended, next, runs) in (stamp(), option::of(stamp()), option::of(stamp()), vec(run(), 0..3)),
    ) -> JobStatus {
        JobStatus { iteration, started, ended, cause, next, runs, wanted, completed, ..JobStatus::default() }
    }
}

prop_compose! {
    pub(super) fn health_spec()(
        test in prop_oneof![
            Just(HealthTest::Inherit), Just(HealthTest::None), texts().prop_map(HealthTest::Cmd), text().prop_map(HealthTest::CmdShell),
        ],
        (interval, timeout, retries) in (option::of(duration()), option::of(duration()), any::<Option<u32>>()),
        (start_period, start_interval) in (option::of(duration()), option::of(duration())),
    ) -> HealthSpec {
        HealthSpec { test, interval, timeout, retries, start_period, start_interval }
    }
}

pub(super) fn health() -> impl Strategy<Value = TaskHealth> {
    let state = select(vec![HealthState::Starting, HealthState::Healthy, HealthState::Unhealthy]);
    (state, any::<bool>(), text()).prop_map(|(state, ready, output)| TaskHealth { state, ready, output })
}

fn affinity() -> impl Strategy<Value = Affinity> {
    let target = prop_oneof![
        "[a-z]{1,8}".prop_map(AffinityTarget::With),
        "[a-z]{1,8}".prop_map(AffinityTarget::Without),
        constraint().prop_map(AffinityTarget::Node),
    ];
    (target, 1..=100_u8).prop_map(|(target, weight)| Affinity { target, weight })
}

prop_compose! {
    pub(super) fn placement()(
        (constraints, max_per_node, preferences) in (vec(constraint(), 0..3), any::<u64>(), texts()),
        (affinities, ranking) in (vec(affinity(), 0..3), select(vec![Ranking::Spread, Ranking::Binpack])),
        platforms in vec((text(), text()).prop_map(|(os, arch)| Platform { os, arch }), 0..3),
        auto_rebalance: bool,
    ) -> Placement {
        Placement { constraints, max_per_node, preferences, affinities, ranking, platforms, auto_rebalance }
    }
}

pub(super) fn node_loss() -> impl Strategy<Value = NodeLoss> {
    prop_oneof![Just(NodeLoss::Keep), duration().prop_map(|after| NodeLoss::Replace { after })]
}

pub(super) fn pool() -> impl Strategy<Value = GenericPool> {
    prop_oneof![any::<u64>().prop_map(GenericPool::Count), btree_set(text(), 0..3).prop_map(GenericPool::Named)]
}

pub(super) fn grant() -> impl Strategy<Value = GenericGrant> {
    btree_map(text(), texts(), 0..3)
}

pub(super) fn drain() -> impl Strategy<Value = DrainSpec> {
    (any::<u64>(), option::of(stamp())).prop_map(|(max_unavailable, deadline)| DrainSpec { max_unavailable, deadline })
}
