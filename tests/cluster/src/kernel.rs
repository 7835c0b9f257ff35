//! What the kernel of a host holds of the cluster's network.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::Lab;

/// For so long nothing must change for a host to be at rest.
const QUIET: Duration = Duration::from_secs(2);

/// Links, routes, rules, chains and namespaces, counted.
#[must_use]
pub fn leftovers(lab: &Lab, host: &str) -> String {
    let counts = "echo $(ls /sys/class/net | grep -c ^clu) links, $(ip route show table all | grep -c clu) routes, \
                  $(ip rule | wc -l) rules, $(nft list ruleset | grep -c \"chain vip_\\|chain port_\\|chain host_\\|chain net_\") chains, \
                  $(ls /var/lib/cluster/network/netns | wc -l) namespaces";
    lab.shell(host, counts).out
}

/// The same once it stays so for a moment: a host that has just joined is still told of the others.
#[must_use]
pub fn settled(lab: &Lab, host: &str) -> String {
    let mut last = leftovers(lab, host);
    let mut since = Instant::now();
    lab.until(&format!("{host} has settled"), || {
        let now = leftovers(lab, host);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() > QUIET).then(|| last.clone())
    })
}

/// Followed connections of containers and services, by protocol: those with an address of the cluster's pool (10.192.0.0/10), or of a
/// subnet of 10.128.0.0/10 that a test chose.
#[must_use]
pub fn connections(lab: &Lab, host: &str) -> BTreeMap<String, usize> {
    let table = lab.shell(host, "cat /proc/net/nf_conntrack 2>/dev/null || conntrack -L 2>/dev/null");
    let mut found = BTreeMap::new();
    for line in table.out.lines() {
        // The words of both forms: [ipv4 2] tcp 6 119 TIME_WAIT src=10.77.0.3 dst=… sport=… dport=… src=… dst=… …
        let of_cluster = line.split_whitespace().any(|word| {
            let address = word.strip_prefix("src=").or_else(|| word.strip_prefix("dst="));
            let octets: Option<Vec<u8>> = address.map(|address| address.split('.').filter_map(|octet| octet.parse().ok()).collect());
            octets.is_some_and(|octets| octets.len() == 4 && octets[0] == 10 && octets[1] >= 128)
        });
        if of_cluster {
            let protocol = line.split_whitespace().find(|word| ["tcp", "udp", "icmp"].contains(word)).unwrap_or("other");
            *found.entry(protocol.to_owned()).or_default() += 1;
        }
    }
    found
}

/// Makes a host forget connections that were closed properly after so many seconds: the kernel keeps them for two minutes.
pub fn forget_closed_after(lab: &Lab, host: &str, seconds: u32) {
    let states = ["time_wait", "fin_wait", "close_wait", "last_ack", "close"];
    let words = states.map(|state| format!("net.netfilter.nf_conntrack_tcp_timeout_{state}={seconds}")).join(" ");
    let set = lab.shell(host, &format!("sysctl -q -w {words}"));
    assert!(set.code == 0, "{}", set.err);
}
