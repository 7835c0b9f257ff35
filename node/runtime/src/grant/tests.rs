//! Grants on a host with some devices and specs.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn grant(kind: &str, names: &[&str]) -> GenericGrant {
    BTreeMap::from([(kind.to_owned(), names.iter().map(|name| (*name).to_owned()).collect())])
}

#[test]
fn names_and_numbers_are_variables_and_nothing_more() {
    let edits = edits(&grant("fpga.x", &["0", "a"]), &[]).unwrap();
    assert_eq!(edits.env, ["CLUSTER_RESOURCE_FPGA_X=0,a", "DOCKER_RESOURCE_FPGA_X=0,a"]);
    assert!(edits.devices.is_empty() && edits.mounts.is_empty());
}

#[test]
fn a_path_is_a_device_that_must_be_there() {
    let found = edits(&grant("null", &["/dev/null"]), &[]).unwrap();
    let device = &found.devices[0];
    assert_eq!((device.path.as_str(), device.block, device.major, device.minor, device.access.as_str()), ("/dev/null", false, 1, 3, "rwm"));
    for missing in ["/dev/nothing-here", "/dev/../etc/passwd", "/dev/shm"] {
        let error = edits(&grant("gpu", &[missing]), &[]).unwrap_err();
        assert!(error.starts_with("generic resource gpu: ") && error.contains(missing), "{error}");
    }
}

#[test]
fn a_cdi_device_brings_what_its_spec_says() {
    let dir = tempfile::tempdir().unwrap();
    let spec = json!({
        "cdiVersion": "0.6.0", "kind": "vendor.com/gpu",
        "containerEdits": { "env": ["ALL=1"], "mounts": [{ "hostPath": "/lib", "containerPath": "/vendor", "options": ["ro", "nosuid"] }] },
        "devices": [
            { "name": "0", "containerEdits": { "deviceNodes": [{ "path": "/dev/gpu0", "hostPath": "/dev/zero", "permissions": "rw", "fileMode": 432 }] } },
            { "name": "1", "containerEdits": { "env": ["ONE=1"], "hooks": [] } }
        ]
    });
    std::fs::write(dir.path().join("vendor.json"), spec.to_string()).unwrap();
    std::fs::write(dir.path().join("broken.json"), "{").unwrap();
    let found = edits(&grant("gpu", &["vendor.com/gpu=0", "vendor.com/gpu=1"]), &[dir.path()]).unwrap();
    assert_eq!(found.env[..2], ["ALL=1", "ONE=1"]);
    let device = &found.devices[0];
    assert_eq!((device.path.as_str(), device.minor, device.access.as_str(), device.mode), ("/dev/gpu0", 5, "rw", 0o660));
    assert_eq!(found.mounts.len(), 1, "what both devices bring is there once");
    assert_eq!(found.mounts[0].options, ["rbind", "ro", "nosuid"]);
    let error = edits(&grant("gpu", &["vendor.com/gpu=2"]), &[dir.path()]).unwrap_err();
    assert!(error.contains("no CDI device vendor.com/gpu=2") && error.contains(dir.path().to_str().unwrap()), "{error}");
}
