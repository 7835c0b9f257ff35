//! Tests of choosing subnets.

use cluster_types::{NetworkPool, Subnet};
use proptest::prelude::*;

use super::*;
use crate::testbed::{Testbed, attachment, spec};

fn asked(view: &View, subnet: &str) -> Result<Subnet, String> {
    let spec = NetworkSpec { subnet: Some(subnet.parse().unwrap()), ..NetworkSpec::default() };
    super::subnet(view, &spec).map_err(|problem| problem.to_string())
}

#[test]
fn an_asked_subnet_meets_nothing() {
    let mut bed = Testbed::new(1);
    bed.create_network(1, "172.20.0.0/16");
    let view = bed.view();
    assert_eq!(asked(&view, "172.21.0.0/16").unwrap().to_string(), "172.21.0.0/16");
    for (subnet, word) in [
        ("172.20.5.0/24", "network net-1"),
        ("172.16.0.0/12", "network net-1"),
        ("10.196.0.0/24", "network default"),
        ("10.192.7.0/24", "nodes"),
        ("10.0.0.0/8", "nodes"),
        ("127.1.0.0/16", "loopback"),
        ("169.254.1.0/24", "link-local"),
        ("232.0.0.0/8", "multicast"),
        ("0.0.0.0/8", "this host"),
    ] {
        let problem = asked(&view, subnet).unwrap_err();
        assert!(problem.contains(word) && problem.starts_with("subnet: "), "{problem}");
    }
}

#[test]
fn the_pool_gives_parts_until_it_has_no_more() {
    let pool = NetworkPool { pool: "10.0.0.0/20".parse().unwrap(), network_prefix: 24, ..NetworkPool::standard() };
    let mut bed = Testbed::with_pool(1, pool);
    let mut given = Vec::new();
    while let Ok(subnet) = subnet(&bed.view(), &NetworkSpec::default()) {
        given.push(subnet.to_string());
        bed.create_network(given.len() as u128, &subnet.to_string());
    }
    assert_eq!(given.len(), 14, "sixteen without those of the nodes and of the default network: {given:?}");
    assert_eq!((given[0].as_str(), given[13].as_str()), ("10.0.2.0/24", "10.0.15.0/24"));
    let problem = subnet(&bed.view(), &NetworkSpec::default()).unwrap_err().to_string();
    assert!(problem.contains("10.0.0.0/20") && problem.contains("/24"), "{problem}");
}

#[test]
fn usage_counts_tasks_and_services() {
    let mut bed = Testbed::new(2);
    let net = bed.create_network(1, "10.1.0.0/24");
    let mut web = spec("web", 3);
    web.task.networks = vec![attachment(net)];
    bed.create(1, web);
    bed.settle();
    let view = bed.view();
    assert_eq!(usage(&view, view.network(net).unwrap()), Usage { tasks: 3, services: 1, free: 252 });
}

proptest! {
    #[test]
    fn what_is_chosen_meets_nothing(others in prop::collection::vec((any::<u32>(), 10..26_u8), 0..12), prefix in 12..24_u8) {
        let pool = NetworkPool { network_prefix: prefix, ..NetworkPool::standard() };
        let mut bed = Testbed::with_pool(1, pool);
        for (number, (seed, prefix)) in (1..).zip(others) {
            let other = Subnet::around(std::net::Ipv4Addr::from(0x0A00_0000 | (seed & 0x00FF_FFFF)), prefix).unwrap();
            if asked(&bed.view(), &other.to_string()).is_ok() {
                bed.create_network(number, &other.to_string());
            }
        }
        let view = bed.view();
        let free = |part: Subnet| !part.overlaps(pool.nodes()) && !view.networks().any(|network| network.subnet.overlaps(part));
        let parts = (0..pool.pool.parts(prefix)).filter_map(|index| pool.pool.part(prefix, index));
        prop_assert_eq!(subnet(&view, &NetworkSpec::default()).ok(), parts.into_iter().find(|part| free(*part)));
    }
}
