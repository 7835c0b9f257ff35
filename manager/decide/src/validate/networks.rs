//! Networks: their own specs, and how a service takes part in them.

use std::collections::BTreeSet;

use cluster_types::{NetworkMode, NetworkSpec, TaskSpec, limits};

use super::{Problems, labels, name};

/// What a service can name in the place of a network.
const MODES: [&str; 2] = ["host", "none"];
/// Prefixes of subnets that users may ask for.
const PREFIXES: std::ops::RangeInclusive<u8> = 8..=29;

/// The spec of a network.
pub(super) fn check(problems: &mut Problems, spec: &NetworkSpec) {
    name(problems, "name", &spec.name);
    if MODES.contains(&spec.name.as_str()) {
        problems.add("name", format!("{} means that a container has no network of its own: choose another name", spec.name));
    }
    labels(problems, &spec.labels);
    let bytes: usize = spec.labels.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > limits::SPEC_BYTES {
        problems.add("labels", format!("are {bytes} bytes together: at most {} are allowed", limits::SPEC_BYTES));
    }
    if let Some(subnet) = spec.subnet.filter(|subnet| !PREFIXES.contains(&subnet.prefix())) {
        problems.add("subnet", format!("{subnet} is too large or too small: use a prefix from {} to {}", PREFIXES.start(), PREFIXES.end()));
    }
}

/// The networks of a task: each once, and none beside the host's network or none at all.
pub(super) fn attachments(problems: &mut Problems, task: &TaskSpec) {
    let other = match task.network {
        NetworkMode::Default => None,
        NetworkMode::Host => Some("the container has the host's network: leave `networks` out"),
        NetworkMode::None => Some("the container has no network: leave `networks` out, or give it one"),
    };
    if let Some(reason) = other.filter(|_| !task.networks.is_empty()) {
        problems.add("networks", reason);
    }
    let mut networks = BTreeSet::new();
    for (place, attachment) in task.networks.iter().enumerate() {
        problems.within(&format!("networks[{place}]"), |problems| {
            if !networks.insert(attachment.network) {
                problems.add("network", format!("{} is named twice", attachment.network));
            }
            problems.each("aliases", &attachment.aliases, |problems, alias| name(problems, "", alias));
        });
    }
}
