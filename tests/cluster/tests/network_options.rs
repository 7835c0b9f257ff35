//! What users may ask of the network, one thing after the other on three real hosts: which replica a client reaches, what names stand for,
//! all forms of published ports, ports that are taken, networks without a way out, and services that change their networks.

#![expect(clippy::unwrap_used, reason = "helpers of tests: what goes wrong ends the test")]

use std::collections::BTreeSet;

use cluster_lab::Lab;
use cluster_lab::traffic::{addresses, answered, answerers, answering, end_serving, inside, load, load_within, serve, within};
use serde_json::Value;

const HOSTS: [&str; 3] = ["m1", "w1", "w2"];

/// A service of the image `echo`, with flags, and arguments of its command.
fn create(lab: &Lab, name: &str, flags: &[&str], arguments: &[&str]) {
    lab.must("m1", &[&["service", "create", "--name", name], flags, &["echo"], arguments].concat());
}

fn inspect(lab: &Lab, service: &str) -> Value {
    lab.list("m1", &["service", "inspect", service]).pop().unwrap()
}

/// `address:port` of a host.
fn at(lab: &Lab, host: &str, port: u16) -> String {
    format!("{}:{port}", lab.ip(host))
}

/// Waits until every host answers a client at a port.
fn until_open(lab: &Lab, port: u16, way: &str) {
    for host in HOSTS {
        let to = at(lab, host, port);
        lab.until(&format!("{to} answers over {way}"), || (answered(&load(lab, "client", &to, 1, way)) == 1).then_some(()));
    }
}

#[test]
fn all_that_users_may_ask_of_the_network() {
    let lab = Lab::cluster_beside(&["m1"], &["w1", "w2"], &["client", "far"]);
    lab.import_echo(&HOSTS);
    create(&lab, "probe", &["--mode", "global"], &[]);
    each_client_keeps_its_replica(&lab);
    names_stand_for_what_was_asked(&lab);
    ports_of_every_form_answer_on_every_host(&lab);
    a_port_of_another_service_is_refused(&lab);
    a_port_of_a_hosts_own_program_stays_its_own(&lab);
    services_change_their_networks(&lab);
    an_internal_network_has_no_way_out(&lab);
}

/// `--endpoint-affinity client-ip`: through any host's port, and through the service's address.
fn each_client_keeps_its_replica(lab: &Lab) {
    create(lab, "sticky", &["--replicas", "4", "--publish", "8081:80", "--endpoint-affinity", "client-ip"], &[]);
    until_open(lab, 8081, "new");
    for client in ["client", "far"] {
        let met: BTreeSet<String> = HOSTS.iter().flat_map(|host| answerers(&load(lab, client, &at(lab, host, 8081), 20, "new"))).collect();
        assert_eq!(met.len(), 1, "{client} is led to one replica by every host: {met:?}");
    }
    for probe in inside(lab, "m1", "probe") {
        let vip = addresses(lab, &probe, "sticky").pop_first().unwrap();
        let answers = load_within(lab, &probe, &format!("{vip}:80"), 20, "new");
        assert_eq!((answered(&answers), answerers(&answers).len()), (20, 1), "{probe:?}: {answers}");
    }
    lab.must("m1", &["service", "update", "--endpoint-affinity", "none", "sticky"]);
    lab.until("a client meets all replicas", || {
        (answerers(&load(lab, "client", &at(lab, "w1", 8081), 20, "new")).len() == 4).then_some(())
    });
}

/// `--endpoint-mode dnsrr`, aliases, and names of single tasks.
fn names_stand_for_what_was_asked(lab: &Lab) {
    lab.must("m1", &["network", "create", "back"]);
    create(lab, "rotated", &["--replicas", "3", "--endpoint-mode", "dnsrr"], &[]);
    create(lab, "store", &["--replicas", "2", "--network", "name=back,alias=db,alias=postgres"], &[]);
    create(lab, "user", &["--mode", "global", "--network", "back"], &[]);
    let endpoint = inspect(lab, "rotated")["Endpoint"].clone();
    assert!(endpoint["VirtualIPs"].is_null(), "{endpoint}");
    for probe in inside(lab, "m1", "probe") {
        let tasks = addresses(lab, &probe, "tasks.rotated");
        assert_eq!((tasks.len(), addresses(lab, &probe, "rotated")), (3, tasks.clone()), "{probe:?}");
        for task in &tasks {
            assert_eq!(answered(&load_within(lab, &probe, &format!("{task}:80"), 2, "new")), 2, "{probe:?}: {task}");
        }
        assert!(addresses(lab, &probe, "db").is_empty(), "an alias of another network: {probe:?}");
    }
    for user in inside(lab, "m1", "user") {
        let vip = addresses(lab, &user, "store");
        assert_eq!(vip.len(), 1, "{user:?}");
        for name in ["db", "postgres", "store.back", "db.back"] {
            assert_eq!(addresses(lab, &user, name), vip, "{name}: {user:?}");
        }
        let tasks = addresses(lab, &user, "tasks.store");
        assert!(tasks.len() == 2 && tasks.is_disjoint(&vip), "{user:?}: {tasks:?}");
    }
    lab.must("m1", &["service", "rm", "rotated"]);
    let probe = inside(lab, "m1", "probe").remove(0);
    lab.until("a removed service has no name", || addresses(lab, &probe, "rotated").is_empty().then_some(()));
}

/// UDP, a range, and a port that the cluster chooses.
fn ports_of_every_form_answer_on_every_host(lab: &Lab) {
    create(lab, "datagrams", &["--replicas", "3", "--publish", "8053:80/udp"], &[]);
    create(lab, "range", &["--publish", "8000-8002:80-82"], &["/bin/echo", "80", "81", "82"]);
    create(lab, "automatic", &["--publish", "80"], &[]);
    until_open(lab, 8053, "udp");
    for host in HOSTS {
        let answers = load(lab, "client", &at(lab, host, 8053), 30, "udp");
        assert_eq!((answered(&answers), answerers(&answers).len()), (30, 3), "{host}: {answers}");
        let clients: Vec<String> = answers["clients"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(clients, [lab.ip("client")], "{host}: {answers}");
    }
    for (published, target) in [(8000, "80"), (8001, "81"), (8002, "82")] {
        until_open(lab, published, "new");
        for host in HOSTS {
            let answers = load(lab, "client", &at(lab, host, published), 3, "new");
            assert_eq!(answers["ports"][target], 3, "{host}:{published}: {answers}");
        }
    }
    let ports = inspect(lab, "automatic")["Endpoint"]["Ports"].clone();
    let chosen = u16::try_from(ports[0]["PublishedPort"].as_u64().unwrap()).unwrap();
    assert!((30_000..=32_767).contains(&chosen), "{ports}");
    until_open(lab, chosen, "new");
    lab.must("m1", &["service", "update", "--publish-rm", "81", "range"]);
    for host in HOSTS {
        let shut = at(lab, host, 8001);
        lab.until(&format!("{shut} is shut"), || (answered(&load(lab, "client", &shut, 1, "new")) == 0).then_some(()));
        assert_eq!(answered(&load(lab, "client", &at(lab, host, 8002), 3, "new")), 3, "the others stay open on {host}");
    }
}

fn a_port_of_another_service_is_refused(lab: &Lab) {
    for port in ["8081:80", "mode=host,target=80,published=8081"] {
        let refused = lab.ask("m1", &["service", "create", "--name", "second", "--publish", port, "echo"]);
        assert!(refused.code != 0 && refused.err.contains("8081/tcp is published by service sticky"), "{port}: {}", refused.err);
    }
    let refused = lab.ask("m1", &["service", "update", "--publish-add", "8000:80", "sticky"]);
    assert!(refused.code != 0 && refused.err.contains("8000/tcp is published by service range"), "{}", refused.err);
    create(lab, "second", &["--publish", "8081:80/udp"], &[]);
}

/// As with sshd: the port is open on the other hosts, and it is said where it is not.
fn a_port_of_a_hosts_own_program_stays_its_own(lab: &Lab) {
    serve(lab, "w1", 8090);
    create(lab, "late", &["--replicas", "3", "--publish", "8090:80"], &[]);
    let words = "8090/tcp is not open on w1";
    lab.until("the host with the program is named", || {
        inspect(lab, "late")["Endpoint"]["Conflicts"].to_string().contains(words).then_some(())
    });
    let listed = lab.must("m1", &["service", "ps", "late"]);
    assert!(listed.err.contains(words), "{}{}", listed.out, listed.err);
    for host in ["m1", "w2"] {
        let to = at(lab, host, 8090);
        lab.until(&format!("{host} answers"), || (answerers(&load(lab, "client", &to, 9, "new")).len() == 3).then_some(()));
    }
    let own = load(lab, "client", &at(lab, "w1", 8090), 9, "new");
    assert!(answered(&own) == 9 && answerers(&own).iter().all(|name| !name.starts_with("late.")), "w1's own program answers there: {own}");
    end_serving(lab, "w1", 8090);
    lab.until("the port is open on w1 too when its program has ended", || {
        let answers = load(lab, "client", &at(lab, "w1", 8090), 9, "new");
        (answered(&answers) == 9 && answerers(&answers).iter().all(|name| name.starts_with("late."))).then_some(())
    });
    lab.until("no host is named any more", || inspect(lab, "late")["Endpoint"]["Conflicts"].is_null().then_some(()));
}

/// `service update --network-add` and `--network-rm`.
fn services_change_their_networks(lab: &Lab) {
    create(lab, "roamer", &["--replicas", "2"], &[]);
    let (probe, user) = (inside(lab, "m1", "probe").remove(0), inside(lab, "m1", "user").remove(0));
    let before = addresses(lab, &probe, "roamer").pop_first().unwrap();
    assert!(addresses(lab, &user, "roamer").is_empty());
    lab.must("m1", &["service", "update", "--network-add", "name=back,alias=guest", "roamer"]);
    for (asker, name) in [(&probe, "roamer"), (&user, "roamer"), (&user, "guest")] {
        let found = addresses(lab, asker, name);
        assert_eq!(found.len(), 1, "{name} in {asker:?}");
        assert_eq!(answered(&load_within(lab, asker, &format!("{}:80", found.first().unwrap()), 4, "new")), 4, "{name} in {asker:?}");
    }
    assert_eq!(addresses(lab, &probe, "roamer").pop_first(), Some(before.clone()), "its address in the network that stays");
    lab.must("m1", &["service", "update", "--network-rm", "default", "roamer"]);
    lab.until("its old network does not know it", || addresses(lab, &probe, "roamer").is_empty().then_some(()));
    assert_eq!(answered(&load_within(lab, &probe, &format!("{before}:80"), 1, "new")), 0, "its old address leads nowhere");
    let tasks: Vec<String> = addresses(lab, &user, "tasks.roamer").iter().map(|address| format!("{address}:80")).collect();
    assert_eq!((tasks.len(), answering(lab, &user, &tasks)), (2, tasks.clone()), "within its network");
    assert!(answering(lab, &probe, &tasks).is_empty(), "from its old network");
}

/// Names of the world, as the hosts' resolver sees questions for them: how many came to it.
fn questions(lab: &Lab) -> u64 {
    let counter = lab.shell("far", "nft list chain ip seen questions").out;
    let packets = counter.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
    packets.unwrap_or_else(|| panic!("{counter}")).parse().unwrap()
}

/// `network create --internal`: its members reach each other and nothing else, not even by asking for names.
fn an_internal_network_has_no_way_out(lab: &Lab) {
    let rules = "table ip seen { chain questions { type filter hook input priority 0; udp dport 53 counter; }; }";
    lab.shell("far", &format!("echo '{rules}' | nft -f -"));
    for host in HOSTS {
        let resolver = lab.ip("far");
        lab.shell(host, &format!("echo nameserver {resolver} >/run/resolv.conf; mount --bind /run/resolv.conf /etc/resolv.conf"));
        serve(lab, host, 8070);
    }
    serve(lab, "client", 8070);
    lab.must("m1", &["network", "create", "--internal", "vault"]);
    create(lab, "hidden", &["--mode", "global", "--network", "vault"], &[]);
    let world: Vec<String> =
        HOSTS.iter().map(|host| at(lab, host, 8070)).chain([at(lab, "client", 8070), at(lab, "m1", 8081), at(lab, "w2", 8081)]).collect();

    let probe = inside(lab, "m1", "probe").remove(0);
    for to in &world {
        assert_eq!(answered(&load_within(lab, &probe, to, 1, "new")), 1, "from a network with a way out: {to}");
    }
    let before = questions(lab);
    let _ = within(lab, &probe, "busybox nslookup outside.example 169.254.1.53");
    let asked = questions(lab);
    assert!(asked > before, "the hosts' resolver is asked for names of the world");

    for hidden in inside(lab, "m1", "hidden") {
        let vip = addresses(lab, &hidden, "hidden").pop_first().unwrap();
        assert_eq!(answered(&load_within(lab, &hidden, &format!("{vip}:80"), 6, "new")), 6, "its own service: {hidden:?}");
        // The address of the name service is the host's own, and leads to nothing else of the host.
        let of_the_host = "169.254.1.53:8070".to_owned();
        let reached = answering(lab, &hidden, &[world.as_slice(), &[of_the_host]].concat());
        assert!(reached.is_empty(), "{hidden:?} reaches {reached:?}");
        let _ = within(lab, &hidden, "busybox nslookup outside.example 169.254.1.53");
    }
    assert_eq!(questions(lab), asked, "a question left the internal network");
    let published = lab.ask("m1", &["service", "create", "--name", "shown", "--network", "vault", "--publish", "8091:80", "echo"]);
    assert!(published.code != 0 && published.err.contains("vault"), "{}{}", published.out, published.err);
}
