//! Bad tokens, bad addresses, networks that are not fit for the cluster, leaving: clear words, and nothing half done.

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

/// A manager, and a host that is to join it. The token is the worker's.
fn manager_and_newcomer(flags: &[&str]) -> (Lab, String) {
    let mut lab = Lab::boot(&["m1", "w1"]);
    lab.start("m1");
    lab.start_with("w1", flags);
    lab.must("m1", &["init"]);
    let token = lab.must("m1", &["join-token", "worker", "-q"]).out.trim().to_owned();
    (lab, token)
}

/// The join ends with all these words, and nothing is half joined.
fn refused(lab: &Lab, token: &str, words: &[&str]) {
    let refused = lab.ask("w1", &["join", "--token", token, &lab.address("m1")]);
    for words in words {
        assert!(refused.code != 0 && refused.err.contains(words), "not `{words}`: {}{}", refused.out, refused.err);
    }
    let status = lab.must("w1", &["status"]).out;
    assert!(status.contains("cluster      none"), "half-joined: {status}");
    assert_eq!(lab.list("m1", &["node", "ls"]).len(), 1);
}

/// The join works, and tells this.
fn joins(lab: &Lab, token: &str, words: &[&str]) {
    let joined = lab.must("w1", &["join", "--token", token, &lab.address("m1")]);
    for words in words {
        assert!(joined.err.contains(words), "not `{words}`: {}", joined.err);
    }
    assert_eq!(lab.list("m1", &["node", "ls"]).len(), 2);
}

#[test]
fn a_data_port_that_is_closed_in_a_direction_keeps_a_node_out() {
    let (lab, token) = manager_and_newcomer(&[]);
    for (host, hook, words) in [
        (
            "w1",
            "input",
            ["no packet from the manager's host (10.77.0.1) arrives at UDP port 4789 of this host", "open UDP 4789 from 10.77.0.1"],
        ),
        (
            "m1",
            "input",
            ["no packet from this host (10.77.0.2) arrives at UDP port 4789 of the manager's host", "open UDP 4789 from 10.77.0.2"],
        ),
        ("w1", "output", ["this host (10.77.0.2) could not send", "open UDP 4789 from 10.77.0.2"]),
        ("m1", "output", ["the manager's host (10.77.0.1) could not send", "open UDP 4789 from 10.77.0.1"]),
    ] {
        let rules = format!(
            "nft add table ip closed; nft 'add chain ip closed c {{ type filter hook {hook} priority 0; }}'; \
             nft add rule ip closed c udp dport 4789 drop"
        );
        assert_eq!(lab.shell(host, &rules).code, 0);
        refused(&lab, &token, &["`data port` failed", words[0], words[1], "nothing was changed"]);
        assert_eq!(lab.shell(host, "nft delete table ip closed").code, 0);
    }
    joins(&lab, &token, &["10.192.0.0/10 is free here", "UDP 4789 is open both ways", "packets of 1500 bytes pass both ways"]);
}

#[test]
fn a_cable_that_drops_full_packets_keeps_a_node_out() {
    let (lab, token) = manager_and_newcomer(&[]);
    lab.narrow("w1", 1400);
    refused(&lab, &token, &["`mtu` failed", "packets of 1500 bytes from 10.77.0.1 to 10.77.0.2", "set the MTU", "nothing was changed"]);
    // The other way out: a host that knows. Its own full packets pass, but the manager's do not.
    assert_eq!(lab.shell("w1", "ip link set eth0 mtu 1400").code, 0);
    refused(&lab, &token, &["`mtu` failed", "1400 on eth0 of this host", "1500 on the manager's host", "set the same MTU"]);
    assert_eq!(lab.shell("m1", "ip link set eth0 mtu 1400").code, 0);
    joins(&lab, &token, &["packets of 1400 bytes pass both ways"]);
}

#[test]
fn addresses_or_a_port_that_are_taken_keep_a_node_out() {
    let (lab, token) = manager_and_newcomer(&[]);
    assert_eq!(lab.shell("w1", "ip route add 10.200.0.0/16 dev eth0").code, 0);
    refused(&lab, &token, &["`pool` failed", "10.192.0.0/10 overlap 10.200.0.0/16", "a route over eth0", "nothing was changed"]);
    assert_eq!(lab.shell("w1", "ip route del 10.200.0.0/16 dev eth0").code, 0);
    assert_eq!(lab.shell("w1", "ip link add other type vxlan id 9 dstport 4789 dev eth0 && ip link set other up").code, 0);
    refused(
        &lab,
        &token,
        &["`data port` failed", "UDP port 4789 of this host (10.77.0.2)", "the VXLAN device other", "nothing was changed"],
    );
    assert_eq!(lab.shell("w1", "ip link del other").code, 0);
    joins(&lab, &token, &[]);
}

#[test]
fn a_node_without_real_containers_joins_unchecked_and_is_told() {
    let (lab, token) = manager_and_newcomer(&["--runtime", "fake"]);
    joins(&lab, &token, &["not checked: this daemon runs no real containers"]);
}
