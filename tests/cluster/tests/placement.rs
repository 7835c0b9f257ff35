//! Where tasks may run, what moves them, and what is said when they cannot.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong ends the test")]

use std::collections::BTreeSet;

use cluster_lab::{Answer, Lab, containers, serving};

fn hosts(lab: &Lab, service: &str) -> BTreeSet<String> {
    lab.running("m1", service).iter().map(|task| task["Node"].as_str().unwrap().to_owned()).collect()
}

/// Asserts how a command ended, and that its words name all of this.
fn told(answer: &Answer, code: i32, words: &[&str]) {
    assert_eq!(answer.code, code, "{}{}", answer.out, answer.err);
    for word in words {
        assert!(answer.err.contains(word), "not `{word}`: {}", answer.err);
    }
}

#[test]
fn tasks_go_where_they_may_and_it_is_said_why_they_go_nowhere() {
    let lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    let create = |words: &[&str]| lab.ask("m1", &[&["service", "create", "--timeout", "3s"], words, &["web"]].concat());
    told(&create(&["--name", "big", "--reserve-memory", "60t"]), 6, &["m1", "w1", "w2", "60 TiB of memory"]);
    told(&create(&["--name", "mars", "--constraint", "node.labels.planet==mars"]), 6, &["w1", "node.labels.planet == mars"]);
    told(&create(&["--name", "few", "--replicas", "4", "--replicas-max-per-node", "1"]), 6, &["few is at 3/4", "w2"]);
    told(&create(&["--name", "port", "--replicas", "4", "-p", "mode=host,target=80,published=8099"]), 6, &["8099/tcp is taken"]);
    lab.must("m1", &["node", "update", "--label-add", "planet=mars", "w2"]);
    lab.until_running("m1", "mars", 1);
    assert_eq!(hosts(&lab, "mars"), ["w2".to_owned()].into());
}

#[test]
fn a_drained_host_loses_its_tasks_and_an_active_one_gets_new_ones() {
    let lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "4", "web"]);
    lab.must("m1", &["service", "create", "--name", "each", "--mode", "global", "web"]);
    assert_eq!((hosts(&lab, "web").len(), hosts(&lab, "each").len()), (3, 3));
    lab.must("m1", &["node", "update", "--availability", "drain", "w1"]);
    lab.until("w1 is empty and the others have its share", || {
        let done = lab.running("m1", "web").len() == 4 && !hosts(&lab, "web").contains("w1") && hosts(&lab, "each").len() == 2;
        done.then_some(())
    });
    lab.until("no process of a container is left on w1", || (serving(&lab, "w1") == 0).then_some(()));
    lab.must("m1", &["node", "update", "--availability", "active", "w1"]);
    lab.until("the global service is on w1 again", || (hosts(&lab, "each").len() == 3).then_some(()));
    lab.must("m1", &["service", "scale", "web=6"]);
    assert!(hosts(&lab, "web").contains("w1"));
    lab.must("m1", &["service", "rm", "web", "each"]);
    a_drain_moves_no_more_at_a_time_than_it_was_told(&lab);
    a_rebalance_makes_the_moves_that_it_showed(&lab);
    a_drain_names_what_cannot_move(&lab);
}

fn on(lab: &Lab, service: &str, host: &str) -> usize {
    lab.running("m1", service).iter().filter(|task| task["Node"] == host).count()
}

/// A place in move has two tasks: the old one stays until the new one serves, so none is ever missing.
fn a_drain_moves_no_more_at_a_time_than_it_was_told(lab: &Lab) {
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "8", "--constraint", "node.role==worker", "web"]);
    assert_eq!((on(lab, "web", "w1"), on(lab, "web", "w2")), (4, 4));
    let mut drain = lab.spawn("m1", &["node", "drain", "--max-unavailable", "2", "w1"]);
    while drain.try_wait().unwrap().is_none() {
        let tasks = lab.list("m1", &["service", "ps", "web", "--filter", "desired-state=running"]);
        let running = tasks.iter().filter(|task| task["CurrentState"].as_str().unwrap().starts_with("Running")).count();
        assert!(running >= 8 && tasks.len() <= 10, "two places move at a time, and none is missing: {tasks:?}");
    }
    let ended = drain.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert_eq!(said.matches(": moved to w2").count(), 4, "each with a line: {said}");
    assert!(said.contains("w1 is drained") && said.contains("4 tasks have left it"), "{said}");
    assert_eq!((on(lab, "web", "w1"), on(lab, "web", "w2")), (0, 8));
    lab.must("m1", &["node", "update", "--availability", "active", "w1"]);
}

fn a_rebalance_makes_the_moves_that_it_showed(lab: &Lab) {
    let moves = |flags: &[&str]| -> BTreeSet<[String; 3]> {
        let moves = lab.must("m1", &[&["rebalance", "web", "--format", "json"], flags].concat()).json();
        moves.iter().map(|of| ["Task", "From", "To"].map(|key| of[key].as_str().unwrap().to_owned())).collect()
    };
    let before = containers(lab, "m1", "web");
    let shown = moves(&["--dry-run"]);
    assert!(shown.len() == 4 && shown.iter().all(|[_, from, to]| from == "w2" && to == "w1"), "{shown:?}");
    assert_eq!(moves(&["--dry-run"]), shown, "nothing has begun to move");
    assert_eq!(containers(lab, "m1", "web"), before, "and no container was touched");
    assert_eq!(moves(&[]), shown);
    lab.until("the moves are made", || (on(lab, "web", "w1") == 4 && on(lab, "web", "w2") == 4).then_some(()));
    let names = |host: &str| -> BTreeSet<String> {
        let tasks = lab.running("m1", "web").into_iter().filter(|task| task["Node"] == host);
        tasks.map(|task| task["Name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("w1"), shown.iter().map(|[task, ..]| task.clone()).collect());
    assert_eq!(containers(lab, "m1", "web").intersection(&before).count(), 4, "the others were left alone");
    assert_eq!(moves(&["--dry-run"]), BTreeSet::new());
}

fn a_drain_names_what_cannot_move(lab: &Lab) {
    lab.must("m1", &["service", "create", "--name", "port", "--replicas", "3", "-p", "mode=host,target=80,published=8101", "web"]);
    let place = lab.running("m1", "port").into_iter().find(|task| task["Node"] == "w1").unwrap();
    let drain = lab.ask("m1", &["node", "drain", "--max-unavailable", "4", "--timeout", "5s", "w1"]);
    told(&drain, 9, &[&format!("{}: cannot move: ", place["Name"].as_str().unwrap()), "8101/tcp is taken"]);
    assert_eq!(on(lab, "port", "w1"), 1, "it runs on meanwhile");
    told(&lab.ask("m1", &["node", "drain", "--deadline", "1s", "w1"]), 0, &["w1 is drained"]);
    assert_eq!((on(lab, "port", "w1"), on(lab, "web", "w1")), (0, 0));
    lab.until("what can move has moved", || (on(lab, "web", "w2") == 8).then_some(()));
    assert_eq!(lab.running("m1", "port").len(), 2);
}

#[test]
fn a_published_port_answers_from_other_hosts_and_a_taken_one_is_named() {
    let lab = Lab::cluster(&["m1"], &["w1"]);
    let on_w1 = ["--constraint", "node.hostname==w1"];
    let create = |words: &[&str]| lab.ask("m1", &[&["service", "create", "--timeout", "15s"][..], &on_w1, words, &["web"]].concat());
    told(&create(&["--name", "web", "-p", "mode=host,target=80,published=8099"]), 0, &[]);
    let address = lab.address("w1").replace(":4740", ":8099");
    let page = lab.shell("m1", &format!("curl -s -m 5 http://{address}/")).out;
    assert!(page.contains("container web.1") && page.contains("client 10.77.0.1"), "{page}");
    lab.must("m1", &["service", "rm", "web"]);

    lab.shell("w1", "curl -s http://127.0.0.1:8100; busybox nc -l -p 8100 >/dev/null 2>&1 </dev/null & echo $! >/run/listener");
    told(&create(&["--name", "other", "-p", "mode=host,target=80,published=8100"]), 7, &["w1", "8100/tcp is taken on this host"]);
    lab.shell("w1", "kill $(cat /run/listener)");
    lab.until_running("m1", "other", 1);
}
