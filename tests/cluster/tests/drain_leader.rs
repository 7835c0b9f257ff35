//! A service shrinks while its leader is killed: the next leader does not know which hosts have heard of what, and must not stop a task
//! before all have, nor wait for ever. Clients that count every request go on all the while.

#![expect(clippy::print_stderr, reason = "the figures are the point")]

use std::time::Duration;

use cluster_lab::traffic::{self, answered};
use cluster_lab::{Chance, Lab, processes};

const MANAGERS: [&str; 3] = ["m1", "m2", "m3"];
const ALL: [&str; 4] = ["m1", "m2", "m3", "w1"];
const ROUNDS: usize = 3;

#[test]
fn no_request_is_lost_when_the_leader_dies_while_tasks_are_drained() {
    let mut lab = Lab::cluster_beside(&MANAGERS, &["w1"], &["client"]);
    lab.import_echo(&ALL);
    let mut chance = Chance::told("the moment of the kill");
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "10", "--publish", "8080:80", "echo"]);
    for host in ALL {
        let to = format!("{}:8080", lab.ip(host));
        lab.until("every host answers", || (answered(&traffic::load(&lab, "client", &to, 5, "new")) == 5).then_some(()));
    }
    for round in 0..ROUNDS {
        let leader = lab.leader(&MANAGERS);
        let others: Vec<&str> = ALL.into_iter().filter(|host| *host != leader).collect();
        lab.must(others[0], &["service", "scale", "web=10"]);
        let loads = [("keep", others[1]), ("new", others[2]), ("new", leader.as_str())]
            .map(|(way, host)| traffic::begin(&lab, "client", &format!("{}:8080", lab.ip(host)), way, "5"));
        lab.must(others[0], &["service", "scale", "--detach", "web=3"]);
        let pause = Duration::from_millis(chance.below(120) as u64);
        #[expect(clippy::disallowed_methods, reason = "no async runtime here")]
        std::thread::sleep(pause);
        lab.kill_daemon(&leader, "KILL");
        lab.until("three tasks are left", || (lab.running(others[0], "web").len() == 3).then_some(()));
        for load in loads {
            let answers = traffic::ended(load);
            eprintln!("round {round}, leader killed after {pause:?}: {} requests, {} failed", answers["requests"], answers["failed"]);
            assert_eq!(answers["failed"], 0, "{answers}\n{}", lab.logs());
        }
        lab.start(&leader);
        lab.until("the killed one is back, and its tasks that are to go are gone", || {
            let nodes = lab.list(others[0], &["node", "ls"]);
            let ready = nodes.len() == ALL.len() && nodes.iter().all(|node| node["Status"] == "Ready");
            let left: usize = ALL.iter().map(|host| processes(&lab, host, "/bin/echo")).sum();
            (ready && left == 3).then_some(())
        });
    }
}
