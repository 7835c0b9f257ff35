//! Which status the rollout goes on from: the one that is stored, the same for a spec that changes no template, or a new one.

use std::sync::Arc;

use cluster_types::{Service, ServiceSpec, UpdateState, UpdateStatus, Version};

use super::stale;
use crate::draft::Draft;

/// A status, and how it came about.
pub(super) struct Course {
    pub(super) status: UpdateStatus,
    pub(super) kind: Kind,
}

/// Whether a status takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It goes on, or stands still.
    Ongoing,
    /// The target is another, and the one before was not reached: even when nothing is to be replaced, its end is to be said.
    TakesOver,
    /// It begins only if there is something to replace.
    IfStale,
}

impl Kind {
    pub(super) fn is_live(self, any_stale: bool) -> bool {
        match self {
            Self::Ongoing | Self::TakesOver => true,
            Self::IfStale => any_stale,
        }
    }
}

impl Course {
    pub(super) fn of(draft: &Draft<'_>, service: &Service) -> Self {
        let Some(update) = &service.update else { return Self { status: begun(draft, service), kind: Kind::IfStale } };
        if update.target != service.spec_version && !is_alike(draft, service, update.target, &service.spec) {
            let kind = if update.state.is_completed() { Kind::IfStale } else { Kind::TakesOver };
            return Self { status: begun(draft, service), kind };
        }
        // Scaling and the like: what is done stays done, what is paused stays paused.
        let same = UpdateStatus { target: service.spec_version, ..update.clone() };
        match update.state.is_completed() {
            true => Self { status: again(draft, same), kind: Kind::IfStale },
            false => Self { status: same, kind: Kind::Ongoing },
        }
    }
}

/// A new update. What failed before it began is not its affair.
fn begun(draft: &Draft<'_>, service: &Service) -> UpdateStatus {
    let index = draft.view.index();
    UpdateStatus {
        state: UpdateState::Updating,
        target: service.spec_version,
        started: draft.now,
        not_before: Some(draft.now),
        message: "update in progress".to_owned(),
        progressed: draft.now,
        base: base(draft, service),
        counted: index,
        forgiven: index,
        steered: service.update.as_ref().map_or(Version::default(), |update| update.steered),
        ..UpdateStatus::default()
    }
}

/// The same update once more: places have turned up that it could not reach, such as those of nodes that took no tasks.
fn again(draft: &Draft<'_>, update: UpdateStatus) -> UpdateStatus {
    let index = draft.view.index();
    let (state, message) = match update.state.is_rollback() {
        true => (UpdateState::RollbackStarted, "rollback in progress"),
        false => (UpdateState::Updating, "update in progress"),
    };
    UpdateStatus {
        state,
        started: draft.now,
        completed: None,
        not_before: Some(draft.now),
        message: message.to_owned(),
        places: 0,
        failed: 0,
        progressed: draft.now,
        promoted: true,
        counted: index,
        forgiven: index,
        ..update
    }
}

/// The last spec that ran everywhere. An update that did not end has not replaced it; what a rollback returns to is taken for good.
fn base(draft: &Draft<'_>, service: &Service) -> Version {
    let in_force = match &service.update {
        Some(update) if !update.state.is_completed() && !update.state.is_rollback() => return update.base,
        Some(update) => Some(update.target),
        None => service.history.first().map(|revision| revision.spec_version),
    };
    let Some(spec) = in_force.and_then(|version| draft.view.spec(service.id, version)) else { return Version::default() };
    let before = service.history.iter().rev().map(|revision| revision.spec_version).filter(|version| *version < service.spec_version);
    before.into_iter().find(|version| is_alike(draft, service, *version, spec)).unwrap_or_default()
}

/// Whether the tasks of another version of the service's spec would be the same.
fn is_alike(draft: &Draft<'_>, service: &Service, version: Version, spec: &Arc<ServiceSpec>) -> bool {
    draft.view.spec(service.id, version).is_some_and(|other| stale::is_same_template(other, spec))
}
