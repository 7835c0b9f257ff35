//! Updates of real containers: how many at a time, in which order, and what stays when the new ones cannot start.

#![expect(clippy::unwrap_used, reason = "a helper of tests: what goes wrong ends the test")]

use std::collections::BTreeSet;
use std::process::Child;

use cluster_lab::{Lab, containers};
use serde_json::Value;

const REPLICAS: usize = 5;

/// Looks at the running tasks of `web` while a command runs, which is to succeed. What it said.
fn watched(lab: &Lab, command: Child, look: impl FnMut(&[Value])) -> String {
    let (code, said) = ended(lab, command, look);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// How a command ended and what it said; the running tasks of `web` are looked at meanwhile.
fn ended(lab: &Lab, mut command: Child, mut look: impl FnMut(&[Value])) -> (Option<i32>, String) {
    while command.try_wait().unwrap().is_none() {
        look(&lab.running("m1", "web"));
    }
    let ended = command.wait_with_output().unwrap();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

fn update_status(lab: &Lab) -> Value {
    lab.list("m1", &["service", "inspect", "web"]).pop().unwrap()["UpdateStatus"].clone()
}

#[test]
fn an_update_replaces_as_many_at_a_time_as_it_was_told() {
    let lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    lab.must(
        "m1",
        &["service", "create", "--name", "web", "--replicas", "5", "--update-parallelism", "2", "--update-monitor", "300ms", "web"],
    );
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
    let watch = ["--update-monitor", "300ms", "--rollback-monitor", "300ms"];
    lab.must("m1", &[&["service", "create", "--name", "web", "--replicas", "4"], &watch[..], &["web"]].concat());
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
    an_update_without_progress_ends_as_it_was_told(&lab);
    a_host_port_is_given_up_before_the_next_task_takes_it(&lab);
}

/// With start-first nothing old stops before something new serves: an update that comes to nothing costs nothing.
fn an_update_without_progress_ends_as_it_was_told(lab: &Lab) {
    // A registry that takes connections and says nothing, and more memory than any node has.
    lab.shell("m1", "busybox nc -ll -p 5001 -e sleep 1000 >/dev/null 2>&1 </dev/null &");
    let before = containers(lab, "m1", "web");
    for (action, code, state, change, words) in [
        ("pause", 7, "paused", ["--image", "10.77.0.1:5001/silent:1"], "is preparing on"),
        ("rollback", 8, "rollback_completed", ["--reserve-memory", "60t"], "60 TiB of memory"),
    ] {
        let policy = ["--update-order", "start-first", "--update-progress-deadline", "2s", "--update-failure-action", action];
        let update = lab.spawn("m1", &[&["service", "update"], &policy[..], &change, &["web"]].concat());
        let (code_was, said) = ended(lab, update, |running| assert_eq!(running.len(), 4, "{action}: {running:?}"));
        assert_eq!(code_was, Some(code), "{action}: {said}");
        assert!(said.contains("no progress for") && said.contains(words), "{action}: {said}");
        assert_eq!(update_status(lab)["State"], state, "{action}");
        if action == "pause" {
            lab.must("m1", &["service", "rollback", "web"]);
        }
        assert_eq!(containers(lab, "m1", "web"), before, "{action}: no old task was touched");
    }
}

/// Two tasks cannot have the same port of a host, so start-first would wait for ever.
fn a_host_port_is_given_up_before_the_next_task_takes_it(lab: &Lab) {
    lab.must("m1", &["service", "rm", "web"]);
    let flags = ["--update-order", "start-first", "--update-monitor", "300ms", "-p", "mode=host,target=80,published=8099"];
    lab.must("m1", &[&["service", "create", "--name", "web", "--replicas", "2"], &flags[..], &["web"]].concat());
    let before = containers(lab, "m1", "web");
    let update = lab.spawn("m1", &["service", "update", "--env-add", "ROUND=1", "web"]);
    let said = watched(lab, update, |running| assert!((1..=2).contains(&running.len()), "one at a time: {running:?}"));
    let why = "old tasks stopped first, because a node has host port 8099 once";
    assert!(said.contains(why), "{said}");
    let status = update_status(lab);
    assert!(status["State"] == "completed" && status["Message"].as_str().unwrap().contains(why), "{status}");
    let after = containers(lab, "m1", "web");
    assert_eq!((after.len(), after.intersection(&before).count()), (2, 0));
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
