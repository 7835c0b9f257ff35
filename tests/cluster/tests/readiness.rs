//! A container that lives but is not ready stays, and gets no traffic until it is; one that no longer lives is replaced.

#![expect(clippy::unwrap_used, reason = "a helper of tests: what goes wrong ends the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cluster_lab::{Lab, containers};

#[test]
fn what_is_not_ready_is_kept_and_gets_no_traffic() {
    let lab = Lab::cluster(&["m1"], &["w1"]);
    // A container is not ready while a file has its name; hosts of a lab have this machine's files.
    let busy = tempfile::tempdir().unwrap();
    fs::write(busy.path().join("web.1"), "").unwrap();
    fs::write(busy.path().join("web.2"), "").unwrap();
    let mount = format!("type=bind,source={},target=/busy", busy.path().display());
    let probe = ["--readiness-cmd", "test ! -e /busy/$(hostname)", "--readiness-interval", "200ms", "--readiness-retries", "1"];
    let service = ["service", "create", "--name", "web", "--replicas", "2", "--publish", "8080:80", "--mount", &mount];
    let waited = lab.ask("m1", &[&service[..], &probe, &["--timeout", "3s", "web"]].concat());
    assert_eq!(waited.code, 9, "{}{}", waited.out, waited.err);
    assert!(waited.err.contains("not ready"), "{}", waited.err);
    lab.until_running("m1", "web", 2);
    let first = containers(&lab, "m1", "web");

    // Eight connections to each host; which container answered.
    let ask = "for i in 1 2 3 4 5 6 7 8; do curl -s -m 5 http://127.0.0.1:8080/ | grep container; done";
    let answering = || -> BTreeSet<String> {
        let lines = [lab.ip("m1"), lab.ip("w1")].map(|ip| lab.shell("m1", &ask.replace("127.0.0.1", &ip)).out);
        lines.iter().flat_map(|out| out.lines()).map(ToOwned::to_owned).collect()
    };
    let names = |names: &[&str]| names.iter().map(|name| format!("container {name}")).collect::<BTreeSet<_>>();
    assert_eq!(answering(), names(&[]), "nobody is ready");
    let free = |name: &str| fs::remove_file(busy.path().join(name)).unwrap();
    free("web.2");
    lab.until("the one that is ready answers", || (answering() == names(&["web.2"])).then_some(()));
    free("web.1");
    lab.until("both answer", || (answering() == names(&["web.1", "web.2"])).then_some(()));
    fs::write(busy.path().join("web.2"), "").unwrap();
    lab.until("the one that is busy gets nothing", || (answering() == names(&["web.1"])).then_some(()));
    assert_eq!(containers(&lab, "m1", "web"), first, "no container was replaced for it");
    what_fails_its_health_check_is_replaced(&lab, busy.path(), &mount);
}

/// The check is the flag's: the image has none. A task fails it while a file has its name.
fn what_fails_its_health_check_is_replaced(lab: &Lab, busy: &Path, mount: &str) {
    let check = "test ! -e /busy/$(hostname) || { echo what it does; echo too busy to live; exit 1; }";
    let flags =
        ["--health-cmd", check, "--health-interval", "200ms", "--health-retries", "2", "--restart-delay", "100ms", "--mount", mount];
    lab.must("m1", &[&["service", "create", "--name", "live", "--replicas", "2"], &flags[..], &["web"]].concat());
    let tasks = || lab.list("m1", &["service", "ps", "live", "--no-trunc"]);
    assert!(tasks().len() == 2 && tasks().iter().all(|task| task["Health"] == "healthy"), "the command waited for it: {:?}", tasks());
    let first = containers(lab, "m1", "live");

    fs::write(busy.join("live.1"), "").unwrap();
    let failed = lab.until("the task that fails its check is stopped", || {
        tasks().into_iter().find(|task| task["Name"] == "live.1" && task["Error"] == "unhealthy: too busy to live")
    });
    fs::remove_file(busy.join("live.1")).unwrap();
    let said = lab.must("m1", &["service", "ps", "live", "--no-trunc"]).out;
    assert!(said.contains("    | what it does\n    | too busy to live\n"), "{said}");
    let inspected = lab.list("m1", &["service", "inspect", failed["ID"].as_str().unwrap()]).pop().unwrap();
    assert_eq!(inspected["Status"]["Health"]["Output"], "what it does\ntoo busy to live\n", "{inspected}");
    lab.until("another one is healthy in its place", || {
        let running = lab.running("m1", "live");
        (running.len() == 2 && running.iter().all(|task| task["Health"] == "healthy")).then_some(())
    });
    assert_eq!(containers(lab, "m1", "live").intersection(&first).count(), 1, "the other one was left alone");
}
