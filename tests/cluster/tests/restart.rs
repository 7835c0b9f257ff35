//! A daemon that starts again while no manager can be reached: its containers keep answering, from the view that it saved, and it catches
//! up once a manager is back.

use cluster_lab::kernel::{leftovers, settled};
use cluster_lab::traffic::{addresses, answered, answerers, inside, load};
use cluster_lab::{Lab, processes};

#[test]
fn a_daemon_without_managers_serves_what_it_knew_and_catches_up_later() {
    let mut lab = Lab::cluster_beside(&["m1"], &["w1"], &["client"]);
    lab.import_echo(&["m1", "w1"]);
    let bare = settled(&lab, "w1");
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "4", "--publish", "8080:80", "echo"]);
    lab.must("m1", &["service", "create", "--name", "gone", "--replicas", "2", "--publish", "8081:80", "echo"]);
    let (web, gone) = (format!("{}:8080", lab.ip("w1")), format!("{}:8081", lab.ip("w1")));
    let all_answer = |lab: &Lab| answerers(&load(lab, "client", &web, 16, "new")).len() == 4;
    lab.until("w1 answers for all replicas", || all_answer(&lab).then_some(()));
    let on_w1 = inside(&lab, "m1", "web").into_iter().find(|container| container.host == "w1").expect("a container on w1");

    lab.kill_daemon("m1", "KILL");
    lab.kill_daemon("w1", "KILL");
    assert!(all_answer(&lab), "the kernel goes on without any daemon");
    lab.shell("w1", "nft flush ruleset");
    assert_eq!(answered(&load(&lab, "client", &web, 1, "new")), 0, "without rules nothing answers");
    lab.start("w1");
    lab.until("w1 answers for all replicas, from the view that it saved", || all_answer(&lab).then_some(()));
    assert_eq!(addresses(&lab, &on_w1, "web").len(), 1, "names are answered too");
    assert_eq!(processes(&lab, "w1", "/bin/echo"), 3, "its containers were not touched");

    // The view that it saved is behind by the next time that it starts.
    lab.kill_daemon("w1", "KILL");
    lab.start("m1");
    lab.until("the manager answers", || (lab.ask("m1", &["service", "rm", "gone"]).code == 0).then_some(()));
    lab.must("m1", &["service", "create", "--name", "new", "--replicas", "0", "--publish", "8082:80", "echo"]);
    lab.start("w1");
    // Whether its share of `web` was moved while it was away depends on how long that was.
    lab.until("w1 runs what it is to run and no more", || {
        let running = lab.running("m1", "web");
        let share = running.iter().filter(|task| task["Node"] == "w1").count();
        (running.len() == 4 && processes(&lab, "w1", "/bin/echo") == share).then_some(())
    });
    lab.until("the port of the removed service is shut", || (answered(&load(&lab, "client", &gone, 1, "new")) == 0).then_some(()));
    lab.until("w1 answers for all replicas", || all_answer(&lab).then_some(()));
    lab.must("m1", &["service", "scale", "new=2"]);
    let new = format!("{}:8082", lab.ip("w1"));
    lab.until("what is new answers", || (answerers(&load(&lab, "client", &new, 8, "new")).len() == 2).then_some(()));

    lab.must("m1", &["service", "rm", "web", "new"]);
    lab.until(&format!("w1 is as it was: {bare}"), || (leftovers(&lab, "w1") == bare).then_some(()));
    let node = lab.list("m1", &["node", "inspect", "w1"]).pop().expect("the node");
    assert!(node["Overlay"]["Trouble"].is_null(), "{node}");
}
