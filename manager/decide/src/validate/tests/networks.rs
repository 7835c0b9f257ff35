//! Networks in specs, and specs among what there is.

use super::*;
use crate::testbed::{self, Testbed, attachment, host_port, ingress_port};

fn attached(names: &[(u128, &[&str])]) -> Vec<NetworkAttachment> {
    let attach =
        |(network, aliases): &(u128, &[&str])| NetworkAttachment { network: NetworkId::from_bits(*network), aliases: strings(aliases) };
    names.iter().map(attach).collect()
}

#[test]
fn each_network_is_named_once_and_aliases_are_names() {
    let of = |names: &[(u128, &[&str])]| refused(|spec| spec.task.networks = attached(names));
    assert_eq!(of(&[(5, &["db", "db-1"]), (6, &[])]), [] as [&str; 0]);
    assert_eq!(of(&[(5, &[]), (5, &[])]), ["task.networks[1].network"]);
    assert_eq!(of(&[(5, &["db", "Db", "a.b"])]), ["task.networks[0].aliases[1]", "task.networks[0].aliases[2]"]);
    for network in [NetworkMode::Host, NetworkMode::None] {
        let fields = refused(|spec| {
            spec.task.network = network;
            spec.task.networks = attached(&[(5, &[])]);
        });
        assert_eq!(fields, ["task.networks"]);
    }
}

#[test]
fn the_spec_of_a_network_is_looked_at_field_by_field() {
    let of = |spec: NetworkSpec| network(&spec).into_iter().map(|problem| problem.field).collect::<Vec<_>>();
    let good = || NetworkSpec { name: "back".to_owned(), ..NetworkSpec::default() };
    assert_eq!(of(NetworkSpec { subnet: Some("10.1.0.0/24".parse().unwrap()), ..good() }), [] as [&str; 0]);
    for name in ["", "Back", "a.b", "host", "none", &"a".repeat(64)] {
        assert_eq!(of(NetworkSpec { name: name.to_owned(), ..good() }), ["name"], "{name}");
    }
    assert_eq!(of(NetworkSpec { labels: BTreeMap::from([(" ".to_owned(), String::new())]), ..good() }), ["labels"]);
    for prefix in [7, 30, 32] {
        assert_eq!(of(NetworkSpec { subnet: Subnet::around([10, 0, 0, 0].into(), prefix), ..good() }), ["subnet"]);
    }
}

/// `web` publishes 80 on every host and 81 on its own; network 1 is internal.
fn surroundings() -> Testbed {
    let mut bed = Testbed::new(1);
    let spec = NetworkSpec { name: "inside".to_owned(), internal: true, ..NetworkSpec::default() };
    let (meta, id, subnet) = (Meta::default(), testbed::network_id(1), "10.1.0.0/24".parse().unwrap());
    bed.apply(vec![Change::Create(Object::Network(Network { meta, id, spec, subnet, blocks: BTreeMap::new() }.into()))]);
    bed.create(1, ServiceSpec { ports: vec![ingress_port(80), host_port(81)], ..testbed::spec("web", 1) });
    bed
}

#[test]
fn networks_exist_and_ports_are_free() {
    type Edit = fn(&mut ServiceSpec);
    let mut bed = surroundings();
    let api = |change: Edit| {
        let mut spec = testbed::spec("api", 1);
        change(&mut spec);
        spec
    };
    let cases: [(&str, &str, Edit); 6] = [
        ("task.networks[0].network", "does not exist", |spec| spec.task.networks = vec![attachment(testbed::network_id(9))]),
        ("ports[0].published", "80/tcp is published by service web on every host", |spec| spec.ports = vec![ingress_port(80)]),
        ("ports[0].published", "80/tcp is published by service web on every host", |spec| spec.ports = vec![host_port(80)]),
        ("ports[0].published", "81/tcp is published by service web on the hosts", |spec| spec.ports = vec![ingress_port(81)]),
        ("ports[1].mode", "network inside is internal", |spec| {
            spec.task.networks = vec![attachment(testbed::network_id(1)), attachment(DEFAULT_NETWORK)];
            spec.ports = vec![host_port(90), ingress_port(91)];
        }),
        ("", "", |spec| {
            spec.task.networks = vec![attachment(DEFAULT_NETWORK), attachment(testbed::network_id(1))];
            spec.ports = vec![host_port(81), ingress_port(0), PublishedPort { protocol: Protocol::Udp, ..ingress_port(80) }];
        }),
    ];
    for settled in [false, true] {
        for (field, words, change) in &cases {
            let problems = service_in(&bed.view(), &api(*change), None);
            match problems.as_slice() {
                [] => assert_eq!(*field, "", "{words}"),
                [problem] => assert!(problem.field == *field && problem.reason.contains(words), "{problem}"),
                more => panic!("{more:?}"),
            }
        }
        let own = ServiceSpec { ports: vec![ingress_port(80), ingress_port(81)], ..testbed::spec("web", 1) };
        assert_eq!(service_in(&bed.view(), &own, Some(testbed::service_id(1))), [], "settled: {settled}");
        bed.settle();
    }
}
