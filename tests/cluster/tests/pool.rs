//! A network that has no address left: it is said, and what waits goes on as soon as something is given back.

#![expect(clippy::unwrap_used, reason = "a helper of tests: what goes wrong ends the test")]

use std::collections::BTreeSet;

use cluster_lab::Lab;

/// Addresses of the small network: the managers cut it into four blocks of two, and the services have one block.
const ADDRESSES: usize = 6;

/// What `service ps` says of the tasks of a service that wait.
fn reasons(lab: &Lab, service: &str) -> BTreeSet<String> {
    let tasks = lab.list("m1", &["service", "ps", service, "--no-trunc", "--filter", "desired-state=running"]);
    let waiting = tasks.iter().filter(|task| !task["CurrentState"].as_str().unwrap().starts_with("Running"));
    waiting.map(|task| task["Error"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_exhausted_network_is_named_and_what_waits_starts_when_addresses_are_given_back() {
    let lab = Lab::cluster(&["m1"], &["w1"]);
    lab.must("m1", &["network", "create", "--subnet", "10.130.0.0/29", "small"]);
    let create = |name: &str, replicas: usize| {
        let replicas = replicas.to_string();
        let words = ["service", "create", "--detach", "--name", name, "--replicas", &replicas, "--network", "small", "web"];
        lab.must("m1", &words);
    };
    create("first", ADDRESSES + 2);
    lab.until_running("m1", "first", ADDRESSES);
    let words = "network small (10.130.0.0/29) has no free address";
    lab.until("the reason is told", || {
        let told = reasons(&lab, "first");
        (told.len() == 1 && told.first().unwrap().contains(words)).then_some(())
    });
    // One is of the services.
    let network = lab.list("m1", &["network", "inspect", "small"]).pop().unwrap();
    assert_eq!((network["Free"].as_u64(), network["Used"].as_u64()), (Some(1), Some(7)), "{network}");

    create("second", 2);
    lab.until("the second service waits too", || reasons(&lab, "second").iter().any(|told| told.contains(words)).then_some(()));
    let refused = lab.ask("m1", &["network", "rm", "small"]);
    assert!(refused.code != 0 && refused.err.contains("first") && refused.err.contains("second"), "{}", refused.err);

    lab.must("m1", &["service", "scale", "--detach", "first=3"]);
    lab.until_running("m1", "second", 2);
    lab.until_running("m1", "first", 3);
    assert_eq!((reasons(&lab, "first"), reasons(&lab, "second")), (BTreeSet::new(), BTreeSet::new()));

    lab.must("m1", &["service", "rm", "first", "second"]);
    lab.until("nothing of it is used", || {
        let network = lab.list("m1", &["network", "inspect", "small"]).pop()?;
        (network["Used"] == 0).then_some(())
    });
    lab.must("m1", &["network", "rm", "small"]);
}
