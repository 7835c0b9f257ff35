//! What the probes between this host and a manager mean: the lines of the checks, or the failure with its cause and what to do. Pure.

use std::net::Ipv4Addr;

use cluster_api::ApiError;
use cluster_network::probe::Arrived;

/// One end of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) address: Ipv4Addr,
    /// The largest packet of its interface: the size of its full probes.
    pub(super) mtu: u32,
}

/// The way between this host and the manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) here: End,
    pub(super) there: End,
    /// This host's interface.
    pub(super) interface: String,
    /// The overlay's UDP port, on both.
    pub(super) port: u16,
}

/// What came of the probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) ends: Ends,
    /// What of the manager's arrived here.
    pub(super) here: Arrived,
    /// What of this host's arrived at the manager.
    pub(super) there: Arrived,
    /// What kept this host from sending.
    pub(super) here_trouble: Option<String>,
    /// What kept the manager from sending.
    pub(super) there_trouble: Option<String>,
}

impl Ends {
    /// Another program of this host has the port.
    pub(super) fn taken(&self, how: &str) -> ApiError {
        let port = self.port;
        failed(
            format!(
                "the check `data port` failed: UDP port {port} of this host ({}) is {how}; the cluster's overlay needs it",
                self.here.address
            ),
            "end what has the port, or make the cluster with another one (`cluster init --data-port`)".to_owned(),
        )
    }
}

/// The lines of the checks `data port` and `mtu`.
///
/// # Errors
/// When a packet did not pass that must.
pub(super) fn judge(outcome: &Outcome) -> Result<[String; 2], ApiError> {
    let Ends { here, there, port, .. } = &outcome.ends;
    // What is full and arrived shows that the port is open as well as a small one does.
    let passes = |arrived: Arrived| arrived.small || arrived.full;
    if !passes(outcome.here) || !passes(outcome.there) {
        return Err(closed(outcome, passes(outcome.here), passes(outcome.there)));
    }
    if !outcome.here.full || !outcome.there.full {
        return Err(narrow(outcome));
    }
    let size = here.mtu.min(there.mtu);
    Ok([
        format!("UDP {port} is open both ways between {} and {}", here.address, there.address),
        format!("packets of {size} bytes pass both ways"),
    ])
}

/// The port is closed in a direction, or in both.
fn closed(outcome: &Outcome, arrives_here: bool, arrives_there: bool) -> ApiError {
    let (here, there, port) = (outcome.ends.here.address, outcome.ends.there.address, outcome.ends.port);
    let (this, manager) = (format!("this host ({here})"), format!("the manager's host ({there})"));
    let way = match (arrives_here, arrives_there) {
        (false, true) => format!("no packet from {manager} arrives at UDP port {port} of {this}; the other way they pass"),
        (true, _) => format!("no packet from {this} arrives at UDP port {port} of {manager}; the other way they pass"),
        (false, false) => format!("no packet passes between {this} and {manager} at UDP port {port}, either way"),
    };
    let refused = [(arrives_there, &outcome.here_trouble, &this), (arrives_here, &outcome.there_trouble, &manager)];
    let refused = refused.into_iter().filter(|(arrives, ..)| !arrives);
    let causes: String =
        refused.filter_map(|(_, trouble, host)| Some(format!(" ({host} could not send: {})", trouble.as_ref()?))).collect();
    let open = match (arrives_here, arrives_there) {
        (false, true) => format!("open UDP {port} from {there} in the firewall of this host, and in those on the way"),
        (true, _) => format!("open UDP {port} from {here} in the firewall of the manager's host {there}, and in those on the way"),
        (false, false) => format!("open UDP {port} between {here} and {there} in the firewalls of both hosts, and in those on the way"),
    };
    failed(format!("the check `data port` failed: {way}{causes}"), open)
}

/// Small packets pass, but full ones do not.
fn narrow(outcome: &Outcome) -> ApiError {
    let Ends { here, there, interface, .. } = &outcome.ends;
    let lost = |from: &End, to: &End| format!("of {} bytes from {} to {}", from.mtu, from.address, to.address);
    let ways: Vec<String> = [(outcome.here.full, lost(there, here)), (outcome.there.full, lost(here, there))]
        .into_iter()
        .filter_map(|(passes, way)| (!passes).then_some(way))
        .collect();
    let what = format!(
        "the check `mtu` failed: packets {} do not pass, though small ones do: the MTU is {} on {interface} of this host ({}), {} on the \
         manager's host ({})",
        ways.join(" and "),
        here.mtu,
        here.address,
        there.mtu,
        there.address
    );
    let fix = if here.mtu == there.mtu {
        "set the MTU of both hosts' interfaces to what the network between them carries, or raise that one's"
    } else {
        "set the same MTU on both hosts' interfaces, one that the network between them carries"
    };
    failed(what, format!("{fix} (here: `ip link set dev {interface} mtu BYTES`)"))
}

fn failed(what: String, fix: String) -> ApiError {
    ApiError::precondition(what).hint(format!("{fix}; nothing was changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Arrived = Arrived { small: true, full: true };
    const SMALL: Arrived = Arrived { small: true, full: false };
    const NONE: Arrived = Arrived { small: false, full: false };

    fn outcome(here: Arrived, there: Arrived) -> Outcome {
        let ends = Ends {
            here: End { address: Ipv4Addr::new(10, 0, 0, 2), mtu: 1500 },
            there: End { address: Ipv4Addr::new(10, 0, 0, 1), mtu: 9000 },
            interface: "eth0".to_owned(),
            port: 4789,
        };
        Outcome { ends, here, there, here_trouble: None, there_trouble: None }
    }

    fn words(outcome: &Outcome) -> (String, String) {
        let error = judge(outcome).unwrap_err();
        (error.message, error.hint.unwrap())
    }

    #[test]
    fn what_passes_is_told() {
        let [data_port, mtu] = judge(&outcome(ALL, ALL)).unwrap();
        assert_eq!(data_port, "UDP 4789 is open both ways between 10.0.0.2 and 10.0.0.1");
        assert_eq!(mtu, "packets of 1500 bytes pass both ways");
        let lost_a_small_one = Arrived { small: false, full: true };
        assert!(judge(&outcome(lost_a_small_one, ALL)).is_ok());
    }

    #[test]
    fn each_direction_has_its_words() {
        let (what, fix) = words(&outcome(NONE, ALL));
        assert!(what.contains("no packet from the manager's host (10.0.0.1) arrives at UDP port 4789 of this host (10.0.0.2)"), "{what}");
        assert_eq!(fix, "open UDP 4789 from 10.0.0.1 in the firewall of this host, and in those on the way; nothing was changed");
        let (what, fix) = words(&outcome(ALL, NONE));
        assert!(what.contains("no packet from this host (10.0.0.2) arrives at UDP port 4789 of the manager's host (10.0.0.1)"), "{what}");
        assert!(fix.contains("from 10.0.0.2 in the firewall of the manager's host 10.0.0.1"), "{fix}");
        assert!(words(&outcome(NONE, NONE)).0.contains("either way"));
    }

    #[test]
    fn what_kept_a_host_from_sending_is_told_where_it_matters() {
        let troubled = |here, there| Outcome {
            here_trouble: Some("not permitted".to_owned()),
            there_trouble: Some("too long".to_owned()),
            ..outcome(here, there)
        };
        let (what, _) = words(&troubled(ALL, NONE));
        assert!(what.ends_with("(this host (10.0.0.2) could not send: not permitted)"), "{what}");
        let (what, _) = words(&troubled(NONE, SMALL));
        assert!(what.ends_with("(the manager's host (10.0.0.1) could not send: too long)"), "{what}");
    }

    #[test]
    fn a_narrow_way_names_the_sizes_and_the_interface() {
        let (what, fix) = words(&outcome(SMALL, ALL));
        assert!(what.contains("packets of 9000 bytes from 10.0.0.1 to 10.0.0.2 do not pass"), "{what}");
        assert!(what.contains("1500 on eth0 of this host") && !what.contains("from 10.0.0.2"), "{what}");
        assert!(fix.contains("the same MTU") && fix.contains("dev eth0"), "{fix}");
        let mut same = outcome(SMALL, SMALL);
        same.ends.there.mtu = 1500;
        let (what, fix) = words(&same);
        assert!(what.contains("from 10.0.0.1 to 10.0.0.2 and of 1500 bytes from 10.0.0.2 to 10.0.0.1"), "{what}");
        assert!(fix.contains("what the network between them carries"), "{fix}");
    }

    #[test]
    fn a_port_that_is_taken_names_who_has_it() {
        let error = outcome(ALL, ALL).ends.taken("taken by `dockerd` (process 7)");
        assert!(error.message.contains("UDP port 4789 of this host (10.0.0.2) is taken by `dockerd` (process 7)"), "{error}");
    }
}
