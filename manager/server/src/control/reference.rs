//! Finds the object that a user means: by id, by name, or by the beginning of an id.
//!
//! A name wins over a prefix, a whole id over both, as in docker. What cannot be told apart is an error that lists what it could be.

use std::sync::Arc;

use cluster_api::status::{ApiError, Kind, code};
use cluster_state::View;
use cluster_types::{Network, Node, ObjectKind, Service, Task, TaskId};

/// Objects that an ambiguous reference names at most.
const CANDIDATES: usize = 5;
/// Longest reference that is looked at or repeated, in characters.
const REFERENCE_CHARACTERS: usize = 128;

/// A service by id, name or unique prefix of an id.
pub(crate) fn service<'v>(view: &'v View, reference: &str) -> Result<&'v Arc<Service>, ApiError> {
    let reference = Reference { kind: ObjectKind::Service, text: reference };
    let whole = reference.text.parse().ok().and_then(|id| view.service(id)).or_else(|| view.service_by_name(reference.text));
    match whole {
        Some(service) => Ok(service),
        None => reference.only(view.services_by_prefix(reference.prefix()?), |service| service.id.short()),
    }
}

/// A network by id, name or unique prefix of an id.
pub(crate) fn network<'v>(view: &'v View, reference: &str) -> Result<&'v Arc<Network>, ApiError> {
    let reference = Reference { kind: ObjectKind::Network, text: reference };
    let whole = reference.text.parse().ok().and_then(|id| view.network(id)).or_else(|| view.network_by_name(reference.text));
    let candidate = |network: &Arc<Network>| format!("{} ({})", network.id.short(), network.spec.name);
    match whole {
        Some(network) => Ok(network),
        None => reference.only(view.networks_by_prefix(reference.prefix()?), candidate),
    }
}

/// A node by id, host name or unique prefix of an id.
pub(crate) fn node<'v>(view: &'v View, reference: &str) -> Result<&'v Arc<Node>, ApiError> {
    let reference = Reference { kind: ObjectKind::Node, text: reference };
    if let Some(node) = reference.text.parse().ok().and_then(|id| view.node(id)) {
        return Ok(node);
    }
    let candidate = |node: &Arc<Node>| format!("{} ({} at {})", node.id.short(), node.description.hostname, node.status.address);
    match reference.only(view.nodes_by_hostname(reference.text), candidate) {
        Err(error) if error.kind == Kind::NotFound => reference.only(view.nodes_by_prefix(reference.prefix()?), candidate),
        found => found,
    }
}

/// A task by id, `web.3` (the newest in that slot), `web.<node>` of a global service, `web.3.<id>`, or unique prefix of an id.
pub(crate) fn task<'v>(view: &'v View, reference: &str) -> Result<&'v Arc<Task>, ApiError> {
    let reference = Reference { kind: ObjectKind::Task, text: reference };
    let whole = reference.text.parse().ok().and_then(|id: TaskId| view.task(id)).or_else(|| by_name(view, reference.text));
    match whole {
        Some(task) => Ok(task),
        None => reference.only(view.tasks_by_prefix(reference.prefix()?), |task| task.id.short()),
    }
}

/// Service names are DNS labels: the first dot ends them.
fn by_name<'v>(view: &'v View, name: &str) -> Option<&'v Arc<Task>> {
    let (name, rest) = name.split_once('.')?;
    let service = view.service_by_name(name)?.id;
    if let Some((_, id)) = rest.split_once('.') {
        return id.parse().ok().and_then(|id| view.task(id)).filter(|task| task.service == service);
    }
    let newest =
        |left: &&Arc<Task>, right: &&Arc<Task>| (left.is_wanted(), left.meta.created).cmp(&(right.is_wanted(), right.meta.created));
    if let Some(slot) = rest.parse().ok().filter(|slot| *slot > 0) {
        return view.tasks_of_slot(service, slot).max_by(newest);
    }
    let node = node(view, rest).ok()?.id;
    view.tasks_of_slot(service, 0).filter(|task| task.node == Some(node)).max_by(newest)
}

/// What the user wrote, and for what.
#[derive(Clone, Copy)]
struct Reference<'a> {
    kind: ObjectKind,
    text: &'a str,
}

impl<'a> Reference<'a> {
    /// The text as the beginning of an id; an empty one means nothing rather than everything.
    fn prefix(self) -> Result<&'a str, ApiError> {
        if self.text.is_empty() { Err(self.missing()) } else { Ok(self.text) }
    }

    /// The only one of `matches`.
    fn only<'v, T>(self, matches: impl Iterator<Item = &'v Arc<T>>, name: impl Fn(&Arc<T>) -> String) -> Result<&'v Arc<T>, ApiError> {
        let found: Vec<&Arc<T>> = matches.take(CANDIDATES).collect();
        match found.as_slice() {
            [] => Err(self.missing()),
            [one] => Ok(one),
            several => {
                let candidates: Vec<String> = several.iter().map(|one| name(one)).collect();
                let message = format!("`{}` may be any of several {}s: {}", self.shown(), self.kind.noun(), candidates.join(", "));
                Err(ApiError::new(Kind::Invalid, code::AMBIGUOUS, message).hint("give more characters of the id"))
            }
        }
    }

    fn missing(self) -> ApiError {
        ApiError::not_found(self.kind.noun(), &self.shown())
    }

    fn shown(self) -> String {
        self.text.chars().take(REFERENCE_CHARACTERS).collect()
    }
}
