//! Jobs: work that is to end, once or by the clock, also while leaders die.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong ends the test")]

use std::collections::BTreeMap;
use std::fs;

use cluster_lab::{Chance, Lab, processes_anywhere};
use serde_json::Value;

const MANAGERS: [&str; 3] = ["m1", "m2", "m3"];

/// A directory that the containers of every host see as `/shared`: hosts of a lab have this machine's files.
struct Shared(tempfile::TempDir);

impl Shared {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn mount(&self) -> String {
        format!("type=bind,source={},target=/shared", self.0.path().display())
    }

    /// How often each line was written to a file by the containers.
    fn lines(&self, file: &str) -> BTreeMap<String, usize> {
        let mut lines = BTreeMap::new();
        for line in fs::read_to_string(self.0.path().join(file)).unwrap_or_default().lines() {
            *lines.entry(line.to_owned()).or_default() += 1;
        }
        lines
    }
}

/// `service create` of a job whose containers run a shell script.
fn job<'a>(name: &'a str, flags: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&["service", "create", "--name", name, "--entrypoint", "/bin/sh"], flags, &["web", "-c", script]].concat()
}

fn status(lab: &Lab, host: &str, name: &str) -> Option<Value> {
    Some(lab.list(host, &["service", "inspect", name]).pop()?["JobStatus"].clone())
}

#[test]
fn a_job_completes_as_often_as_asked_however_many_leaders_die() {
    let mut lab = Lab::cluster(&MANAGERS, &["w1", "w2"]);
    let shared = Shared::new();
    let (mount, mut chance) = (shared.mount(), Chance::told("how long after its beginning each leader dies"));
    let flags = ["--detach", "--mode", "replicated-job", "--replicas", "12", "--max-concurrent", "3", "--mount", &mount];
    lab.must("m1", &job("load", &[&flags[..], &["--constraint", "node.role==worker"]].concat(), "hostname >>/shared/load; sleep 1"));
    for _ in 0..2 {
        #[expect(clippy::disallowed_methods, reason = "a moment by chance, no async runtime here")]
        std::thread::sleep(std::time::Duration::from_millis(300 + chance.below(700) as u64));
        let leader = lab.leader(&MANAGERS);
        lab.kill_daemon(&leader, "KILL");
        let other = *MANAGERS.iter().find(|manager| **manager != leader).unwrap();
        lab.until("another one leads and says how the job is", || {
            let busy = lab.list(other, &["service", "ps", "load", "--filter", "desired-state=running"]);
            let running = busy.iter().filter(|task| task["CurrentState"].as_str().is_some_and(|state| state.starts_with("Running")));
            assert!(running.count() <= 3, "more at work than allowed: {busy:?}");
            status(&lab, other, "load")
        });
        lab.start(&leader);
    }
    lab.until("the job has ended", || status(&lab, "m1", "load")?["EndedAt"].as_str().map(drop));
    let wanted = (1..=12).map(|slot| (format!("load.{slot}"), 1)).collect();
    assert_eq!(shared.lines("load"), wanted, "each place ran once");
    let shown = lab.list("m1", &["service", "ls"]).pop().unwrap();
    assert!(shown["Replicas"].as_str().unwrap().contains("12/12 completed"), "{shown}");

    lab.must("m1", &["service", "restart", "load"]);
    let twice = (1..=12).map(|slot| (format!("load.{slot}"), 2)).collect();
    assert_eq!(shared.lines("load"), twice, "run again, and waited for");
    assert_eq!(status(&lab, "m1", "load").unwrap()["JobIteration"]["Index"], 2);
}

#[test]
fn jobs_fail_run_everywhere_and_by_the_clock() {
    let mut lab = Lab::cluster_beside(&["m1"], &["w1"], &["w2"]);
    let shared = Shared::new();
    let mount = shared.mount();
    let tries = ["--mode", "replicated-job", "--restart-max-attempts", "2", "--restart-delay", "100ms", "--mount", &mount];
    let failed = lab.ask("m1", &job("bad", &tries, "echo try >>/shared/bad; echo no luck; exit 3"));
    assert_eq!(failed.code, 7, "{}{}", failed.out, failed.err);
    assert!(failed.err.contains("exit code 3") && failed.err.contains("no luck"), "{}", failed.err);
    assert!(failed.err.contains("cluster service restart bad"), "{}", failed.err);
    assert_eq!(shared.lines("bad")["try"], 3, "once, and two restarts");

    lab.must("m1", &job("each", &["--mode", "global-job", "--mount", &mount], "cat /etc/hostname >>/shared/each"));
    assert_eq!(shared.lines("each").values().sum::<usize>(), 2, "one on each node");
    what_is_global_runs_on_a_node_that_joins_later(&mut lab, &shared);

    let clock = ["--mode", "replicated-job", "--schedule", "* * * * * *", "--time-zone", "Europe/Zurich", "--overlap", "forbid"];
    lab.must("m1", &job("clock", &[&clock[..], &["--mount", &mount]].concat(), "echo run >>/shared/clock; sleep 2"));
    lab.until("it ran three times by itself", || (shared.lines("clock").get("run") >= Some(&3)).then_some(()));
    let at_work = lab.running("m1", "clock").len();
    assert!(at_work <= 1, "{at_work} runs at the same time");
    lab.must("m1", &["service", "update", "--detach", "--schedule", "", "clock"]);
    a_run_is_replaced_by_the_next_one(&lab, &shared);
    let bad = lab.ask("m1", &job("never", &["--mode", "replicated-job", "--schedule", "61 * * * *"], "true"));
    assert_eq!(bad.code, 1, "{}{}", bad.out, bad.err);
    assert!(bad.err.contains("schedule.cron"), "{}", bad.err);
}

/// A service, and a run of a job that is still on; a run that is over makes no task any more.
fn what_is_global_runs_on_a_node_that_joins_later(lab: &mut Lab, shared: &Shared) {
    let (mount, script) = (shared.mount(), "hostname >>/shared/long; until test -e /shared/end; do sleep 0.1; done");
    lab.must("m1", &job("long", &["--detach", "--mode", "global-job", "--mount", &mount], script));
    lab.must("m1", &["service", "create", "--name", "always", "--mode", "global", "web"]);
    lab.until_running("m1", "long", 2);
    lab.start("w2");
    lab.import("w2");
    lab.join("m1", "worker", &["w2"]);
    let joined = |service: &str| lab.running("m1", service).iter().filter(|task| task["Node"] == "w2").count();
    lab.until("both run on the new node", || (joined("long") == 1 && joined("always") == 1).then_some(()));
    fs::write(shared.0.path().join("end"), "").unwrap();
    let ended = lab.until("the run is over", || status(lab, "m1", "long").filter(|status| status["EndedAt"].is_string()));
    let shown = lab.list("m1", &["service", "ls", "--filter", "name=long"]).pop().unwrap();
    assert!(shown["Replicas"].as_str().unwrap().contains("3/3 completed"), "{shown} {ended}");
    let counts = ["long", "each"].map(|file| shared.lines(file).values().sum::<usize>());
    assert_eq!((counts, lab.running("m1", "always").len()), ([3, 2], 3), "no other node did it again");
}

/// Each second a run is due, and none ends by itself.
fn a_run_is_replaced_by_the_next_one(lab: &Lab, shared: &Shared) {
    let mount = shared.mount();
    let clock =
        ["--mode", "replicated-job", "--schedule", "* * * * * *", "--overlap", "replace", "--stop-signal", "KILL", "--mount", &mount];
    let mark = shared.0.path().display().to_string();
    let script = format!("echo begun >>/shared/again; sleep 1000; echo done >>/shared/again # {mark}");
    lab.must("m1", &job("again", &clock, &script));
    let mut most = 0;
    lab.until("it began three times", || {
        let at_work = processes_anywhere(&mark);
        assert!(at_work <= 1, "{at_work} runs at the same time");
        most = at_work.max(most);
        (shared.lines("again").get("begun") >= Some(&3)).then_some(())
    });
    assert_eq!(most, 1, "a run was seen at work");
    let status = status(lab, "m1", "again").unwrap();
    let replaced = status["Runs"].as_array().unwrap().iter().filter(|run| run["Outcome"] == "replaced").count();
    assert!(replaced >= 2 && shared.lines("again").len() == 1, "{status} {:?}", shared.lines("again"));
}
