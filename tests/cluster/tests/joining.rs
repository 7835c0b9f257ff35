//! Bad tokens, bad addresses, leaving: clear words, and nothing half done.

use cluster_lab::Lab;

#[test]
fn a_wrong_token_or_address_joins_nothing_and_says_why() {
    let mut lab = Lab::boot(&["m1", "other", "w1"]);
    for host in ["m1", "other", "w1"] {
        lab.start(host);
    }
    lab.must("m1", &["init"]);
    lab.must("other", &["init"]);
    let address = lab.address("m1");
    let token = lab.must("m1", &["join-token", "worker", "-q"]).out.trim().to_owned();
    let foreign = lab.must("other", &["join-token", "worker", "-q"]).out.trim().to_owned();
    let mut wrong = token.clone();
    wrong.replace_range(token.len() - 4.., "0000");
    lab.must("m1", &["join-token", "worker", "--rotate", "-q"]);
    for (given, at, words) in [
        ("nonsense", address.as_str(), "not a join token"),
        (foreign.as_str(), address.as_str(), "cluster"),
        (wrong.as_str(), address.as_str(), "token"),
        (token.as_str(), address.as_str(), "token"),
        (token.as_str(), "10.77.0.99:4740", "10.77.0.99:4740"),
    ] {
        let refused = lab.ask("w1", &["join", "--token", given, at]);
        assert!(refused.code != 0 && refused.err.contains(words), "{given} at {at}: {}{}", refused.out, refused.err);
        let status = lab.must("w1", &["status"]).out;
        assert!(status.contains("cluster      none"), "half-joined: {status}");
    }
    assert_eq!(lab.list("m1", &["node", "ls"]).len(), 1);
}

#[test]
fn a_worker_leaves_and_joins_again_and_a_manager_is_promoted_and_demoted() {
    let lab = Lab::cluster(&["m1"], &["w1"]);
    lab.must("w1", &["leave"]);
    assert_eq!(lab.list("m1", &["node", "ls"]).len(), 1);
    let token = lab.must("m1", &["join-token", "worker", "-q"]).out.trim().to_owned();
    lab.must("w1", &["join", "--token", &token, &lab.address("m1")]);
    assert_eq!(lab.list("m1", &["node", "ls"]).len(), 2);

    lab.must("m1", &["node", "promote", "w1"]);
    lab.until("w1 answers as a manager", || (lab.list("w1", &["node", "ls"]).len() == 2).then_some(()));
    lab.must("m1", &["node", "demote", "w1"]);
    lab.until("w1 is a worker again", || lab.ask("w1", &["node", "ls"]).err.contains("manager").then_some(()));
    lab.must("m1", &["service", "create", "--name", "web", "--mode", "global", "web"]);
    assert_eq!(lab.running("m1", "web").len(), 2);
}
