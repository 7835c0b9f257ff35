//! Updates of real containers: how many at a time, in which order, and what stays when the new ones cannot start.

#![expect(clippy::unwrap_used, reason = "a helper of tests: what goes wrong ends the test")]

use std::collections::BTreeSet;
use std::process::Child;

use cluster_lab::{Lab, containers};
use serde_json::Value;

const REPLICAS: usize = 5;

/// Tasks that are to run, of a service whose containers have this label value, looked at while a command runs.
fn watched(lab: &Lab, mut command: Child, mut look: impl FnMut(&[Value])) {
    while command.try_wait().unwrap().is_none() {
        look(&lab.running("m1", "web"));
    }
    let ended = command.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn an_update_replaces_as_many_at_a_time_as_it_was_told() {
    let lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "5", "--update-parallelism", "2", "web"]);
    let mut before = containers(&lab, "m1", "web");
    let update = lab.spawn("m1", &["service", "update", "--env-add", "ROUND=1", "web"]);
    watched(&lab, update, |running| assert!(running.len() >= REPLICAS - 2, "stop-first, two at a time: {running:?}"));
    let after = containers(&lab, "m1", "web");
    assert_eq!((after.len(), after.intersection(&before).count()), (REPLICAS, 0));

    before = after;
    lab.must("m1", &["service", "update", "--update-order", "start-first", "--update-parallelism", "1", "web"]);
    lab.must("m1", &["service", "update", "--label-add", "a=b", "web"]);
    assert_eq!(containers(&lab, "m1", "web"), before, "neither policy nor labels are in a container");

    let update = lab.spawn("m1", &["service", "update", "--force", "web"]);
    watched(&lab, update, |running| {
        assert!((REPLICAS..=REPLICAS + 1).contains(&running.len()), "start-first, one at a time: {running:?}");
    });
    let after = containers(&lab, "m1", "web");
    assert_eq!((after.len(), after.intersection(&before).count()), (REPLICAS, 0));
}

#[test]
fn an_update_to_an_image_that_is_nowhere_stops_at_once_and_the_next_one_mends_it() {
    let lab = Lab::cluster(&["m1"], &["w1"]);
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "4", "web"]);
    let before = containers(&lab, "m1", "web");
    let failed = lab.ask("m1", &["service", "update", "--image", "10.77.0.1:5000/none:1", "--timeout", "40s", "web"]);
    assert_eq!(failed.code, 7, "{}{}", failed.out, failed.err);
    for words in ["10.77.0.1:5000", "cannot be reached", "refused"] {
        assert!(failed.err.contains(words), "not `{words}`: {}", failed.err);
    }
    let left = containers(&lab, "m1", "web");
    assert_eq!(before.intersection(&left).count(), 3, "one place at a time: the others run on");
    lab.must("m1", &["service", "update", "--image", "web", "--timeout", "30s", "web"]);
    assert_eq!(lab.running("m1", "web").len(), 4);
}

#[test]
fn of_two_updates_at_once_both_are_made_or_one_is_told() {
    let lab = Lab::cluster(&["m1"], &[]);
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "0", "web"]);
    let updates: Vec<Child> = ["A", "B", "C"]
        .iter()
        .map(|name| lab.spawn("m1", &["service", "update", "--detach", "--env-add", &format!("{name}=1"), "web"]))
        .collect();
    let mut made = BTreeSet::new();
    for (update, name) in updates.into_iter().zip(["A", "B", "C"]) {
        let ended = update.wait_with_output().unwrap();
        match ended.status.code() {
            Some(0) => assert!(made.insert(format!("{name}=1"))),
            code => assert_eq!(code, Some(5), "{}", String::from_utf8_lossy(&ended.stderr)),
        }
    }
    let spec = lab.must("m1", &["service", "inspect", "web"]).out;
    assert!(!made.is_empty() && made.iter().all(|pair| spec.contains(pair.as_str())), "{made:?}: {spec}");
}
