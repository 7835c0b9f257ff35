//! The task template: reservation, limits, restart policy, placement, network.

use std::time::Duration;

use cluster_types::{Limits, NetworkMode, Reservation, RestartCondition, RestartPolicy, TaskSpec};

use super::{FieldError, list, millis, required, same_values, variant};
use crate::pb;

impl From<&Reservation> for pb::Reservation {
    fn from(reservation: &Reservation) -> Self {
        Self { nano_cpus: reservation.nano_cpus, memory: reservation.memory }
    }
}

impl TryFrom<pb::Reservation> for Reservation {
    type Error = FieldError;

    fn try_from(reservation: pb::Reservation) -> Result<Self, FieldError> {
        Ok(Self { nano_cpus: reservation.nano_cpus, memory: reservation.memory })
    }
}

impl From<&Limits> for pb::Limits {
    fn from(limits: &Limits) -> Self {
        Self { nano_cpus: limits.nano_cpus, memory: limits.memory, pids: limits.pids }
    }
}

impl TryFrom<pb::Limits> for Limits {
    type Error = FieldError;

    fn try_from(limits: pb::Limits) -> Result<Self, FieldError> {
        Ok(Self { nano_cpus: limits.nano_cpus, memory: limits.memory, pids: limits.pids })
    }
}

same_values!(RestartCondition, pb::RestartCondition: Any = Any, OnFailure = OnFailure, None = Never);

impl From<&RestartPolicy> for pb::RestartPolicy {
    fn from(policy: &RestartPolicy) -> Self {
        Self {
            condition: pb::RestartCondition::from(policy.condition).into(),
            delay_ms: millis(policy.delay),
            max_delay_ms: millis(policy.max_delay),
            max_attempts: policy.max_attempts,
            window_ms: millis(policy.window),
        }
    }
}

impl TryFrom<pb::RestartPolicy> for RestartPolicy {
    type Error = FieldError;

    fn try_from(policy: pb::RestartPolicy) -> Result<Self, FieldError> {
        Ok(Self {
            condition: variant::<pb::RestartCondition, _>("condition", policy.condition)?,
            delay: Duration::from_millis(policy.delay_ms),
            max_delay: Duration::from_millis(policy.max_delay_ms),
            max_attempts: policy.max_attempts,
            window: Duration::from_millis(policy.window_ms),
        })
    }
}

same_values!(NetworkMode, pb::NetworkMode: Default = NetworkDefault, Host = NetworkHost, None = NetworkNone);

impl From<&TaskSpec> for pb::TaskSpec {
    fn from(spec: &TaskSpec) -> Self {
        Self {
            container: Some((&spec.container).into()),
            reservation: Some((&spec.reservation).into()),
            limits: Some((&spec.limits).into()),
            restart: Some((&spec.restart).into()),
            placement: Some((&spec.placement).into()),
            network: pb::NetworkMode::from(spec.network).into(),
            force_update: spec.force_update,
            networks: spec.networks.iter().map(Into::into).collect(),
            generic: spec.generic.iter().map(|(kind, count)| (kind.clone(), *count)).collect(),
            on_node_lost: Some(spec.on_node_lost.into()),
        }
    }
}

impl TryFrom<pb::TaskSpec> for TaskSpec {
    type Error = FieldError;

    fn try_from(spec: pb::TaskSpec) -> Result<Self, FieldError> {
        Ok(Self {
            container: required("container", spec.container)?,
            reservation: required("reservation", spec.reservation)?,
            limits: required("limits", spec.limits)?,
            restart: required("restart", spec.restart)?,
            placement: required("placement", spec.placement)?,
            network: variant::<pb::NetworkMode, _>("network", spec.network)?,
            force_update: spec.force_update,
            networks: list("networks", spec.networks)?,
            generic: spec.generic.into_iter().collect(),
            on_node_lost: spec.on_node_lost.map(Into::into).unwrap_or_default(),
        })
    }
}
