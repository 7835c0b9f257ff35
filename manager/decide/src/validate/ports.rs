//! Published ports.

use std::collections::BTreeSet;

use cluster_types::{NetworkMode, Protocol, PublishMode, ServiceSpec};

use super::Problems;

pub(super) fn check(problems: &mut Problems, spec: &ServiceSpec) {
    let network = match spec.task.network {
        NetworkMode::Default => None,
        NetworkMode::Host => Some("the container has the host's network and opens its ports there by itself: leave `ports` out"),
        NetworkMode::None => Some("the container has no network: leave `ports` out, or give it one"),
    };
    if let Some(reason) = network.filter(|_| !spec.ports.is_empty()) {
        problems.add("ports", reason);
    }
    let mut published: BTreeSet<(u16, Protocol)> = BTreeSet::new();
    let mut chosen: BTreeSet<(u16, Protocol, PublishMode)> = BTreeSet::new();
    for (place, port) in spec.ports.iter().enumerate() {
        problems.within(&format!("ports[{place}]"), |problems| {
            if port.target == 0 {
                problems.add("target", "must be from 1 to 65535");
            }
            if port.published != 0 && !published.insert((port.published, port.protocol)) {
                problems.add("published", format!("{} is published twice", port.published));
            }
            if port.published == 0 && !chosen.insert((port.target, port.protocol, port.mode)) {
                problems.add("target", format!("{} is published twice without a number", port.target));
            }
        });
    }
}
