//! Where tasks may and would rather run, and the generic resources that they ask for.

use cluster_types::constraint::ConstraintKey;
use cluster_types::{Affinity, AffinityTarget, Constraint, GenericNeeds, Placement, Platform, limits};

use super::Problems;
use super::words::{self, Words};

pub(super) fn check(problems: &mut Problems, placement: &Placement) {
    problems.each("constraints", &placement.constraints, constraint);
    few(problems, "preferences", placement.preferences.len());
    problems.each("preferences", &placement.preferences, |problems, key| preference(problems, key));
    if let Some(twice) = repeated(&placement.preferences) {
        problems.add("preferences", format!("has {} twice: spread over each label once", Words(twice)));
    }
    few(problems, "affinities", placement.affinities.len());
    problems.each("affinities", &placement.affinities, affinity);
    few(problems, "platforms", placement.platforms.len());
    problems.each("platforms", &placement.platforms, platform);
}

/// What tasks are given of the kinds that nodes offer.
pub(super) fn generic(problems: &mut Problems, needs: &GenericNeeds) {
    few(problems, "generic", needs.len());
    for (kind, count) in needs {
        let field = format!("generic[{}]", Words(kind));
        if !words::is_generic_kind(kind) {
            problems.add(&field, "is no kind of resource: use 1 to 63 letters, digits and - _ . /");
        }
        if !(1..=limits::GENERIC_COUNT).contains(count) {
            problems.add(&field, format!("{count} is out of range: from 1 to {}", limits::GENERIC_COUNT));
        }
    }
}

fn few(problems: &mut Problems, field: &str, count: usize) {
    if count > limits::PLACEMENT_TERMS {
        problems.add(field, format!("has {count} entries: at most {} are allowed", limits::PLACEMENT_TERMS));
    }
}

fn preference(problems: &mut Problems, key: &str) {
    if let Err(error) = key.parse::<ConstraintKey>() {
        problems.add("", error.to_string());
    }
}

fn repeated(keys: &[String]) -> Option<&String> {
    keys.iter().enumerate().find(|(place, key)| keys[..*place].iter().any(|other| other.eq_ignore_ascii_case(key))).map(|(_, key)| key)
}

fn affinity(problems: &mut Problems, affinity: &Affinity) {
    if !(1..=100).contains(&affinity.weight) {
        problems.add("weight", format!("{} is out of range: from 1 to 100", affinity.weight));
    }
    match &affinity.target {
        // An id has the form of a name.
        AffinityTarget::With(service) | AffinityTarget::Without(service) if !words::is_dns_label(service) => {
            problems.add("", format!("{} is neither the name nor the id of a service", Words(service)));
        }
        AffinityTarget::With(_) | AffinityTarget::Without(_) => {}
        AffinityTarget::Node(node) => constraint(problems, node),
    }
}

fn platform(problems: &mut Problems, platform: &Platform) {
    let Platform { os, arch } = platform;
    if os.is_empty() && arch.is_empty() {
        problems.add("", "is empty: name an operating system or a processor, or leave it out");
    }
    for (field, word) in [("os", os), ("arch", arch)] {
        if !word.is_empty() && !words::is_constraint_word(word) {
            problems.add(field, format!("{} is not one: use letters, digits and - _ . : /", Words(word)));
        }
    }
}

fn constraint(problems: &mut Problems, constraint: &Constraint) {
    let named = match &constraint.key {
        ConstraintKey::Label(label) => words::is_constraint_word(label),
        ConstraintKey::Id | ConstraintKey::Hostname | ConstraintKey::Role | ConstraintKey::Os | ConstraintKey::Arch => true,
    };
    if !named || !words::is_constraint_word(&constraint.value) {
        let text = constraint.to_string();
        problems.add("", format!("{} is no constraint: use letters, digits and - _ . : / on both sides", Words(&text)));
    }
    if constraint.key == ConstraintKey::Role && !["worker", "manager"].iter().any(|role| constraint.value.eq_ignore_ascii_case(role)) {
        problems.add("", format!("{} is no role: use worker or manager", Words(&constraint.value)));
    }
}
