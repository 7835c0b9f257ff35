//! Updates that a user steers: a canary, a pause, a promotion, a way back, and changes that are shown before they are made.

use cluster_lab::{Lab, containers};

const MANAGERS: [&str; 3] = ["m1", "m2", "m3"];

/// The state of the last update, as a manager that answers knows it.
fn state(lab: &Lab, host: &str) -> Option<String> {
    let service = lab.list(host, &["service", "inspect", "web"]).pop()?;
    service["UpdateStatus"]["State"].as_str().map(ToOwned::to_owned)
}

#[test]
fn a_canary_waits_for_its_promotion_through_changes_of_the_leader() {
    let mut lab = Lab::cluster(&MANAGERS, &["w1", "w2"]);
    // None is on the host whose daemon is killed: that host is down after a while, and what it had runs elsewhere.
    let flags = ["--update-monitor", "300ms", "--constraint", "node.role==worker"];
    lab.must("m1", &[&["service", "create", "--name", "web", "--replicas", "4"], &flags[..], &["web"]].concat());
    let first = containers(&lab, "m1", "web");
    let canary = lab.must("m1", &["service", "update", "--canary", "1", "--env-add", "ROUND=1", "web"]);
    assert!(canary.err.contains("cluster rollout promote web"), "{}", canary.err);
    let kept = |other: &str| containers(&lab, other, "web").intersection(&first).count();
    assert_eq!(kept("m1"), 3);

    let leader = lab.leader(&MANAGERS);
    let other = *MANAGERS.iter().find(|manager| **manager != leader).unwrap();
    lab.kill_daemon(&leader, "KILL");
    lab.until("another leader tells of the canary", || (state(&lab, other)? == "canary").then_some(()));
    let kept = |lab: &Lab| containers(lab, other, "web").intersection(&first).count();
    assert_eq!(kept(&lab), 3, "nobody promoted it");

    lab.must(other, &["rollout", "pause", "web"]);
    assert_eq!(state(&lab, other).unwrap(), "paused");
    let refused = lab.ask(other, &["rollout", "pause", "web"]);
    assert_ne!(refused.code, 0, "{}{}", refused.out, refused.err);
    lab.must(other, &["rollout", "resume", "web"]);
    assert_eq!(kept(&lab), 3, "going on is no promotion");
    lab.must(other, &["rollout", "promote", "web"]);
    assert_eq!((state(&lab, other).unwrap().as_str(), kept(&lab)), ("completed", 0));
    lab.start(&leader);
}

#[test]
fn a_canary_can_be_taken_back_and_the_history_tells() {
    let lab = Lab::cluster(&["m1"], &["w1"]);
    let watch = ["--update-monitor", "300ms", "--rollback-monitor", "300ms"];
    lab.must("m1", &[&["service", "create", "--name", "web", "--replicas", "3", "-m", "first"], &watch[..], &["web"]].concat());
    let first = containers(&lab, "m1", "web");
    lab.must("m1", &["service", "update", "--canary", "2", "--env-add", "ROUND=1", "-m", "try it", "web"]);
    lab.must("m1", &["service", "rollback", "-m", "no good", "web"]);
    let after = containers(&lab, "m1", "web");
    assert_eq!((after.len(), after.intersection(&first).count()), (3, 1), "only what the canary changed was changed back");
    let spec = lab.must("m1", &["service", "inspect", "web"]).out;
    assert!(!spec.contains("ROUND=1\""), "{spec}");
    let history = lab.must("m1", &["service", "history", "web"]).out;
    for message in ["first", "try it", "no good"] {
        assert!(history.contains(message), "not `{message}`: {history}");
    }
    lab.must("m1", &["service", "rollback", "--to", "2", "web"]);
    assert!(lab.must("m1", &["service", "inspect", "web"]).out.contains("ROUND=1"));
}

#[test]
fn what_a_dry_run_shows_is_what_is_made_or_nothing() {
    let lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    let created = lab.must("m1", &["service", "create", "--dry-run", "--name", "web", "--replicas", "3", "web"]);
    assert!(["m1", "w1", "w2"].iter().all(|node| created.out.contains(node)), "{}", created.out);
    assert!(lab.list("m1", &["service", "ls"]).is_empty(), "nothing was made");
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "3", "--update-monitor", "300ms", "web"]);
    let before = containers(&lab, "m1", "web");

    let update = ["service", "update", "--env-add", "ROUND=1", "web"];
    let shown = lab.must("m1", &[&update[..], &["--dry-run"]].concat()).out;
    assert!(shown.contains("task.container.env: ROUND=1"), "{shown}");
    let version = shown.split("--check-version ").nth(1).unwrap().trim().to_owned();
    assert_eq!(containers(&lab, "m1", "web"), before, "nothing was touched");

    lab.must("m1", &["service", "update", "--label-add", "someone=else", "web"]);
    let stale = lab.ask("m1", &[&update[..], &["--check-version", &version]].concat());
    assert_eq!(stale.code, 5, "{}{}", stale.out, stale.err);
    assert_eq!(containers(&lab, "m1", "web"), before);

    let shown = lab.must("m1", &[&update[..], &["--dry-run"]].concat()).out;
    let version = shown.split("--check-version ").nth(1).unwrap().trim().to_owned();
    lab.must("m1", &[&update[..], &["--check-version", &version]].concat());
    assert_eq!(containers(&lab, "m1", "web").intersection(&before).count(), 0);

    let never = lab.ask("m1", &["service", "scale", "--dry-run", "web=4"]);
    assert!(never.out.contains("3 -> 4"), "{}{}", never.out, never.err);
    assert_eq!(lab.running("m1", "web").len(), 3);
}
