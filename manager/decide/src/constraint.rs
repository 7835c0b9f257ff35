//! Judges placement constraints against a node. Parsing them is in `cluster-types`; called by enforce, orchestrate, rollout and schedule.

use cluster_types::constraint::ConstraintKey;
use cluster_types::{Constraint, Node, Role};

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

fn role(role: Role) -> &'static str {
    match role {
        Role::Worker => "worker",
        Role::Manager => "manager",
    }
}

/// One word for the two names that each common processor has (`x86_64` is Go's `amd64`, `aarch64` its `arm64`).
fn architecture(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "x86_64" => "amd64".to_owned(),
        "aarch64" => "arm64".to_owned(),
        _ => name,
    }
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
