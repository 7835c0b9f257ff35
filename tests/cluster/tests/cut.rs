//! A host's cable is cut while clients ask another host: which requests fail, and until when. Counted request by request.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests: what goes wrong ends the test; the figures are the point")]

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use cluster_lab::Lab;
use cluster_lab::traffic::{answered, begin, begin_at_rate, ended, load};
use serde_json::{Value, json};

const ALL: [&str; 4] = ["m1", "w1", "w2", "w3"];
/// The host whose cable is cut.
const CUT: &str = "w2";

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap()
}

/// The addresses of a service's tasks on a host.
fn addresses_on(lab: &Lab, host: &str) -> BTreeSet<String> {
    let tasks = lab.must("m1", &["service", "ps", "web", "-q", "--no-trunc", "--filter", "desired-state=running"]);
    let tasks: Vec<&str> = tasks.out.split_whitespace().collect();
    let inspected = lab.list("m1", &[&["service", "inspect"], tasks.as_slice()].concat());
    let there = inspected.iter().filter(|task| task["NodeHostname"] == host);
    there.filter_map(|task| Some(task["NetworksAttachments"][0]["Addresses"][0].as_str()?.split('/').next()?.to_owned())).collect()
}

/// When requests were asked that failed, beside the container that should have answered where that is known.
fn failures(answers: &Value) -> Vec<(u64, String)> {
    let failures = answers["failures"].as_array().unwrap();
    failures
        .iter()
        .map(|failure| (failure["asked_ms"].as_u64().unwrap(), failure["container"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// One line about the requests of a client.
fn report(what: &str, answers: &Value, cut: u64, gone: u64) {
    let last = failures(answers).iter().map(|(asked, _)| *asked).max().map(|asked| asked.saturating_sub(cut));
    let errors: BTreeSet<&str> = answers["failures"].as_array().unwrap().iter().filter_map(|failure| failure["error"].as_str()).collect();
    let line = json!({
        "what": format!("cable of one host of four cut: {what}"), "requests": answers["requests"], "failed": answers["failed"],
        "last_failing_was_asked_ms_after_the_cut": last, "out_of_the_rules_ms_after_the_cut": gone - cut, "errors": errors,
        "load": std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next(),
    });
    eprintln!("{line}");
}

#[test]
fn a_cut_cable_costs_only_requests_to_that_host_and_only_until_it_is_noticed() {
    let lab = Lab::cluster_beside(&["m1"], &["w1", "w2", "w3"], &["client"]);
    lab.import_echo(&ALL);
    // One for each host: nothing is started elsewhere when a host is away, so that only the cut itself is counted.
    lab.must("m1", &["service", "create", "--name", "web", "--mode", "global", "--publish", "8080:80", "echo"]);
    let to = format!("{}:8080", lab.ip("m1"));
    lab.until("m1 answers for all", || (load(&lab, "client", &to, 8, "new")["containers"].as_object().unwrap().len() == 4).then_some(()));
    let theirs = addresses_on(&lab, CUT);
    assert_eq!(theirs.len(), 1);
    let names: BTreeSet<String> = lab.running("m1", "web").iter().filter(|task| task["Node"] == CUT).map(name).collect();
    let clients = [begin(&lab, "client", &to, "keep", "5"), begin_at_rate(&lab, "client", &to, "new", 100)];
    pause(Duration::from_secs(1));

    lab.unplug(CUT);
    let cut = unix_ms();
    let known = || lab.shell("m1", "nft list ruleset").out;
    lab.until("m1 leads nobody there any more", || (!theirs.iter().any(|address| leads_to(&known(), address))).then_some(()));
    let gone = unix_ms();
    pause(Duration::from_secs(3));
    let [keep, new] = clients.map(ended);
    lab.plug(CUT);

    for (what, answers) in [("connections that stay", &keep), ("a connection each", &new)] {
        report(what, answers, cut, gone);
        let wrong: Vec<_> = failures(answers).into_iter().filter(|(asked, _)| *asked < cut.saturating_sub(5000) || *asked > gone).collect();
        assert!(wrong.is_empty(), "asked when it was noticed already (cut at {cut}, gone at {gone}): {wrong:?}");
    }
    let others: Vec<_> = failures(&keep).into_iter().filter(|(_, container)| !container.is_empty() && !names.contains(container)).collect();
    assert!(others.is_empty(), "connections to other hosts broke: {others:?}");
    assert!(!failures(&new).is_empty(), "nothing was cut");
    assert!(answered(&new) > 100, "{new}");
    lab.until("it is back", || (load(&lab, "client", &to, 8, "new")["containers"].as_object().unwrap().len() == 4).then_some(()));
}

/// Whether a rule of a service or a port leads to an address.
fn leads_to(rules: &str, address: &str) -> bool {
    rules.lines().any(|line| line.contains("dnat") && line.split([' ', ':']).any(|word| word == address))
}

/// The host name in a task's container, as the image `echo` says it.
fn name(task: &Value) -> String {
    task["Name"].as_str().unwrap().to_owned()
}

fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "no async runtime here")]
    std::thread::sleep(time);
}
