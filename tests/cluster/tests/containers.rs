//! Containers that crash, eat too much or will not stop, and what is shown of them.

use std::time::Instant;

use cluster_lab::Lab;
use serde_json::Value;

fn shell_service(lab: &Lab, name: &str, flags: &[&str], script: &str) {
    let words = [&["service", "create", "--detach", "--name", name, "--entrypoint", "/bin/sh"], flags, &["web", "-c", script]].concat();
    lab.must("m1", &words);
}

/// Ended tasks of a service, the newest first.
fn ended(lab: &Lab, service: &str) -> Vec<Value> {
    lab.list("m1", &["service", "ps", service, "--no-trunc", "--filter", "desired-state=shutdown"])
}

#[test]
fn a_crash_shows_its_exit_code_and_loops_ever_more_slowly() {
    let lab = Lab::cluster(&["m1"], &[]);
    shell_service(&lab, "crash", &["--restart-delay", "1s"], "exit 7");
    shell_service(&lab, "hungry", &["--limit-memory", "8M"], "x=aaaaaaaa; while :; do x=$x$x; done");
    shell_service(&lab, "none", &["--restart-condition", "none"], "exit 3");
    lab.must("m1", &["service", "create", "--detach", "--name", "nowhere", "--restart-delay", "1s", "10.77.0.1:5000/none:1"]);
    let began = Instant::now();
    for (service, words) in [("crash", "exit code 7"), ("hungry", "OOMKilled"), ("none", "exit code 3"), ("nowhere", "cannot be reached")] {
        let shown = |task: &Value| task["Error"].as_str().is_some_and(|error| error.contains(words));
        lab.until(&format!("{service} shows `{words}`"), || {
            let all = lab.list("m1", &["service", "ps", service, "--no-trunc"]);
            all.iter().any(shown).then_some(())
        });
    }
    for service in ["crash", "nowhere"] {
        lab.until(&format!("{service} was tried three times"), || (ended(&lab, service).len() >= 3).then_some(()));
        let (tries, seconds) = (ended(&lab, service).len(), began.elapsed().as_secs());
        // 1, 2, 4 … s between them.
        assert!(tries <= 2 + usize::try_from(seconds.ilog2()).unwrap() + 1, "{service}: {tries} tries in {seconds} s");
    }
    assert_eq!(lab.list("m1", &["service", "ps", "none"]).len(), 1, "no restart was wanted");
}

#[test]
fn a_container_has_its_time_to_stop_and_no_more() {
    let lab = Lab::cluster(&["m1"], &[]);
    shell_service(&lab, "polite", &["--stop-grace-period", "20s"], "trap 'sleep 1; echo bye; exit 0' TERM; while :; do sleep 0.1; done");
    shell_service(&lab, "deaf", &["--stop-grace-period", "1s"], "trap '' TERM; echo deaf; while :; do sleep 0.1; done");
    for service in ["polite", "deaf"] {
        lab.until_running("m1", service, 1);
        // The trap is set when the shell gets there.
        lab.until("it waits", || (lab.shell("m1", "pgrep -c sleep").out.trim() >= "1").then_some(()));
    }
    lab.must("m1", &["service", "scale", "polite=0", "deaf=0"]);
    let state = |service: &str| ended(&lab, service).first().map(|task| task["CurrentState"].as_str().unwrap_or_default().to_owned());
    lab.until("both are gone", || {
        let gone = ["polite", "deaf"].iter().all(|service| state(service).is_none_or(|state| state.starts_with("Shutdown")));
        gone.then_some(())
    });
}
