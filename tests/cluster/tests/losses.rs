//! How long it takes until a lost host's tasks run elsewhere, and that a rebalance brings them back when it returns.
//! `CLUSTER_LAB_ROUNDS` sets how often (1).

use std::time::Instant;

use cluster_lab::{Lab, Report};

const REPLICAS: usize = 6;

#[test]
fn tasks_of_a_cut_host_run_elsewhere_and_a_rebalance_brings_them_back() {
    let lab = Lab::cluster(&["m1"], &["w1", "w2", "w3"]);
    let replicas = REPLICAS.to_string();
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", &replicas, "--constraint", "node.role==worker", "web"]);
    let rounds = std::env::var("CLUSTER_LAB_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let on = |host: &str| lab.running("m1", "web").iter().filter(|task| task["Node"] == host).count();
    let mut report = Report::default();
    for _ in 0..rounds {
        assert_eq!(on("w3"), 2);
        lab.unplug("w3");
        let cut = Instant::now();
        lab.until("all replicas run on the others", || {
            let running = lab.running("m1", "web");
            (running.iter().filter(|task| task["Node"] != "w3").count() == REPLICAS).then_some(())
        });
        report.add(cut.elapsed());
        lab.plug("w3");
        lab.until("the host is back, and what ran there is gone", || {
            let nodes = lab.list("m1", &["node", "ls"]);
            let is_back = nodes.iter().any(|node| node["Hostname"] == "w3" && node["Status"] == "Ready");
            (is_back && cluster_lab::serving(&lab, "w3") == 0).then_some(())
        });
        let moves = lab.must("m1", &["rebalance"]);
        assert!(moves.out.contains("w3") || moves.err.contains("w3"), "{}{}", moves.out, moves.err);
        lab.until("the tasks are even again", || (["w1", "w2", "w3"].iter().all(|host| on(host) == 2)).then_some(()));
    }
    report.print("host's cable cut -> its tasks run elsewhere");
}
