//! Where tasks may run, what moves them, and what is said when they cannot.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong ends the test")]

use std::collections::BTreeSet;

use cluster_lab::{Answer, Lab, serving};

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
