//! Cables pulled, hosts removed, certificates that end: who goes on, who stops, who comes back.

use std::io::{BufRead, BufReader};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cluster_lab::{Lab, containers, serving};

const MANAGERS: [&str; 3] = ["m1", "m2", "m3"];

fn node_status(lab: &Lab, asked: &str, host: &str) -> Option<String> {
    let nodes = lab.list(asked, &["node", "ls"]);
    let node = nodes.into_iter().find(|node| node["Hostname"] == host)?;
    node["Status"].as_str().map(str::to_owned)
}

fn until_status(lab: &Lab, asked: &str, host: &str, wanted: &str) {
    lab.until(&format!("{host} is {wanted}"), || (node_status(lab, asked, host)? == wanted).then_some(()));
}

#[test]
fn without_the_leaders_cable_another_leads_and_nobody_elses_containers_are_touched() {
    let lab = Lab::cluster(&MANAGERS, &["w1"]);
    let leader = lab.leader(&MANAGERS);
    let others: Vec<&str> = MANAGERS.into_iter().filter(|manager| *manager != leader).collect();
    lab.must(others[0], &["service", "create", "--name", "web", "--mode", "global", "web"]);
    let before = containers(&lab, others[0], "web");
    assert_eq!(before.len(), 4);
    lab.unplug(&leader);
    let next = lab.until("another manager leads", || Some(lab.leader(&others)).filter(|next| *next != leader));
    until_status(&lab, &next, &leader, "Down");
    for host in others.iter().copied().chain(["w1"]) {
        until_status(&lab, &next, host, "Ready");
    }
    let kept = containers(&lab, &next, "web");
    assert!(kept.is_subset(&before) && kept.len() >= 3, "{before:?} {kept:?}");
    lab.must(&next, &["service", "create", "--detach", "--name", "meanwhile", "--replicas", "0", "web"]);
    let alone = lab.ask(&leader, &["service", "create", "--detach", "--name", "alone", "--replicas", "0", "web"]);
    assert_eq!(alone.code, 75, "{}{}", alone.out, alone.err);

    lab.plug(&leader);
    until_status(&lab, &next, &leader, "Ready");
    lab.until("the old leader has what was written meanwhile", || {
        let services = lab.list(&leader, &["service", "ls"]);
        (services.len() == 2 && services.iter().all(|service| service["Name"] != "alone")).then_some(())
    });
    lab.until_running(&next, "web", 4);
}

#[test]
fn a_worker_that_was_cut_off_gives_up_the_tasks_that_run_elsewhere() {
    let lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "4", "--constraint", "node.role==worker", "web"]);
    assert_eq!(serving(&lab, "w1"), 2);
    lab.unplug("w1");
    lab.until("all run on w2", || (lab.running("m1", "web").iter().filter(|task| task["Node"] == "w2").count() == 4).then_some(()));
    assert_eq!(serving(&lab, "w1"), 2, "a node that hears nothing keeps its containers");
    lab.plug("w1");
    until_status(&lab, "m1", "w1", "Ready");
    lab.until("w1 has stopped what runs elsewhere", || (serving(&lab, "w1") == 0).then_some(()));
    assert_eq!((lab.running("m1", "web").len(), serving(&lab, "w2")), (4, 4));
}

#[test]
fn a_removed_node_stops_its_tasks_and_cannot_come_back() {
    let mut lab = Lab::cluster(&MANAGERS, &["w1"]);
    lab.must("m1", &["service", "create", "--name", "web", "--mode", "global", "web"]);
    let up = lab.ask("m1", &["node", "rm", "w1"]);
    assert!(up.code == 1 && up.err.contains("--force"), "{}", up.err);
    lab.must("m1", &["node", "rm", "--force", "w1"]);
    lab.until("w1 runs nothing", || (serving(&lab, "w1") == 0).then_some(()));
    lab.kill_daemon("w1", "KILL");
    lab.start("w1");
    lab.until("w1 says why it has no session", || lab.must("w1", &["status"]).out.contains("removed").then_some(()));
    assert_eq!((lab.list("m1", &["node", "ls"]).len(), lab.running("m1", "web").len(), serving(&lab, "w1")), (3, 3, 0));
}

#[test]
fn certificates_of_short_life_are_renewed_and_the_work_goes_on() {
    let mut lab = Lab::boot(&["m1", "m2", "m3", "w1"]);
    for host in ["m1", "m2", "m3", "w1"] {
        lab.start_with(host, &["--certificate-seconds", "12"]);
    }
    lab.form(&MANAGERS, &["w1"]);
    lab.import("w1");
    lab.must("m1", &["service", "create", "--name", "web", "--replicas", "2", "--constraint", "node.role==worker", "web"]);
    let before = containers(&lab, "m1", "web");
    let end = |host: &str| lab.must(host, &["status"]).out.lines().find(|line| line.starts_with("certificate")).map(str::to_owned);
    let moment = |host: &str| end(host).and_then(|line| line.split(" on ").nth(1).map(str::to_owned));
    for host in ["m1", "m2", "m3", "w1"] {
        let mut seen = std::collections::BTreeSet::new();
        lab.until(&format!("{host} has had three certificates"), || {
            seen.extend(moment(host));
            (seen.len() >= 3).then_some(())
        });
    }
    assert_eq!(containers(&lab, "m1", "web"), before);
    lab.must("m2", &["service", "scale", "web=3"]);
    lab.until("all nodes are ready", || (lab.list("m3", &["node", "ls"]).iter().all(|node| node["Status"] == "Ready")).then_some(()));
}

#[test]
fn logs_name_a_host_that_is_off_and_follow_a_task_that_is_replaced() {
    let mut lab = Lab::cluster(&["m1"], &["w1", "w2"]);
    let script = "echo begins; while :; do sleep 0.2; done";
    let words = ["service", "create", "--name", "say", "--mode", "global", "--entrypoint", "/bin/sh", "web", "-c", script];
    lab.must("m1", &words);
    let all = || lab.must("m1", &["service", "logs", "say"]).out.lines().count();
    lab.until("all three have spoken", || (all() == 3).then_some(()));
    let mut follow = lab.spawn("m1", &["service", "logs", "-f", "say"]);
    lab.must("m1", &["service", "update", "--force", "--stop-grace-period", "100ms", "say"]);
    lab.until("three tasks have begun again", || (all() == 6).then_some(()));
    let lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let (line, followed) = mpsc::channel();
    // It ends with the host: killing `follow` reaches only what entered the host.
    thread::spawn(move || lines.map_while(Result::ok).for_each(|text| line.send(text).unwrap_or_default()));
    let followed: Vec<String> = (0..6).map(|_| followed.recv_timeout(Duration::from_secs(30)).expect("a line")).collect();
    assert!(followed.iter().all(|line| line.ends_with("| begins")), "{followed:?}");
    follow.kill().unwrap();
    follow.wait().unwrap();
    lab.power_off("w2");
    let logs = lab.ask("m1", &["service", "logs", "say"]);
    assert!(logs.out.contains("@m1") && logs.out.contains("@w1") && !logs.out.contains("@w2"), "{}", logs.out);
    assert!(logs.err.contains("w2"), "{}", logs.err);
}

#[test]
fn a_host_that_boots_again_has_no_leftovers_of_before() {
    let mut lab = Lab::cluster(&["m1"], &["w1"]);
    let create = ["service", "create", "--name", "web", "--replicas", "3", "--constraint", "node.role==worker", "web"];
    lab.must("m1", &create);
    let left = |lab: &Lab| {
        let count = |command: &str| lab.shell("w1", &format!("{command} | wc -l")).out.trim().parse::<usize>().unwrap();
        [count("grep overlay /proc/self/mounts"), count("find /sys/fs/cgroup/pids -mindepth 2 -type d"), serving(lab, "w1")]
    };
    let before = left(&lab);
    lab.power_off("w1");
    lab.power_on("w1");
    lab.until_running("m1", "web", 3);
    // The records, and the empty cgroups, of what ended with the power stay as long as their tasks are shown.
    lab.until("no more runs than before", || (left(&lab)[2] == before[2]).then_some(()));
    lab.must("m1", &["service", "rm", "web"]);
    lab.until("nothing", || (left(&lab) == [0; 3]).then_some(()));
}
