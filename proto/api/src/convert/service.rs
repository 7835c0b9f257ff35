//! Services, their mode and ports.

use std::sync::Arc;

use cluster_types::{Protocol, PublishMode, PublishedPort, Service, ServiceMode, ServiceSpec, Version};

use super::{FieldError, list, optional, parsed, required, same_values, to_map, variant};
use crate::pb;

same_values!(Protocol, pb::Protocol: Tcp = Tcp, Udp = Udp);
same_values!(PublishMode, pb::PublishMode: Ingress = Ingress, Host = Host);

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

impl From<ServiceMode> for pb::service_spec::Mode {
    fn from(mode: ServiceMode) -> Self {
        match mode {
            ServiceMode::Replicated { replicas } => Self::Replicas(replicas),
            ServiceMode::Global => Self::Global(true),
            ServiceMode::ReplicatedJob { max_concurrent, total } => Self::ReplicatedJob(pb::ReplicatedJob { max_concurrent, total }),
            ServiceMode::GlobalJob => Self::GlobalJob(true),
        }
    }
}

impl TryFrom<pb::service_spec::Mode> for ServiceMode {
    type Error = FieldError;

    fn try_from(mode: pb::service_spec::Mode) -> Result<Self, FieldError> {
        use pb::service_spec::Mode::{Global, GlobalJob, Replicas, ReplicatedJob};
        match mode {
            Replicas(replicas) => Ok(Self::Replicated { replicas }),
            Global(true) => Ok(Self::Global),
            ReplicatedJob(job) => Ok(Self::ReplicatedJob { max_concurrent: job.max_concurrent, total: job.total }),
            GlobalJob(true) => Ok(Self::GlobalJob),
            Global(false) | GlobalJob(false) => Err(FieldError::new("global", "must be true where it is given")),
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
            rollback: Some((&spec.rollback).into()),
            schedule: spec.schedule.as_ref().map(Into::into),
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
            rollback: required("rollback", spec.rollback)?,
            schedule: optional("schedule", spec.schedule)?,
            ports: list("ports", spec.ports)?,
            endpoint: required("endpoint", spec.endpoint)?,
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
            history: service.history.iter().map(Into::into).collect(),
            author: Some((&service.author).into()),
            job: service.job.as_ref().map(Into::into),
            update: service.update.as_ref().map(Into::into),
            running: 0,
            wanted: 0,
            endpoint: Some((&service.endpoint).into()),
            port_conflicts: Vec::new(),
            progress: None,
            updated: 0,
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
            history: list("history", service.history)?,
            author: service.author.unwrap_or_default().into(),
            job: optional("job", service.job)?,
            update: optional("update", service.update)?,
            endpoint: required("endpoint", service.endpoint)?,
        })
    }
}
