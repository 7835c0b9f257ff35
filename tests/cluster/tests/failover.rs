//! The leader is killed; another manager takes over; nobody's containers notice.

use std::time::Instant;

use cluster_lab::{Lab, Report, containers};

const KILLS: usize = 10;

#[test]
fn the_next_scale_is_accepted_by_another_manager_and_no_container_is_touched() {
    let managers = ["m1", "m2", "m3"];
    let mut lab = Lab::cluster(&managers, &["w1", "w2"]);
    for worker in ["w1", "w2"] {
        lab.must("m1", &["node", "update", "--label-add", "tier=web", worker]);
    }
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "4", "--constraint", "node.labels.tier==web", "web"]);
    lab.must("m1", &["service", "create", "--name", "idle", "--replicas", "0", "web"]);
    let before = containers(&lab, "m1", "web");
    assert_eq!(before.len(), 4);
    let mut report = Report::default();
    for round in 1..=KILLS {
        let leader = lab.leader(&managers);
        let other = managers.into_iter().find(|manager| *manager != leader).unwrap();
        let killed = Instant::now();
        lab.kill_daemon(&leader, "KILL");
        let scale = format!("idle={}", round % 2);
        lab.until("another manager accepts a write", || {
            (lab.ask(other, &["service", "scale", "--detach", &scale]).code == 0).then_some(())
        });
        report.add(killed.elapsed());
        lab.start(&leader);
    }
    report.print("leader killed -> next `service scale` accepted");
    assert_eq!(containers(&lab, "m1", "web"), before, "no container was touched");
}

#[test]
fn without_a_quorum_writes_are_refused_and_containers_stay() {
    let mut lab = Lab::cluster(&["m1", "m2", "m3"], &["w1"]);
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "2", "--constraint", "node.role==worker", "web"]);
    let before = containers(&lab, "m1", "web");
    lab.power_off("m2");
    lab.power_off("m3");
    let asked = Instant::now();
    let refused = lab.ask("m1", &["service", "scale", "--detach", "web=3"]);
    let mut report = Report::default();
    report.add(asked.elapsed());
    report.print("no quorum -> a write is refused");
    assert_eq!(refused.code, 75, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("leader") || refused.err.contains("quorum"), "{}", refused.err);
    for container in &before {
        let alive = lab.shell("w1", &format!("test -e /proc/{}", container.pid));
        assert_eq!(alive.code, 0, "{container:?} was touched");
    }
    lab.power_on("m2");
    lab.until("writes are accepted again", || (lab.ask("m1", &["service", "scale", "--detach", "web=3"]).code == 0).then_some(()));
    lab.until_running("m1", "web", 3);
}
