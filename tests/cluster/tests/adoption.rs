//! A daemon is killed and started again: its containers live on, and no line of theirs is lost.

use cluster_lab::{Lab, containers};

const CONTAINERS: usize = 20;
const KILLS: usize = 20;

#[test]
fn a_killed_daemon_finds_its_containers_again() {
    let mut lab = Lab::cluster(&["m1"], &[]);
    let replicas = CONTAINERS.to_string();
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", &replicas, "web"]);
    let before = containers(&lab, "m1", "web");
    assert_eq!(before.len(), CONTAINERS);
    for _ in 0..KILLS {
        lab.kill_daemon("m1", "KILL");
        lab.start("m1");
        lab.until_running("m1", "web", CONTAINERS);
        assert_eq!(containers(&lab, "m1", "web"), before);
    }
}

#[test]
fn no_line_is_lost_while_the_daemon_is_away() {
    let mut lab = Lab::cluster(&["m1"], &[]);
    let count = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done";
    lab.must("m1", &["service", "create", "--name", "count", "--entrypoint", "/bin/sh", "web", "-c", count]);
    for _ in 0..3 {
        lab.kill_daemon("m1", "KILL");
        lab.start("m1");
    }
    lab.until_running("m1", "count", 1);
    let lines = lab.must("m1", &["service", "logs", "--raw", "count"]).out;
    for (expected, line) in lines.lines().enumerate() {
        assert_eq!(line, format!("line {}", expected + 1));
    }
    assert!(lines.lines().count() > 20, "only {} lines", lines.lines().count());
}

#[test]
fn a_host_that_lost_its_power_leaves_nothing_and_starts_its_share_anew() {
    let mut lab = Lab::cluster(&["m1"], &["w1"]);
    lab.must("m1", &["service", "create", "--name", "web", "--mode", "global", "web"]);
    let before = containers(&lab, "m1", "web");
    lab.power_off("w1");
    lab.power_on("w1");
    lab.until("w1 runs its task again", || {
        let tasks = lab.running("m1", "web");
        (tasks.len() == 2 && containers(&lab, "m1", "web") != before).then_some(())
    });
}
