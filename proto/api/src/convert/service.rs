//! Services, their mode, ports and updates.

use std::sync::Arc;
use std::time::Duration;

use cluster_types::{
    Protocol, PublishMode, PublishedPort, Service, ServiceMode, ServiceSpec, Timestamp, UpdateConfig, UpdateOrder, UpdateState,
    UpdateStatus, Version,
};

use super::{FieldError, list, millis, optional, parsed, required, to_map, variant};
use crate::pb;

impl From<Protocol> for pb::Protocol {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
        }
    }
}

impl From<pb::Protocol> for Protocol {
    fn from(protocol: pb::Protocol) -> Self {
        match protocol {
            pb::Protocol::Tcp => Self::Tcp,
            pb::Protocol::Udp => Self::Udp,
        }
    }
}

impl From<PublishMode> for pb::PublishMode {
    fn from(mode: PublishMode) -> Self {
        match mode {
            PublishMode::Ingress => Self::Ingress,
            PublishMode::Host => Self::Host,
        }
    }
}

impl From<pb::PublishMode> for PublishMode {
    fn from(mode: pb::PublishMode) -> Self {
        match mode {
            pb::PublishMode::Ingress => Self::Ingress,
            pb::PublishMode::Host => Self::Host,
        }
    }
}

impl From<&PublishedPort> for pb::PublishedPort {
    fn from(port: &PublishedPort) -> Self {
        Self {
            target: port.target.into(),
            published: port.published.into(),
            protocol: pb::Protocol::from(port.protocol).into(),
            mode: pb::PublishMode::from(port.mode).into(),
        }
    }
}

impl TryFrom<pb::PublishedPort> for PublishedPort {
    type Error = FieldError;

    fn try_from(port: pb::PublishedPort) -> Result<Self, FieldError> {
        let number =
            |field, number: u32| u16::try_from(number).map_err(|_| FieldError::new(field, format!("{number} is no port: use 0 to 65535")));
        Ok(Self {
            target: number("target", port.target)?,
            published: number("published", port.published)?,
            protocol: variant::<pb::Protocol, _>("protocol", port.protocol)?,
            mode: variant::<pb::PublishMode, _>("mode", port.mode)?,
        })
    }
}

impl From<UpdateOrder> for pb::UpdateOrder {
    fn from(order: UpdateOrder) -> Self {
        match order {
            UpdateOrder::StopFirst => Self::StopFirst,
            UpdateOrder::StartFirst => Self::StartFirst,
        }
    }
}

impl From<pb::UpdateOrder> for UpdateOrder {
    fn from(order: pb::UpdateOrder) -> Self {
        match order {
            pb::UpdateOrder::StopFirst => Self::StopFirst,
            pb::UpdateOrder::StartFirst => Self::StartFirst,
        }
    }
}

impl From<&UpdateConfig> for pb::UpdateConfig {
    fn from(config: &UpdateConfig) -> Self {
        Self { parallelism: config.parallelism, delay_ms: millis(config.delay), order: pb::UpdateOrder::from(config.order).into() }
    }
}

impl TryFrom<pb::UpdateConfig> for UpdateConfig {
    type Error = FieldError;

    fn try_from(config: pb::UpdateConfig) -> Result<Self, FieldError> {
        Ok(Self {
            parallelism: config.parallelism,
            delay: Duration::from_millis(config.delay_ms),
            order: variant::<pb::UpdateOrder, _>("order", config.order)?,
        })
    }
}

impl From<ServiceMode> for pb::service_spec::Mode {
    fn from(mode: ServiceMode) -> Self {
        match mode {
            ServiceMode::Replicated { replicas } => Self::Replicas(replicas),
            ServiceMode::Global => Self::Global(true),
        }
    }
}

impl TryFrom<pb::service_spec::Mode> for ServiceMode {
    type Error = FieldError;

    fn try_from(mode: pb::service_spec::Mode) -> Result<Self, FieldError> {
        match mode {
            pb::service_spec::Mode::Replicas(replicas) => Ok(Self::Replicated { replicas }),
            pb::service_spec::Mode::Global(true) => Ok(Self::Global),
            pb::service_spec::Mode::Global(false) => Err(FieldError::new("global", "must be true where it is given")),
        }
    }
}

impl From<&ServiceSpec> for pb::ServiceSpec {
    fn from(spec: &ServiceSpec) -> Self {
        Self {
            name: spec.name.clone(),
            labels: to_map(&spec.labels),
            task: Some((&spec.task).into()),
            mode: Some(spec.mode.into()),
            update: Some((&spec.update).into()),
            ports: spec.ports.iter().map(Into::into).collect(),
            endpoint: Some((&spec.endpoint).into()),
        }
    }
}

impl TryFrom<pb::ServiceSpec> for ServiceSpec {
    type Error = FieldError;

    fn try_from(spec: pb::ServiceSpec) -> Result<Self, FieldError> {
        Ok(Self {
            name: spec.name,
            labels: spec.labels.into_iter().collect(),
            task: required("task", spec.task)?,
            mode: required("mode", spec.mode)?,
            update: required("update", spec.update)?,
            ports: list("ports", spec.ports)?,
            endpoint: required("endpoint", spec.endpoint)?,
        })
    }
}

impl From<UpdateState> for pb::UpdateState {
    fn from(state: UpdateState) -> Self {
        match state {
            UpdateState::Updating => Self::Updating,
            UpdateState::Completed => Self::UpdateCompleted,
        }
    }
}

impl From<pb::UpdateState> for UpdateState {
    fn from(state: pb::UpdateState) -> Self {
        match state {
            pb::UpdateState::Updating => Self::Updating,
            pb::UpdateState::UpdateCompleted => Self::Completed,
        }
    }
}

impl From<&UpdateStatus> for pb::UpdateStatus {
    fn from(status: &UpdateStatus) -> Self {
        Self {
            state: pb::UpdateState::from(status.state).into(),
            target: status.target.0,
            started_ms: status.started.0,
            completed_ms: status.completed.map(|at| at.0),
            message: status.message.clone(),
            not_before_ms: status.not_before.map(|at| at.0),
        }
    }
}

impl TryFrom<pb::UpdateStatus> for UpdateStatus {
    type Error = FieldError;

    fn try_from(status: pb::UpdateStatus) -> Result<Self, FieldError> {
        Ok(Self {
            state: variant::<pb::UpdateState, _>("state", status.state)?,
            target: Version(status.target),
            started: Timestamp(status.started_ms),
            completed: status.completed_ms.map(Timestamp),
            not_before: status.not_before_ms.map(Timestamp),
            message: status.message,
        })
    }
}

impl From<&Service> for pb::Service {
    fn from(service: &Service) -> Self {
        Self {
            meta: Some((&service.meta).into()),
            id: service.id.to_string(),
            spec: Some((&*service.spec).into()),
            spec_version: service.spec_version.0,
            previous_version: service.previous_version.map(|version| version.0),
            update: service.update.as_ref().map(Into::into),
            running: 0,
            wanted: 0,
            endpoint: Some((&service.endpoint).into()),
            port_conflicts: Vec::new(),
        }
    }
}

impl TryFrom<pb::Service> for Service {
    type Error = FieldError;

    fn try_from(service: pb::Service) -> Result<Self, FieldError> {
        Ok(Self {
            meta: required("meta", service.meta)?,
            id: parsed("id", &service.id)?,
            spec: Arc::new(required("spec", service.spec)?),
            spec_version: Version(service.spec_version),
            previous_version: service.previous_version.map(Version),
            update: optional("update", service.update)?,
            endpoint: required("endpoint", service.endpoint)?,
        })
    }
}
