//! Services and networks come and go in random order while clients use them: afterwards what is given out is what is used, and nothing is
//! left in any kernel. `CLUSTER_LAB_CHURN_SECONDS` sets how long (20); `CLUSTER_LAB_SEED` makes the same choices again.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests: what goes wrong ends the test; the figures are the point")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use cluster_lab::kernel::{connections, forget_closed_after, leftovers, settled};
use cluster_lab::traffic::{inside, load, load_within};
use cluster_lab::{Chance, Lab, processes};

const HOSTS: [&str; 2] = ["m1", "w1"];
const SERVICES: usize = 200;
const NETWORKS: usize = 20;

/// A service that lives.
struct Alive {
    /// Its network; none for the default one.
    network: Option<usize>,
    replicas: usize,
    /// The port that all hosts answer, and how to ask there.
    port: Option<(u16, &'static str)>,
}

/// What lives, by number.
struct Churn<'a> {
    lab: &'a Lab,
    chance: Chance,
    services: BTreeMap<usize, Alive>,
    networks: BTreeSet<usize>,
    /// How often each thing was done.
    done: BTreeMap<&'static str, usize>,
}

impl Churn<'_> {
    fn step(&mut self) {
        match self.chance.below(20) {
            0 | 1 => self.toggle_network(),
            2..14 => self.toggle_service(),
            14 | 15 => self.scale(),
            _ => self.ask(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn toggle_network(&mut self) {
        let number = self.chance.below(NETWORKS);
        let name = format!("net-{number}");
        if !self.networks.contains(&number) {
            self.lab.must("m1", &["network", "create", &name]);
            self.networks.insert(number);
            return self.count("networks made");
        }
        let used = self.services.values().any(|service| service.network == Some(number));
        let removed = self.lab.ask("m1", &["network", "rm", &name]);
        match removed.code {
            0 => {
                assert!(!used, "{name} was removed, though services use it");
                self.networks.remove(&number);
                self.count("networks removed");
            }
            _ => assert!(removed.err.contains("web-"), "the users of {name} are named: {}", removed.err),
        }
    }

    fn toggle_service(&mut self) {
        let number = self.chance.below(SERVICES);
        let name = format!("web-{number}");
        if self.services.remove(&number).is_some() {
            self.lab.must("m1", &["service", "rm", &name]);
            return self.count("services removed");
        }
        let networks: Vec<usize> = self.networks.iter().copied().collect();
        let network = networks.get(self.chance.below(networks.len() + 2)).copied();
        let port = match self.chance.below(3) {
            0 => None,
            1 => Some("tcp"),
            _ => Some("udp"),
        };
        let port = port.map(|protocol| (9000 + u16::try_from(number).unwrap(), protocol));
        let replicas = 1 + self.chance.below(3);
        let (count, attached) = (replicas.to_string(), network.map(|number| format!("net-{number}")));
        let published = port.map(|(port, protocol)| format!("{port}:80/{protocol}"));
        let mut words = vec!["service", "create", "--detach", "--name", &name, "--replicas", &count];
        words.extend(attached.iter().flat_map(|network| ["--network", network]));
        words.extend(published.iter().flat_map(|port| ["--publish", port]));
        self.lab.must("m1", &[words.as_slice(), &["echo"]].concat());
        let way = port.map(|(port, protocol)| (port, if protocol == "tcp" { "new" } else { "udp" }));
        self.services.insert(number, Alive { network, replicas, port: way });
        self.count("services made");
    }

    fn any_service(&mut self) -> Option<usize> {
        let numbers: Vec<usize> = self.services.keys().copied().collect();
        if numbers.is_empty() { None } else { Some(numbers[self.chance.below(numbers.len())]) }
    }

    fn scale(&mut self) {
        let Some(number) = self.any_service() else { return };
        let replicas = self.chance.below(4);
        self.lab.must("m1", &["service", "scale", "--detach", &format!("web-{number}={replicas}")]);
        self.services.get_mut(&number).unwrap().replicas = replicas;
        self.count("services scaled");
    }

    /// Requests, so that connections are followed: whether they are answered depends on how far things are.
    fn ask(&mut self) {
        let Some((port, way)) = self.any_service().and_then(|number| self.services[&number].port) else { return };
        let host = HOSTS[self.chance.below(HOSTS.len())];
        let program_and_way = format!("{}:{port}", self.lab.ip(host));
        let pending = self.lab.list("m1", &["service", "ps", &format!("web-{}", port - 9000)]);
        if pending.iter().any(|task| task["CurrentState"].as_str().unwrap().starts_with("Running")) {
            let _ = load(self.lab, "client", &program_and_way, 4, way);
            self.count("clients");
        }
    }

    /// How many addresses of a network its services use when all is done: one each, and one for each task.
    fn used(&self, network: Option<usize>) -> u64 {
        let of_network = self.services.values().filter(|service| service.network == network);
        of_network.map(|service| 1 + service.replicas as u64).sum()
    }
}

fn used(lab: &Lab, network: &str) -> Option<u64> {
    lab.list("m1", &["network", "inspect", network]).pop()?["Used"].as_u64()
}

#[test]
fn nothing_is_left_and_nothing_lost_when_services_and_networks_come_and_go_at_random() {
    let lab = Lab::cluster_beside(&["m1"], &["w1"], &["client"]);
    lab.import_echo(&HOSTS);
    HOSTS.iter().for_each(|host| forget_closed_after(&lab, host, 3));
    let bare: Vec<String> = HOSTS.iter().map(|host| settled(&lab, host)).collect();
    let seconds = std::env::var("CLUSTER_LAB_CHURN_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let mut churn = Churn {
        lab: &lab,
        chance: Chance::told("services and networks at random"),
        services: BTreeMap::new(),
        networks: BTreeSet::new(),
        done: BTreeMap::new(),
    };
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(seconds) {
        churn.step();
    }
    let churned = began.elapsed();

    let tasks = churn.services.values().map(|service| service.replicas).sum::<usize>();
    lab.until(&format!("{tasks} containers run"), || {
        (HOSTS.iter().map(|host| processes(&lab, host, "/bin/echo")).sum::<usize>() == tasks).then_some(())
    });
    for network in churn.networks.iter().copied().map(Some).chain([None]) {
        let name = network.map_or("default".to_owned(), |number| format!("net-{number}"));
        let expected = churn.used(network);
        lab.until(&format!("{expected} addresses of {name} are in use"), || (used(&lab, &name)? == expected).then_some(()));
    }
    // Connections between containers, and to a name, are followed too.
    let some = churn.services.iter().find(|(_, service)| service.network.is_none() && service.replicas > 0).map(|(number, _)| *number);
    if let Some(container) = some.map(|number| inside(&lab, "m1", &format!("web-{number}")).remove(0)) {
        let itself = cluster_lab::traffic::addresses(&lab, &container, &format!("web-{}", some.unwrap())).pop_first().unwrap();
        let _ = load_within(&lab, &container, &format!("{itself}:80"), 4, "new");
    }
    let followed: Vec<_> = HOSTS.iter().map(|host| connections(&lab, host)).collect();

    let names: Vec<String> = churn.services.keys().map(|number| format!("web-{number}")).collect();
    lab.must("m1", &[vec!["service", "rm"], names.iter().map(String::as_str).collect()].concat());
    for number in &churn.networks {
        lab.until("the network goes", || (lab.ask("m1", &["network", "rm", &format!("net-{number}")]).code == 0).then_some(()));
    }
    for (host, bare) in HOSTS.iter().zip(&bare) {
        lab.until(&format!("{host} is as it was: {bare}"), || {
            let now = leftovers(&lab, host);
            (now == *bare).then_some(()).or_else(|| note(host, &now))
        });
        lab.until(&format!("no connection of {host} is followed"), || {
            let left = connections(&lab, host);
            left.is_empty().then_some(()).or_else(|| note(host, &format!("{left:?}")))
        });
        assert_eq!(processes(&lab, host, "/bin/echo"), 0, "{host}");
    }
    lab.until("no address is in use", || (used(&lab, "default")? == 0).then_some(()));
    eprintln!("{churned:.0?} of churn: {:?}; {tasks} containers at its end, connections followed then: {followed:?}", churn.done);
}

/// Keeps what was seen last, for the words of a check that never passes.
fn note(host: &str, seen: &str) -> Option<()> {
    if std::env::var_os("CLUSTER_LAB_NOTES").is_some() {
        eprintln!("{host}: {seen}");
    }
    None
}
