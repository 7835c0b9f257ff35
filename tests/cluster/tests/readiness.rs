//! A container that lives but is not ready: it stays, and gets no traffic until it is.

use std::collections::BTreeSet;
use std::fs;

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
}
