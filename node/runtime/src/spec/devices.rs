//! Device nodes that a container may use: Docker's default list. The nodes themselves are made by libcontainer on the container's own /dev.

use serde_json::{Value, json};

use crate::grant::Device;

/// The nodes that are made beside the usual ones.
pub(super) fn nodes(granted: &[Device]) -> Value {
    let node = |device: &Device| {
        json!({
            "path": device.path, "type": kind(device), "major": device.major, "minor": device.minor,
            "fileMode": device.mode, "uid": device.uid, "gid": device.gid,
        })
    };
    granted.iter().map(node).collect()
}

fn kind(device: &Device) -> &'static str {
    if device.block { "b" } else { "c" }
}

/// Rules of the devices controller, in order: nothing, then making any node, then using these and what was granted.
pub(super) fn rules(granted: &[Device]) -> Value {
    let usable = [
        (1, Some(3)), // null
        (1, Some(5)), // zero
        (1, Some(7)), // full
        (1, Some(8)), // random
        (1, Some(9)), // urandom
        (5, Some(0)), // tty
        (5, Some(1)), // console
        (5, Some(2)), // ptmx
        (136, None),  // pts
    ];
    let mut rules = vec![
        json!({ "allow": false, "access": "rwm" }),
        json!({ "allow": true, "type": "c", "access": "m" }),
        json!({ "allow": true, "type": "b", "access": "m" }),
    ];
    for (major, minor) in usable {
        let mut rule = json!({ "allow": true, "type": "c", "major": major, "access": "rwm" });
        if let Some(minor) = minor {
            rule["minor"] = json!(minor);
        }
        rules.push(rule);
    }
    rules.extend(granted.iter().map(
        |device| json!({ "allow": true, "type": kind(device), "major": device.major, "minor": device.minor, "access": device.access }),
    ));
    Value::Array(rules)
}
