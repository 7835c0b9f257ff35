//! Whether a spec makes sense, before anything is proposed: every problem at once, each with the name of its field.
//!
//! An accepted spec never makes a later decider or a node panic, and is only refused later for what a node lacks (a path, an image).
//! Names that are taken are found by apply. Called by the control API.

mod container;
mod health;
mod job;
mod mounts;
mod networks;
mod placement;
mod ports;
mod rollout;
mod security;
mod surroundings;
mod task;
mod words;

use std::fmt;
use std::time::Duration;

use cluster_types::{NetworkSpec, NodeSpec, ServiceSpec, limits};

pub use self::surroundings::service_in;
use self::words::Words;

/// One thing that is wrong with a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, such as `task.container.mounts[0].target`.
    pub field: String,
    /// What is wrong with it, and what is right.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

/// What is wrong with the spec of a service. Empty is fine.
#[must_use]
pub fn service(spec: &ServiceSpec) -> Vec<Problem> {
    let mut problems = Problems::default();
    let bytes = cluster_state::spec_bytes(spec);
    if bytes > limits::SPEC_BYTES {
        problems.add("", format!("is {bytes} bytes when encoded: at most {} are allowed", limits::SPEC_BYTES));
    }
    name(&mut problems, "name", &spec.name);
    labels(&mut problems, &spec.labels);
    job::check(&mut problems, spec);
    problems.within("task", |problems| task::check(problems, &spec.task));
    rollout::check(&mut problems, spec);
    ports::check(&mut problems, spec);
    problems.list
}

/// What is wrong with another spec for a service that has one. Empty is fine.
#[must_use]
pub fn update(old: &ServiceSpec, new: &ServiceSpec) -> Vec<Problem> {
    let mut problems = Problems { list: service(new), ..Problems::default() };
    if new.name != old.name {
        problems.add("name", format!("cannot change: it is {}; create another service instead", Words(&old.name)));
    }
    if old.mode.word() != new.mode.word() {
        problems.add("mode", format!("cannot change from {} to {}: create another service instead", old.mode.word(), new.mode.word()));
    }
    problems.list
}

/// What is wrong with the spec of a network. Whether its subnet is free is for [`crate::network::subnet`]. Empty is fine.
#[must_use]
pub fn network(spec: &NetworkSpec) -> Vec<Problem> {
    let mut problems = Problems::default();
    networks::check(&mut problems, spec);
    problems.list
}

/// What is wrong with the spec of a node. Labels are such that constraints can name them. Empty is fine.
#[must_use]
pub fn node(spec: &NodeSpec) -> Vec<Problem> {
    let mut problems = Problems::default();
    for (key, value) in &spec.labels {
        if !words::is_constraint_word(key) {
            problems.add("labels", format!("{} is not a label: use letters, digits and - _ . : /", Words(key)));
        }
        if !value.is_empty() && !words::is_constraint_word(value) {
            problems.add(
                &format!("labels[{}]", Words(key)),
                format!("{} cannot be in a constraint: use letters, digits and - _ . : /", Words(value)),
            );
        }
    }
    if spec.drain.max_unavailable == 0 {
        problems.add("drain.max_unavailable", "must be at least 1: with 0 nothing could ever move");
    }
    let bytes: usize = spec.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > limits::SPEC_BYTES {
        problems.add("labels", format!("are {bytes} bytes together: at most {} are allowed", limits::SPEC_BYTES));
    }
    problems.list
}

/// The problems found so far, and the path to where the search is.
#[derive(Default)]
struct Problems {
    list: Vec<Problem>,
    path: String,
}

impl Problems {
    /// A problem of a field at the present path; the empty field is the path itself.
    fn add(&mut self, field: &str, reason: impl Into<String>) {
        let dot = if self.path.is_empty() || field.is_empty() || field.starts_with('[') { "" } else { "." };
        self.list.push(Problem { field: format!("{}{dot}{field}", self.path), reason: reason.into() });
    }

    /// Searches one level deeper.
    fn within(&mut self, field: &str, search: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        let dot = if self.path.is_empty() || field.starts_with('[') { "" } else { "." };
        self.path.push_str(dot);
        self.path.push_str(field);
        search(self);
        self.path.truncate(length);
    }

    /// Searches each element of a list.
    fn each<T>(&mut self, field: &str, list: &[T], search: impl Fn(&mut Self, &T)) {
        for (place, element) in list.iter().enumerate() {
            self.within(&format!("{field}[{place}]"), |problems| search(problems, element));
        }
    }
}

fn name(problems: &mut Problems, field: &str, name: &str) {
    if !words::is_dns_label(name) {
        let most = limits::NAME_CHARACTERS;
        problems.add(field, format!("{} is not a name: use 1 to {most} of a-z, 0-9 and -, with no - at either end", Words(name)));
    }
}

fn duration(problems: &mut Problems, field: &str, duration: Duration) {
    if duration > limits::DURATION_MAX {
        problems.add(field, "is longer than a year");
    }
}

fn labels(problems: &mut Problems, labels: &cluster_types::object::Labels) {
    if labels.keys().any(|key| key.trim().is_empty()) {
        problems.add("labels", "has a label without a name");
    }
}

#[cfg(test)]
mod tests;
