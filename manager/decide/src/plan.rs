//! What a change of a service would do, computed by the real passes on a copy of the state: a dry run. Called by the control API, off the
//! leader loop, since a preview of a large service costs several passes.
//!
//! Nodes are simulated: they run what they are given at once and stop what they are told to, so the preview says where tasks would go and
//! which would wait, not whether they would run well. Other services are left alone. An update is previewed in at most [`BATCHES`] batches,
//! whatever its parallelism; its delays cost no time.

mod fields;
mod scratch;

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster_state::View;
use cluster_types::{
    Author, Change, IdStream, NodeId, Object, ObjectKey, Rejection, Service, ServiceId, ServiceMode, ServiceSpec, Timestamp, UpdateState,
    Version,
};

use self::scratch::Scratch;
use crate::schedule::fits_never;

pub use self::fields::{FieldChange, changes};

/// Most batches of an update that a preview goes through.
pub const BATCHES: u64 = 10;

/// What a user would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Make a service.
    Create(ServiceSpec),
    /// Give a service another spec, a mere number of replicas included.
    Update(ServiceId, ServiceSpec),
}

/// What would come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Log index of the state that it was computed on.
    pub index: Version,
    /// Version of the service that it was computed on: whoever applies it names this one. None for a new service.
    pub version: Option<Version>,
    /// The fields of the spec that change.
    pub fields: Vec<FieldChange>,
    /// Tasks that would be placed, by node.
    pub starts: BTreeMap<NodeId, u64>,
    /// Tasks of now that would be stopped, by node.
    pub stops: BTreeMap<NodeId, u64>,
    /// Tasks of now that would stay as they are.
    pub kept: u64,
    /// How many tasks would wait, by the reason.
    pub waits: BTreeMap<String, u64>,
    /// Why it could not run even in an empty cluster.
    pub never: Option<String>,
    /// How far an update would get by itself: one with canaries waits to be promoted. None when nothing is replaced.
    pub update: Option<UpdateState>,
    /// Whether it would come to rest; if not, the figures are those of the beginning.
    pub settles: bool,
}

/// The preview of a change, or why apply would refuse it. Whether the spec makes sense is for [`crate::validate`], before.
pub fn preview(view: &View, now: Timestamp, wish: &Wish) -> Result<Preview, Rejection> {
    let (id, old, change) = match wish {
        Wish::Create(spec) => {
            let id = IdStream::new(view.index().0, 0).next_id();
            (id, None, Change::Create(Object::Service(Arc::new(Service::new(id, hasten(spec), Author::default())))))
        }
        Wish::Update(id, spec) => {
            let old = view.service(*id).ok_or(Rejection::Missing(ObjectKey::Service(*id)))?;
            let new = Service { spec: Arc::new(hasten(spec)), author: Author::default(), ..Service::clone(old) };
            (*id, Some(old), Change::Update { object: Object::Service(Arc::new(new)), expect: old.meta.version })
        }
    };
    let (Wish::Create(spec) | Wish::Update(_, spec)) = wish;
    let mut scratch = Scratch::new(view, now, id);
    scratch.wish(change)?;
    let settles = scratch.settle();
    Ok(Preview {
        index: view.index(),
        version: old.map(|old| old.meta.version),
        fields: changes(old.map(|old| &*old.spec), spec),
        waits: scratch.waits(),
        update: scratch.update(),
        never: fits_never(view, spec),
        settles,
        kept: scratch.kept(),
        starts: scratch.starts,
        stops: scratch.stops,
    })
}

/// The spec with batches so large that a preview stays cheap. Tasks are not replaced for a difference in how they are replaced.
fn hasten(spec: &ServiceSpec) -> ServiceSpec {
    let mut spec = spec.clone();
    let replicas = if let ServiceMode::Replicated { replicas } = spec.mode { replicas } else { 0 };
    if spec.update.parallelism > 0 {
        spec.update.parallelism = spec.update.parallelism.max(replicas.div_ceil(BATCHES));
    }
    spec
}

#[cfg(test)]
mod tests;
