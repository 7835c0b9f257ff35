//! Disks that fill up, logs that are torn or damaged: nothing is lost, and what goes on by itself does.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong ends the test")]

use std::fs;
use std::path::PathBuf;

use cluster_lab::{Answer, Lab};

/// A write that fills the log quickly.
fn big_write(lab: &Lab, host: &str, round: usize) -> Answer {
    let ballast = format!("B={round}{}", "x".repeat(100_000));
    lab.ask(host, &["service", "update", "--detach", "--env-add", &ballast, "idle"])
}

fn fill(lab: &Lab, host: &str) {
    lab.shell(host, "dd if=/dev/zero of=/var/lib/cluster/ballast bs=64k 2>/dev/null");
}

/// The segments of a manager's log, in order.
fn segments(lab: &Lab, host: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(lab.disk(host).join("raft")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ending| ending == "log")).collect();
    segments.sort();
    segments
}

fn services(lab: &Lab, host: &str) -> Option<usize> {
    let services = lab.ask(host, &["service", "ls", "--format", "json"]);
    (services.code == 0 && services.err.is_empty()).then(|| services.out.lines().count())
}

#[test]
fn a_manager_with_a_full_disk_refuses_writes_and_goes_on_when_there_is_room() {
    let mut lab = Lab::boot(&["m1"]);
    lab.shell("m1", "mount -t tmpfs -o size=64m tmpfs /var/lib/cluster");
    lab.start("m1");
    lab.form(&["m1"], &[]);
    lab.import("m1");
    lab.must("m1", &["service", "create", "--name", "web", "web"]);
    lab.must("m1", &["service", "create", "--name", "idle", "--replicas", "0", "web"]);
    fill(&lab, "m1");
    let mut round = 0;
    let refused = lab.until("a write is refused", || {
        round += 1;
        Some(big_write(&lab, "m1", round)).filter(|answer| answer.code != 0)
    });
    assert_eq!(refused.code, 75);
    assert!(refused.err.contains("disk") && refused.err.contains("full"), "{}{}", refused.out, refused.err);
    assert_eq!(lab.running("m1", "web").len(), 1, "what runs goes on");
    lab.kill_daemon("m1", "KILL");
    lab.start("m1");
    let still = big_write(&lab, "m1", round);
    assert!(still.code != 0 && still.err.contains("full"), "{} {}", still.code, still.err);
    lab.shell("m1", "rm /var/lib/cluster/ballast");
    lab.until("writes are taken again", || (big_write(&lab, "m1", round).code == 0).then_some(()));
    lab.must("m1", &["service", "scale", "web=2"]);
}

#[test]
fn a_leader_with_a_full_disk_gives_way_to_another_manager() {
    let managers = ["m1", "m2", "m3"];
    let mut lab = Lab::boot(&managers);
    lab.shell("m1", "mount -t tmpfs -o size=64m tmpfs /var/lib/cluster");
    for manager in managers {
        lab.start(manager);
    }
    lab.form(&managers, &[]);
    lab.must("m1", &["service", "create", "--name", "idle", "--replicas", "0", "web"]);
    fill(&lab, "m1");
    let mut round = 0;
    let leader = lab.until("another manager leads", || {
        round += 1;
        big_write(&lab, "m2", round);
        Some(lab.leader(&["m2", "m3"])).filter(|leader| leader != "m1")
    });
    lab.until(&format!("{leader} takes writes"), || (big_write(&lab, "m2", round).code == 0).then_some(()));
    lab.shell("m1", "rm /var/lib/cluster/ballast");
    lab.must("m2", &["service", "create", "--detach", "--name", "after", "--replicas", "0", "web"]);
    lab.kill_daemon(&leader, "KILL");
    lab.until("m1 follows again and has all", || (services(&lab, "m1") == Some(2)).then_some(()));
}

#[test]
fn a_torn_tail_is_dropped_and_a_damaged_record_stops_only_that_manager() {
    let managers = ["m1", "m2", "m3"];
    let mut lab = Lab::boot(&managers);
    for manager in managers {
        lab.start(manager);
    }
    lab.form(&managers, &[]);
    let create = |lab: &Lab, name: &str| {
        lab.must("m1", &["service", "create", "--detach", "--name", name, "--replicas", "0", "web"]);
    };
    (0..5).for_each(|number| create(&lab, &format!("s{number}")));

    lab.kill_daemon("m3", "KILL");
    let newest = segments(&lab, "m3").pop().unwrap();
    let bytes = fs::read(&newest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    fs::OpenOptions::new().write(true).open(&newest).unwrap().set_len(end as u64 - 3).unwrap();
    create(&lab, "while-away");
    lab.start("m3");
    lab.until("m3 has caught up", || (services(&lab, "m3") == Some(6)).then_some(()));

    // The segment that was cut short is closed, and goes if a snapshot covers all of it (a manager that joined late was sent one): what is
    // damaged is in the oldest that is left, with good records after it.
    (0..5).for_each(|number| create(&lab, &format!("t{number}")));
    lab.until("m3 has those too", || (services(&lab, "m3") == Some(11)).then_some(()));
    lab.kill_daemon("m3", "KILL");
    let oldest = segments(&lab, "m3").remove(0);
    let mut bytes = fs::read(&oldest).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end / 2] ^= 1;
    fs::write(&oldest, &bytes).unwrap();
    let log = lab.daemon_fails("m3");
    assert!(log.contains("damaged") || log.contains("checksum"), "{log}");
    create(&lab, "without-m3");
    assert_eq!(services(&lab, "m1"), Some(12));
}
