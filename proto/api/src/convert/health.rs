//! Health checks, and what a node says of a container's health.

use std::time::Duration;

use cluster_types::{HealthSpec, HealthState, HealthTest, TaskHealth};

use super::{FieldError, millis, same_values, variant};
use crate::pb;

same_values!(HealthState, pb::HealthState: Starting = HealthStarting, Healthy = Healthy, Unhealthy = Unhealthy);

impl From<&HealthSpec> for pb::HealthSpec {
    fn from(spec: &HealthSpec) -> Self {
        let test = match &spec.test {
            HealthTest::Inherit => None,
            HealthTest::None => Some(pb::health_spec::Test::None(true)),
            HealthTest::Cmd(items) => Some(pb::health_spec::Test::Cmd(pb::StringList { items: items.clone() })),
            HealthTest::CmdShell(line) => Some(pb::health_spec::Test::CmdShell(line.clone())),
        };
        Self {
            test,
            interval_ms: spec.interval.map(millis),
            timeout_ms: spec.timeout.map(millis),
            retries: spec.retries,
            start_period_ms: spec.start_period.map(millis),
            start_interval_ms: spec.start_interval.map(millis),
        }
    }
}

impl TryFrom<pb::HealthSpec> for HealthSpec {
    type Error = FieldError;

    fn try_from(spec: pb::HealthSpec) -> Result<Self, FieldError> {
        let test = match spec.test {
            None => HealthTest::Inherit,
            Some(pb::health_spec::Test::None(true)) => HealthTest::None,
            Some(pb::health_spec::Test::None(false)) => return Err(FieldError::new("none", "must be true where it is given")),
            Some(pb::health_spec::Test::Cmd(list)) => HealthTest::Cmd(list.items),
            Some(pb::health_spec::Test::CmdShell(line)) => HealthTest::CmdShell(line),
        };
        Ok(Self {
            test,
            interval: spec.interval_ms.map(Duration::from_millis),
            timeout: spec.timeout_ms.map(Duration::from_millis),
            retries: spec.retries,
            start_period: spec.start_period_ms.map(Duration::from_millis),
            start_interval: spec.start_interval_ms.map(Duration::from_millis),
        })
    }
}

impl From<&TaskHealth> for pb::TaskHealth {
    fn from(health: &TaskHealth) -> Self {
        Self { state: pb::HealthState::from(health.state).into(), ready: health.ready, output: health.output.clone() }
    }
}

impl TryFrom<pb::TaskHealth> for TaskHealth {
    type Error = FieldError;

    fn try_from(health: pb::TaskHealth) -> Result<Self, FieldError> {
        Ok(Self { state: variant::<pb::HealthState, _>("state", health.state)?, ready: health.ready, output: health.output })
    }
}
