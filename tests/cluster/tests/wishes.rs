//! Where tasks would rather run: spread over labels, near or away from others, packed; what joins or is lost; and what hosts really have.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong ends the test")]

use std::collections::BTreeMap;

use cluster_lab::Lab;
use serde_json::{Value, json};

/// How many running tasks of a service each node has.
fn spread(lab: &Lab, service: &str) -> BTreeMap<String, usize> {
    let mut nodes = BTreeMap::new();
    for task in lab.running("m1", service) {
        *nodes.entry(task["Node"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    nodes
}

fn counts<const N: usize>(nodes: [(&str, usize); N]) -> BTreeMap<String, usize> {
    nodes.into_iter().map(|(node, count)| (node.to_owned(), count)).collect()
}

fn create(lab: &Lab, name: &str, replicas: &str, flags: &[&str]) {
    lab.must("m1", &[&["service", "create", "--name", name, "--replicas", replicas], flags, &["web"]].concat());
}

#[test]
fn tasks_spread_over_zones_gather_and_keep_apart() {
    let lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    for (node, zone) in [("m1", "a"), ("w1", "b"), ("w2", "b")] {
        lab.must("m1", &["node", "update", "--label-add", &format!("zone={zone}"), node]);
    }
    create(&lab, "zones", "4", &["--placement-pref", "spread=node.labels.zone"]);
    assert_eq!(spread(&lab, "zones"), counts([("m1", 2), ("w1", 1), ("w2", 1)]), "half in each zone");

    create(&lab, "packed", "3", &["--placement-ranking", "binpack", "--reserve-memory", "64m"]);
    assert_eq!(spread(&lab, "packed").len(), 1, "all on one node: {:?}", spread(&lab, "packed"));
    let packed = spread(&lab, "packed").into_keys().next().unwrap();

    create(&lab, "near", "2", &["--affinity", "service==packed:100"]);
    assert_eq!(spread(&lab, "near"), counts([(packed.as_str(), 2)]));
    create(&lab, "apart", "2", &["--affinity", "service!=packed:100"]);
    assert!(!spread(&lab, "apart").contains_key(&packed), "{:?}", spread(&lab, "apart"));

    let why = lab.list("m1", &["why", "packed.1"]).pop().unwrap();
    assert_eq!((&why["Node"], why["Nodes"].as_array().unwrap().len()), (&json!(packed), 3), "{why}");

    let flags = ["service", "create", "--timeout", "2s", "--name", "other", "--platform", "linux/s390x", "web"];
    assert_eq!(lab.ask("m1", &flags).code, 6);
    let why = lab.must("m1", &["why", "other"]).out;
    assert!(why.contains("0 of 3 fit") && why.contains("a node of platform linux/s390x"), "{why}");
    let here = format!("linux/{}", std::env::consts::ARCH);
    lab.must("m1", &["service", "update", "--platform-rm", "linux/s390x", "--platform-add", &here, "other"]);
    assert_eq!(lab.running("m1", "other").len(), 1);
}

/// A time that the cluster tells, in milliseconds.
fn stamp(lab: &Lab, told: &Value) -> u64 {
    lab.shell("m1", &format!("date -d '{}' +%s%3N", told.as_str().unwrap())).out.trim().parse().unwrap()
}

/// When the newest task of a service was made.
fn newest(lab: &Lab, service: &str) -> u64 {
    let tasks = lab.list("m1", &["service", "ps", service, "--no-trunc"]);
    let tasks = tasks.iter().flat_map(|task| lab.list("m1", &["service", "inspect", task["ID"].as_str().unwrap()]));
    tasks.map(|task| stamp(lab, &task["CreatedAt"])).max().unwrap()
}

#[test]
fn a_lost_node_keeps_what_is_to_stay_and_a_returning_one_gets_its_share_back() {
    let mut lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    let workers = ["--constraint", "node.role==worker"];
    create(&lab, "stay", "2", &[&workers[..], &["--on-node-lost", "keep"]].concat());
    create(&lab, "move", "4", &[&workers[..], &["--auto-rebalance"]].concat());
    let stay = cluster_lab::containers(&lab, "m1", "stay");
    lab.unplug("w2");
    lab.until("what may move has moved", || (spread(&lab, "move") == counts([("w1", 4)])).then_some(()));
    let kept = lab.list("m1", &["service", "ps", "stay", "--filter", "desired-state=running"]);
    assert!(kept.len() == 2 && kept.iter().any(|task| task["Node"] == "w2"), "it waits for its node: {kept:?}");
    lab.plug("w2");
    lab.until("what may move is even again, by itself", || (spread(&lab, "move") == counts([("w1", 2), ("w2", 2)])).then_some(()));
    lab.until_running("m1", "stay", 2);
    assert_eq!(cluster_lab::containers(&lab, "m1", "stay"), stay, "the very same containers");

    create(&lab, "later", "2", &[&workers[..], &["--on-node-lost", "replace=4s"]].concat());
    assert_eq!(spread(&lab, "later"), counts([("w1", 1), ("w2", 1)]));
    lab.power_off("w2");
    lab.until("what waits a while is replaced", || (spread(&lab, "later") == counts([("w1", 2)])).then_some(()));
    let down = lab.list("m1", &["node", "inspect", "w2"]).pop().unwrap();
    assert_eq!(down["Status"]["State"], "down", "{down}");
    let (lost, came) = (stamp(&lab, &down["Status"]["Since"]), newest(&lab, "later"));
    assert!(came >= lost + 4_000, "replaced {} ms after its node was called down", came - lost);
    let kept = lab.list("m1", &["service", "ps", "stay", "--filter", "desired-state=running"]);
    assert!(kept.len() == 2 && kept.iter().any(|task| task["Node"] == "w2"), "it still waits for its node: {kept:?}");
    let rule = lab.must("m1", &["service", "update", "--on-node-lost", "replace", "--detach", "stay"]);
    lab.until(&format!("the new rule is obeyed: {}", rule.err), || (spread(&lab, "stay") == counts([("w1", 2)])).then_some(()));
}

#[test]
fn what_a_host_has_is_given_to_one_container_each() {
    let mut lab = Lab::boot(&["m1", "w1"]);
    lab.start("m1");
    let spec = json!({
        "cdiVersion": "0.6.0",
        "kind": "example.com/fpga",
        "devices": [{ "name": "one", "containerEdits": { "env": ["FPGA=one"], "deviceNodes": [{ "path": "/dev/fpga0", "hostPath": "/dev/full" }] } }],
    });
    lab.shell("w1", &format!("mkdir -p /run/cdi; echo '{spec}' >/run/cdi/fpga.json"));
    let has = ["gpu=/dev/null", "gpu=/dev/zero", "fpga=example.com/fpga=one"];
    let flags: Vec<&str> = has.iter().flat_map(|resource| ["--generic-resource", resource]).collect();
    lab.start_with("w1", &flags);
    lab.form(&["m1"], &["w1"]);
    lab.import("w1");
    let inside = |name: &str, resource: &str, replicas: &str, script: &str| {
        let words = ["service", "create", "--detach", "--name", name, "--replicas", replicas, "--generic-resource", resource];
        lab.must("m1", &[&words[..], &["--entrypoint", "/bin/sh", "web", "-c", &format!("{script}; sleep 1000")]].concat());
    };
    inside("gpu", "gpu=1", "3", "echo got $CLUSTER_RESOURCE_GPU");
    lab.until_running("m1", "gpu", 2);
    lab.until("each has one of its own", || {
        let log = lab.must("m1", &["service", "logs", "gpu"]).out;
        (log.contains("got /dev/null") && log.contains("got /dev/zero")).then_some(())
    });
    let why = lab.must("m1", &["why", "gpu"]).out;
    assert!(why.contains("needs 1 gpu, 0 free"), "{why}");

    inside("fpga", "fpga=1", "1", "echo x >/dev/fpga0 || echo $FPGA: a full device");
    lab.until("the CDI device is there and behaves as what it is", || {
        lab.must("m1", &["service", "logs", "fpga"]).out.contains("one: a full device").then_some(())
    });
}
