//! The network on real hosts: published ports, names, service addresses, isolation, and what clients notice of changes and faults.
//! `CLUSTER_LAB_CHURN` sets how many rounds of services come and go (4); `CLUSTER_LAB_PAUSE` the milliseconds between two requests of a
//! connection while a service changes (5).

#![expect(clippy::print_stderr, reason = "the figures are the point")]

use std::process::Child;
use std::time::{Duration, Instant};

use cluster_lab::kernel::{leftovers, settled};
use cluster_lab::traffic::{self, Inside, addresses, answered, answering, ended, inside, load_within};
use cluster_lab::{Lab, Report};
use serde_json::Value;

const MANAGERS: [&str; 3] = ["m1", "m2", "m3"];
const WORKERS: [&str; 2] = ["w1", "w2"];
const ALL: [&str; 5] = ["m1", "m2", "m3", "w1", "w2"];

/// Five hosts in a cluster, with the image `echo`, and a host `client` beside them.
fn cluster() -> Lab {
    let lab = Lab::cluster_beside(&MANAGERS, &WORKERS, &["client"]);
    lab.import_echo(&ALL);
    lab
}

/// So many requests to a host's port 8080, from the client.
fn load(lab: &Lab, host: &str, requests: usize) -> Value {
    traffic::load(lab, "client", &format!("{}:8080", lab.ip(host)), requests, "new")
}

/// Requests to a host's port 8080 until [`ended`].
fn begin(lab: &Lab, host: &str, way: &str) -> Child {
    let pause = std::env::var("CLUSTER_LAB_PAUSE").unwrap_or_else(|_| "5".to_owned());
    traffic::begin(lab, "client", &format!("{}:8080", lab.ip(host)), way, &pause)
}

/// Requests from a container's network to an address: how many were answered.
fn reached(lab: &Lab, container: &Inside, address: &str, requests: usize) -> u64 {
    answered(&load_within(lab, container, &format!("{address}:80"), requests, "new"))
}

#[test]
fn a_port_answers_on_every_host_a_name_in_every_container_and_nothing_crosses_networks() {
    let lab = cluster();
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "5", "--publish", "8080:80", "echo"]);
    lab.must("m1", &["service", "create", "--name", "probe", "--mode", "global", "echo"]);
    lab.until("every host answers", || ALL.iter().all(|host| load(&lab, host, 5)["failed"] == 0).then_some(()));
    let client = lab.ip("client");
    for host in ALL {
        let answers = load(&lab, host, 100);
        assert_eq!(answers["failed"], 0, "{host}: {answers}");
        let counts: Vec<u64> = answers["containers"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).collect();
        assert_eq!(counts.len(), 5, "{host}: {answers}");
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most * 2 <= least * 3, "{host}: not evenly spread: {answers}");
        assert_eq!(answers["clients"].as_object().unwrap().keys().collect::<Vec<_>>(), [&client], "{host}: {answers}");
        let own = traffic::load(&lab, host, "127.0.0.1:8080", 10, "new");
        assert_eq!(own["failed"], 0, "from {host} itself: {own}");
    }

    let probes = inside(&lab, "m1", "probe");
    assert_eq!(probes.len(), 5);
    for probe in &probes {
        let vip = addresses(&lab, probe, "web");
        assert_eq!(vip.len(), 1, "{probe:?}: {vip:?}");
        assert_eq!(addresses(&lab, probe, "tasks.web").len(), 5, "{probe:?}");
        assert_eq!(addresses(&lab, probe, "web.default"), vip, "{probe:?}");
        assert_eq!(reached(&lab, probe, vip.first().unwrap(), 10), 10, "{probe:?}");
    }

    for network in ["red", "blue"] {
        lab.must("m1", &["network", "create", network]);
        lab.must("m1", &["service", "create", "--name", &format!("in-{network}"), "--mode", "global", "--network", network, "echo"]);
    }
    let (red, blue) = (inside(&lab, "m1", "in-red"), inside(&lab, "m1", "in-blue"));
    let reds = addresses(&lab, &red[0], "tasks.in-red");
    assert_eq!(reds.len(), 5);
    for address in &reds {
        assert_eq!(reached(&lab, &red[1], address, 2), 2, "the same network: {address}");
    }
    let others: Vec<String> = reds.iter().map(|address| format!("{address}:80")).collect();
    assert!(answering(&lab, &blue[1], &others).is_empty(), "another network");
    assert!(addresses(&lab, &blue[0], "in-red").is_empty(), "a name of another network");
    let refused = lab.ask("m1", &["network", "rm", "red"]);
    assert!(refused.code != 0 && refused.err.contains("in-red"), "{}", refused.err);
    lab.must("m1", &["service", "rm", "in-red"]);
    lab.until("the network goes when nobody uses it", || (lab.ask("m1", &["network", "rm", "red"]).code == 0).then_some(()));
}

#[test]
fn no_request_is_lost_while_a_service_is_updated_scaled_and_a_host_drained() {
    let lab = cluster();
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "5", "--publish", "8080:80", "echo"]);
    lab.until("every host answers", || ALL.iter().all(|host| load(&lab, host, 5)["failed"] == 0).then_some(()));
    let loads = [begin(&lab, "m2", "keep"), begin(&lab, "w1", "new")];
    lab.must("m1", &["service", "update", "--force", "web"]);
    lab.must("m1", &["service", "scale", "web=20"]);
    lab.must("m1", &["service", "scale", "web=5"]);
    lab.must("m1", &["node", "update", "--availability", "drain", "w2"]);
    lab.until("w2 is empty", || lab.running("m1", "web").iter().all(|task| task["Node"] != "w2").then_some(()));
    lab.until_running("m1", "web", 5);
    for load in loads {
        let answers = ended(load);
        let (requests, failed) = (&answers["requests"], &answers["failed"]);
        eprintln!("{requests} requests while the service changed, {failed} failed");
        assert_eq!(answers["failed"], 0, "{answers}\n{}", lab.logs());
    }
}

#[test]
fn a_host_that_dies_costs_only_what_was_under_way_to_it() {
    let mut lab = cluster();
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "5", "--publish", "8080:80", "echo"]);
    lab.until("every host answers", || ALL.iter().all(|host| load(&lab, host, 5)["failed"] == 0).then_some(()));
    lab.power_off("w1");
    let died = Instant::now();
    let mut last_failure = died;
    while died.elapsed() < Duration::from_secs(8) {
        if load(&lab, "m1", 20)["failed"] != 0 {
            last_failure = Instant::now();
        }
    }
    let mut report = Report::default();
    report.add(last_failure - died);
    report.print("worker host killed -> no request fails any more");
    lab.until_running("m1", "web", 5);
    assert_eq!(load(&lab, "m1", 200)["failed"], 0);
}

#[test]
fn a_cut_link_a_lost_leader_and_flushed_rules_heal() {
    let mut lab = cluster();
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "5", "--publish", "8080:80", "echo"]);
    lab.until("every host answers", || ALL.iter().all(|host| load(&lab, host, 5)["failed"] == 0).then_some(()));
    let mut report = Report::default();
    lab.shell("w2", "nft flush ruleset");
    let flushed = Instant::now();
    lab.until("the rules are back", || (load(&lab, "w2", 5)["failed"] == 0).then_some(()));
    report.add(flushed.elapsed());
    report.print("rules flushed -> the port answers again");

    lab.unplug("w1");
    let cut = Instant::now();
    lab.until("the others go on without it", || (load(&lab, "m1", 50)["failed"] == 0).then_some(()));
    lab.until_running("m1", "web", 5);
    lab.until("20 s are over", || (cut.elapsed() > Duration::from_secs(20)).then_some(()));
    lab.plug("w1");
    let healed = Instant::now();
    lab.until("w1 answers again", || (load(&lab, "w1", 5)["failed"] == 0).then_some(()));
    let mut report = Report::default();
    report.add(healed.elapsed());
    report.print("link healed -> the port answers again");

    let leader = lab.leader(&MANAGERS);
    let other = *MANAGERS.iter().find(|manager| **manager != leader).unwrap();
    let mut update = lab.spawn(other, &["service", "update", "--force", "--detach", "web"]);
    assert!(update.wait().unwrap().success());
    lab.kill_daemon(&leader, "KILL");
    lab.until("the update ends", || {
        let service = lab.list(other, &["service", "inspect", "web"]).pop()?;
        (service["UpdateStatus"]["State"] == "completed").then_some(())
    });
    lab.start(&leader);
    lab.until("all hosts answer", || ALL.iter().all(|host| load(&lab, host, 20)["failed"] == 0).then_some(()));
    lab.until("no host's kernel differs from its view", || {
        let nodes = lab.list(other, &[&["node", "inspect"], ALL.as_slice()].concat());
        (nodes.len() == ALL.len() && nodes.iter().all(|node| node["Overlay"]["Trouble"].is_null())).then_some(())
    });
}

#[test]
fn services_and_networks_that_come_and_go_leave_nothing_behind() {
    let lab = Lab::cluster(&["m1"], &["w1"]);
    let before: Vec<String> = ["m1", "w1"].map(|host| settled(&lab, host)).into();
    let rounds = std::env::var("CLUSTER_LAB_CHURN").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    for round in 0..rounds {
        let networks: Vec<String> = (0..2).map(|number| format!("net-{round}-{number}")).collect();
        let services: Vec<String> = (0..6).map(|number| format!("web-{round}-{number}")).collect();
        networks.iter().for_each(|network| drop(lab.must("m1", &["network", "create", network])));
        for (number, service) in services.iter().enumerate() {
            let network = &networks[number % networks.len()];
            let port = format!("{}:80", 9000 + number);
            let words =
                ["service", "create", "--detach", "--name", service, "--replicas", "2", "--network", network, "--publish", &port, "web"];
            lab.must("m1", &words);
        }
        services.iter().rev().for_each(|service| drop(lab.must("m1", &["service", "rm", service])));
        for network in &networks {
            lab.until("the network goes", || (lab.ask("m1", &["network", "rm", network]).code == 0).then_some(()));
        }
    }
    for (host, before) in ["m1", "w1"].into_iter().zip(before) {
        lab.until(&format!("{host} is as it was: {before}"), || (leftovers(&lab, host) == before).then_some(()));
    }
    let networks = lab.list("m1", &["network", "inspect", "default"]);
    assert_eq!(networks[0]["Used"], 0, "{networks:?}");
}
