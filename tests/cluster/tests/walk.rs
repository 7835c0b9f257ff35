//! The main road: a cluster of five hosts runs a service, scales it, and loses a host.

use std::collections::BTreeSet;
use std::time::Instant;

use cluster_lab::{Lab, Report, containers};

#[test]
fn a_service_runs_scales_and_survives_the_loss_of_a_host() {
    let mut lab = Lab::cluster(&["m1", "m2", "m3"], &["w1", "w2"]);
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "3", "web"]);
    assert_eq!(lab.running("m1", "web").len(), 3);
    lab.must("m2", &["service", "scale", "web=5"]);
    let tasks = lab.running("m3", "web");
    let hosts: BTreeSet<_> = tasks.iter().map(|task| task["Node"].as_str().unwrap().to_owned()).collect();
    assert_eq!((tasks.len(), hosts.len()), (5, 5), "five replicas on five hosts: {tasks:?}");

    let before = containers(&lab, "m1", "web");
    assert_eq!(before.len(), 5);
    let mut report = Report::default();
    let cut = Instant::now();
    lab.power_off("w1");
    lab.until("five tasks run without w1", || {
        let tasks = lab.running("m1", "web");
        (tasks.len() == 5 && tasks.iter().all(|task| task["Node"] != "w1")).then_some(())
    });
    report.add(cut.elapsed());
    report.print("worker host killed -> its tasks run elsewhere");
    let after = containers(&lab, "m1", "web");
    assert_eq!(before.intersection(&after).count(), 4, "the other four were not touched: {before:?} {after:?}");

    lab.power_on("w1");
    lab.until("w1 is ready again", || {
        lab.list("m1", &["node", "ls"]).iter().any(|node| node["Hostname"] == "w1" && node["Status"] == "Ready").then_some(())
    });
    assert_eq!(lab.running("m1", "web").len(), 5);
    lab.must("m1", &["service", "rm", "web"]);
    for host in ["m1", "m2", "m3", "w1", "w2"] {
        lab.until(&format!("nothing of web is left on {host}"), || {
            let left =
                lab.shell(host, "mount | grep -c overlay; ip -o link | grep -c clu | head -n1; ls /sys/fs/cgroup/pids | grep -c cluster-");
            // Prepared network namespaces stay: they are nobody's yet.
            (left.out.lines().next() == Some("0")).then_some(())
        });
    }
}
