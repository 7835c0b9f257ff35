//! Judges placement constraints and platforms against a node. Parsing them is in `cluster-types`; called by enforce, orchestrate, rollout and schedule.

use std::borrow::Cow;

use cluster_types::constraint::ConstraintKey;
use cluster_types::{Constraint, Node, Placement, Platform, Role};

/// The first constraint that a node does not meet.
#[must_use]
pub fn unmet<'a>(node: &Node, constraints: &'a [Constraint]) -> Option<&'a Constraint> {
    constraints.iter().find(|constraint| !holds(node, constraint))
}

/// Whether one constraint holds. A label that a node lacks is equal to nothing: `==` fails, `!=` holds, as swarm has it.
#[must_use]
pub fn holds(node: &Node, constraint: &Constraint) -> bool {
    let wanted = constraint.value.as_str();
    let equal = match &constraint.key {
        ConstraintKey::Id => node.id.to_string().eq_ignore_ascii_case(wanted),
        ConstraintKey::Hostname => node.description.hostname.eq_ignore_ascii_case(wanted),
        ConstraintKey::Role => role(node.spec.role).eq_ignore_ascii_case(wanted),
        ConstraintKey::Os => node.description.platform.os.eq_ignore_ascii_case(wanted),
        ConstraintKey::Arch => architecture(&node.description.platform.arch) == architecture(wanted),
        ConstraintKey::Label(label) => node.spec.labels.get(label).is_some_and(|value| value.eq_ignore_ascii_case(wanted)),
    };
    equal == constraint.equal
}

/// What a node has under a key, so that nodes with the same can be counted together: empty for a label that it lacks.
#[must_use]
pub fn value<'a>(node: &'a Node, key: &ConstraintKey) -> Cow<'a, str> {
    match key {
        ConstraintKey::Id => Cow::Owned(node.id.to_string()),
        ConstraintKey::Hostname => lower(&node.description.hostname),
        ConstraintKey::Role => Cow::Borrowed(role(node.spec.role)),
        ConstraintKey::Os => lower(&node.description.platform.os),
        ConstraintKey::Arch => architecture(&node.description.platform.arch),
        ConstraintKey::Label(label) => node.spec.labels.get(label).map(|value| lower(value)).unwrap_or_default(),
    }
}

/// Whether what is made for one of the platforms, or for any when none is named, runs on a node. What a platform leaves out may be anything.
#[must_use]
pub fn runs_on(node: &Node, platforms: &[Platform]) -> bool {
    let has = &node.description.platform;
    let fits = |wanted: &Platform| {
        (wanted.os.is_empty() || wanted.os.eq_ignore_ascii_case(&has.os))
            && (wanted.arch.is_empty() || architecture(&wanted.arch) == architecture(&has.arch))
    };
    platforms.is_empty() || platforms.iter().any(fits)
}

/// Whether a node is one that tasks may be on, as far as that does not depend on what else runs there.
#[must_use]
pub fn belongs(node: &Node, placement: &Placement) -> bool {
    unmet(node, &placement.constraints).is_none() && runs_on(node, &placement.platforms)
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Worker => "worker",
        Role::Manager => "manager",
    }
}

/// One word for the two names that each common processor has (`x86_64` is Go's `amd64`, `aarch64` its `arm64`).
fn architecture(name: &str) -> Cow<'_, str> {
    let name = lower(name);
    match &*name {
        "x86_64" => Cow::Borrowed("amd64"),
        "aarch64" => Cow::Borrowed("arm64"),
        _ => name,
    }
}

/// Most words are in small letters already.
fn lower(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(word.to_ascii_lowercase()) } else { Cow::Borrowed(word) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed;

    fn meets(node: &Node, constraint: &str) -> bool {
        unmet(node, &[constraint.parse().unwrap()]).is_none()
    }

    #[test]
    fn each_key_looks_at_its_own_fact() {
        let mut node = testbed::node(1);
        node.description.hostname = "Alpha".into();
        node.description.platform.os = "linux".into();
        node.description.platform.arch = "x86_64".into();
        node.spec.labels.insert("zone".into(), "A".into());
        for yes in
            ["node.hostname==alpha", "node.role==worker", "node.platform.os==Linux", "node.platform.arch==amd64", "node.labels.zone==a"]
        {
            assert!(meets(&node, yes), "{yes}");
            assert!(!meets(&node, &yes.replace("==", "!=")), "not {yes}");
        }
        assert!(meets(&node, &format!("node.id=={}", node.id)));
    }

    #[test]
    fn a_platform_goes_by_either_name() {
        let mut node = testbed::node(1);
        let platform = |os: &str, arch: &str| Platform { os: os.to_owned(), arch: arch.to_owned() };
        node.description.platform = platform("linux", "x86_64");
        assert!(runs_on(&node, &[]) && runs_on(&node, &[platform("Linux", "amd64")]) && runs_on(&node, &[platform("linux", "")]));
        assert!(!runs_on(&node, &[platform("linux", "arm64")]) && !runs_on(&node, &[platform("windows", "amd64")]));
        assert!(runs_on(&node, &[platform("linux", "aarch64"), platform("linux", "x86_64")]));
        node.description.platform = Platform::default();
        assert!(!runs_on(&node, &[platform("linux", "amd64")]), "it has not told its platform");
    }

    #[test]
    fn a_missing_label_is_equal_to_nothing() {
        let node = testbed::node(1);
        assert!(!meets(&node, "node.labels.zone==a"));
        assert!(meets(&node, "node.labels.zone!=a"));
    }

    #[test]
    fn the_first_unmet_constraint_is_named() {
        let node = testbed::node(1);
        let constraints = ["node.role==worker", "node.labels.disk==ssd", "node.role==manager"].map(|text| text.parse().unwrap());
        assert_eq!(unmet(&node, &constraints).map(ToString::to_string).as_deref(), Some("node.labels.disk == ssd"));
    }
}
