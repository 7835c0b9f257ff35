//! Updates, rollbacks and drains under clients that count every request, and with leaders that die in between.
//! `CLUSTER_LAB_KILLS` sets how many leaders die while a service is updated (4); the place in time of each is drawn by chance, from the seed
//! that is printed (`CLUSTER_LAB_SEED`).

#![expect(clippy::print_stderr, reason = "figures are printed, for people")]

use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cluster_lab::{Chance, Lab, Wrk, traffic};
use serde_json::Value;

/// Milliseconds between two requests of a connection.
const PAUSE: &str = "5";

/// A web service with so many replicas whose port 8080 all hosts answer: what it takes to be healthy is the image's.
fn serve(lab: &Lab, hosts: &[&str], replicas: usize, more: &[&str]) {
    lab.import_echo(hosts);
    let replicas = replicas.to_string();
    let words = ["service", "create", "--name", "web", "--replicas", &replicas, "--publish", "8080:80"];
    lab.must(hosts[0], &[words.as_slice(), more, &["echo"]].concat());
    for host in hosts {
        lab.until("every host answers", || (traffic::load(lab, "client", &port(lab, host), 5, "new")["failed"] == 0).then_some(()));
    }
}

fn port(lab: &Lab, host: &str) -> String {
    format!("{}:8080", lab.ip(host))
}

/// Clients that keep their connections and clients that make new ones, each through another host.
fn clients(lab: &Lab, hosts: [&str; 2]) -> [Child; 2] {
    [("keep", hosts[0]), ("new", hosts[1])].map(|(way, host)| traffic::begin(lab, "client", &port(lab, host), way, PAUSE))
}

/// No request of the clients failed.
fn none_failed(lab: &Lab, what: &str, clients: [Child; 2]) {
    for client in clients {
        let answers = traffic::ended(client);
        eprintln!("{what}: {} requests, {} failed", answers["requests"], answers["failed"]);
        assert_eq!(answers["failed"], 0, "{what}: {answers}\n{}", lab.logs());
    }
}

fn update_status(lab: &Lab, host: &str) -> Option<Value> {
    Some(lab.list(host, &["service", "inspect", "web"]).pop()?["UpdateStatus"].clone())
}

/// Taken by each test: of clients of which none may notice anything, those of two labs at once would leave too little of the machine.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that listens elsewhere starts, but is never healthy.
#[test]
fn an_update_that_fails_its_health_check_rolls_back_and_no_client_notices() {
    let _alone = alone();
    let hosts = ["m1", "w1", "w2"];
    let lab = Lab::cluster_beside(&["m1"], &["w1", "w2"], &["client"]);
    let checks = ["--health-start-period", "1s", "--health-interval", "500ms", "--health-retries", "2"];
    serve(&lab, &hosts, 4, &[&["--update-failure-action", "rollback", "--rollback-monitor", "1s"], &checks[..]].concat());
    for order in ["stop-first", "start-first"] {
        lab.must("m1", &["service", "update", "--update-order", order, "web"]);
        let clients = clients(&lab, ["m1", "w1"]);
        let wrk = Wrk::begin(&lab, "client", &port(&lab, "w2"), "keep");
        let update = lab.ask("m1", &["service", "update", "--args", "/bin/echo 8081", "--message", "another port", "web"]);
        assert_eq!(update.code, 8, "{order}: {}{}", update.out, update.err);
        assert!(update.err.contains("unhealthy"), "{order}: {}", update.err);
        let wrk = wrk.ended(&lab);
        eprintln!("{order}: wrk {wrk}");
        assert_eq!((&wrk["socket_errors"], &wrk["bad_answers"]), (&0.into(), &0.into()), "{order}: {wrk}\n{}", lab.logs());
        none_failed(&lab, order, clients);
        let status = update_status(&lab, "m1").unwrap();
        assert_eq!(status["State"], "rollback_completed", "{status}");
        assert_eq!(lab.running("m1", "web").len(), 4);
        let history = lab.must("m1", &["service", "history", "web"]).out;
        assert!(history.contains("another port"), "{history}");
    }
}

/// What must hold at every moment of an update, as a manager that answers sees it.
fn watch_update(lab: &Lab, host: &str, replicas: usize, parallelism: usize) {
    let tasks = lab.list(host, &["service", "ps", "web", "--filter", "desired-state=running"]);
    let runs = |task: &&Value| task["CurrentState"].as_str().is_some_and(|state| state.starts_with("Running"));
    if tasks.is_empty() {
        return;
    }
    let running = tasks.iter().filter(runs).count();
    assert!(running + parallelism >= replicas, "availability is under the floor: {tasks:?}");
    assert!(tasks.len() - running <= parallelism, "more in flight than allowed: {tasks:?}");
}

#[test]
fn leaders_die_in_mid_update_and_it_ends_as_it_should() {
    let _alone = alone();
    let managers = ["m1", "m2", "m3"];
    let mut lab = Lab::cluster_beside(&managers, &["w1", "w2"], &["client"]);
    serve(
        &lab,
        &["m1", "m2", "m3", "w1", "w2"],
        6,
        &["--update-parallelism", "2", "--update-monitor", "1s", "--constraint", "node.role==worker"],
    );
    let kills = std::env::var("CLUSTER_LAB_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let mut chance = Chance::told("moments at which the leader dies");
    for round in 1..=kills {
        let leader = lab.leader(&managers);
        let other = *managers.iter().find(|manager| **manager != leader).unwrap();
        let clients = clients(&lab, ["w1", "w2"]);
        lab.must(other, &["service", "update", "--detach", "--env-add", &format!("ROUND={round}"), "web"]);
        let (begun, phase) = (Instant::now(), Duration::from_millis(chance.below(4_000) as u64));
        while begun.elapsed() < phase {
            watch_update(&lab, other, 6, 2);
        }
        lab.kill_daemon(&leader, "KILL");
        lab.until("the update ends", || {
            watch_update(&lab, other, 6, 2);
            (update_status(&lab, other)?["State"] == "completed").then_some(())
        });
        none_failed(&lab, &format!("leader killed {} ms into an update", phase.as_millis()), clients);
        let spec = lab.must(other, &["service", "inspect", "web"]).out;
        assert!(spec.contains(&format!("ROUND={round}")), "{spec}");
        assert_eq!(lab.running(other, "web").len(), 6);
        lab.start(&leader);
    }
}

#[test]
fn a_drained_host_moves_its_tasks_one_by_one_and_no_client_notices() {
    let _alone = alone();
    let lab = Lab::cluster_beside(&["m1"], &["w1", "w2", "w3"], &["client"]);
    serve(&lab, &["m1", "w1", "w2", "w3"], 30, &["--constraint", "node.role==worker"]);
    let on = |host: &str| lab.running("m1", "web").iter().filter(|task| task["Node"] == host).count();
    assert_eq!(on("w3"), 10);
    let clients = clients(&lab, ["m1", "w3"]);
    let drain = lab.must("m1", &["node", "drain", "w3"]);
    eprintln!("{}{}", drain.out, drain.err);
    assert_eq!(on("w3"), 0);
    lab.until_running("m1", "web", 30);
    none_failed(&lab, "drain of a host with 10 tasks", clients);
}
