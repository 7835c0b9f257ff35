//! A service is updated, scaled and drained while `wrk` asks as fast as it can, beside our own client that counts each request: wrk says
//! that something failed, ours says when and how.
//!
//! Of our own client no request may fail. What wrk counts is printed, and is an error too when `CLUSTER_LAB_JUDGE` is set: it fills the
//! machine that the hosts share, so what it says counts on a quiet one.

#![expect(clippy::print_stderr, reason = "the figures are the point")]

use cluster_lab::traffic::{answered, begin, ended, load};
use cluster_lab::{Lab, Wrk};
use serde_json::Value;

const ALL: [&str; 4] = ["m1", "w1", "w2", "w3"];

fn machine() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default()
}

fn report(what: &str, figures: &Value) {
    eprintln!("{what}: {figures}, load of the machine {}", machine().split(' ').next().unwrap_or_default());
}

#[test]
fn wrk_loses_no_request_while_a_service_changes() {
    let lab = Lab::cluster_beside(&["m1"], &["w1", "w2", "w3"], &["client", "far"]);
    lab.import_echo(&ALL);
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "5", "--publish", "8080:80", "echo"]);
    for host in ALL {
        let to = format!("{}:8080", lab.ip(host));
        lab.until("every host answers", || (answered(&load(&lab, "client", &to, 5, "new")) == 5).then_some(()));
    }
    let at = |host: &str| format!("{}:8080", lab.ip(host));
    let wrks = [("keep", "m1"), ("new", "w1")].map(|(way, host)| (way, Wrk::begin(&lab, "client", &at(host), way)));
    let ours = [("keep", "w2"), ("new", "w3")].map(|(way, host)| (way, begin(&lab, "far", &at(host), way, "10")));
    lab.must("m1", &["service", "update", "--force", "web"]);
    lab.must("m1", &["service", "scale", "web=20"]);
    lab.must("m1", &["service", "scale", "web=5"]);
    lab.must("m1", &["node", "update", "--availability", "drain", "w3"]);
    lab.until("w3 is empty", || lab.running("m1", "web").iter().all(|task| task["Node"] != "w3").then_some(()));
    lab.until_running("m1", "web", 5);

    let wrks = wrks.map(|(way, wrk)| (format!("wrk, {way}"), wrk.ended(&lab)));
    let ours = ours.map(|(way, load)| (format!("our client, {way}"), ended(load)));
    wrks.iter().chain(&ours).for_each(|(what, figures)| report(what, figures));
    for (what, answers) in ours {
        let tasks =
            || lab.must("m1", &["service", "inspect", "web"]).out + &lab.must("m1", &["service", "ps", "web", "--format", "json"]).out;
        assert_eq!(answers["failed"], 0, "{what}: {}\n{}\n{}", answers["failures"], tasks(), lab.logs());
    }
    for (what, figures) in wrks.iter().filter(|_| std::env::var_os("CLUSTER_LAB_JUDGE").is_some()) {
        assert_eq!((&figures["socket_errors"], &figures["bad_answers"]), (&0.into(), &0.into()), "{what}: {figures}\n{}", lab.logs());
    }
}
