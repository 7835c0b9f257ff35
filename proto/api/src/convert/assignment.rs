//! Assignments and the stamps that order them. How a large set is cut into pieces (`more`) is the dispatcher's business.

use std::sync::Arc;

use cluster_types::{AssignmentDiff, SessionStamp, TaskAssignment};

use super::{FieldError, list, parsed, placement, required, variant};
use crate::pb;

impl From<&SessionStamp> for pb::Stamp {
    fn from(stamp: &SessionStamp) -> Self {
        Self { incarnation: stamp.incarnation, term: stamp.term, sequence: stamp.sequence }
    }
}

impl TryFrom<pb::Stamp> for SessionStamp {
    type Error = FieldError;

    fn try_from(stamp: pb::Stamp) -> Result<Self, FieldError> {
        Ok(Self { incarnation: stamp.incarnation, term: stamp.term, sequence: stamp.sequence })
    }
}

impl From<&TaskAssignment> for pb::TaskAssignment {
    fn from(assignment: &TaskAssignment) -> Self {
        Self {
            task: assignment.task.to_string(),
            service: assignment.service.to_string(),
            service_name: assignment.service_name.clone(),
            slot: assignment.slot,
            desired: pb::DesiredState::from(assignment.desired).into(),
            spec: Some((&*assignment.spec).into()),
            ports: assignment.ports.iter().map(Into::into).collect(),
            addresses: assignment.addresses.iter().map(Into::into).collect(),
            generic: placement::grant(&assignment.generic),
        }
    }
}

impl TryFrom<pb::TaskAssignment> for TaskAssignment {
    type Error = FieldError;

    fn try_from(assignment: pb::TaskAssignment) -> Result<Self, FieldError> {
        Ok(Self {
            task: parsed("task", &assignment.task)?,
            service: parsed("service", &assignment.service)?,
            service_name: assignment.service_name,
            slot: assignment.slot,
            desired: variant::<pb::DesiredState, _>("desired", assignment.desired)?,
            spec: Arc::new(required("spec", assignment.spec)?),
            ports: list("ports", assignment.ports)?,
            addresses: list("addresses", assignment.addresses)?,
            generic: placement::read_grant(assignment.generic),
        })
    }
}

/// The whole diff as one piece (`more` is false).
impl From<&AssignmentDiff> for pb::Assignments {
    fn from(diff: &AssignmentDiff) -> Self {
        Self {
            full: diff.full,
            more: false,
            put: diff.put.iter().map(|assignment| (&**assignment).into()).collect(),
            remove: diff.remove.iter().map(ToString::to_string).collect(),
        }
    }
}

/// One piece; `more` is for the caller to look at.
impl TryFrom<pb::Assignments> for AssignmentDiff {
    type Error = FieldError;

    fn try_from(piece: pb::Assignments) -> Result<Self, FieldError> {
        let remove = |(index, id): (usize, &String)| parsed(&format!("remove[{index}]"), id);
        Ok(Self {
            full: piece.full,
            put: list("put", piece.put)?.into_iter().map(Arc::new).collect(),
            remove: piece.remove.iter().enumerate().map(remove).collect::<Result<_, _>>()?,
        })
    }
}
