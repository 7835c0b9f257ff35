//! What can never fit, said before anything is placed: no node takes a task even when nothing runs there, or all nodes together take fewer
//! than are asked for. Nodes that are away or closed count: they may come back. Called by the control API.

use cluster_state::View;
use cluster_types::{Node, Reservation, ServiceMode, ServiceSpec};

use super::demand::Demand;
use super::explain;
use super::fleet::{Fleet, Room};

/// Why the tasks of a spec, or some of them, could not run even if the cluster were empty. None when they could, or when it is not known
/// because a node has not described itself yet.
#[must_use]
pub fn fits_never(view: &View, spec: &ServiceSpec) -> Option<String> {
    let fleet = Fleet::empty(view.nodes().cloned());
    if fleet.rooms.is_empty() || fleet.rooms.iter().any(|room| is_unknown(&room.node)) {
        return None;
    }
    let demand = Demand::of(spec);
    let able: Vec<&Room> = fleet.rooms.iter().filter(|room| demand.never(room).is_none()).collect();
    if able.is_empty() {
        let mut text = String::from("no node could take a task even if it were empty: ");
        explain::list(&mut text, fleet.rooms.iter().filter_map(|room| Some((room, demand.never(room)?))));
        return Some(text);
    }
    match spec.mode {
        ServiceMode::Replicated { replicas } => too_many(&demand, &able, replicas),
        ServiceMode::Global | ServiceMode::GlobalJob | ServiceMode::ReplicatedJob { .. } => None,
    }
}

fn is_unknown(node: &Node) -> bool {
    node.description.hostname.is_empty() && node.description.capacity == Reservation::default()
}

fn too_many(demand: &Demand, able: &[&Room], replicas: u64) -> Option<String> {
    let most = able.iter().fold(0_u64, |sum, room| sum.saturating_add(demand.most(room)));
    if most >= replicas {
        return None;
    }
    let limit = demand.placement.max_per_node;
    let reasons = [
        (!demand.ports.is_empty()).then(|| "a host port can be open once on each".to_owned()),
        (limit > 0).then(|| format!("at most {limit} of the service are allowed on each")),
        reserves(demand).then(|| "no more have room for what is reserved".to_owned()),
    ];
    let reasons: Vec<String> = reasons.into_iter().flatten().collect();
    let nodes = if able.len() == 1 { "1 node can take them".to_owned() } else { format!("{} nodes can take them", able.len()) };
    Some(format!("only {most} of {replicas} replicas could run even if the cluster were empty: {nodes}; {}", reasons.join(", ")))
}

fn reserves(demand: &Demand) -> bool {
    demand.reservation != Reservation::default() || !demand.generic.is_empty()
}

#[cfg(test)]
mod tests {
    use cluster_types::{NodeState, ServiceMode};

    use super::*;
    use crate::testbed::{Testbed, host_port, spec};

    fn never(nodes: u128, replicas: u64, edit: impl FnOnce(&mut ServiceSpec)) -> Option<String> {
        let mut spec = spec("web", replicas);
        edit(&mut spec);
        fits_never(&Testbed::new(nodes).view(), &spec)
    }

    #[test]
    fn what_fits_an_empty_cluster_is_not_refused() {
        assert_eq!(never(2, 8, |spec| spec.task.reservation.nano_cpus = 1_000_000_000), None);
        assert_eq!(never(2, 2, |spec| spec.ports.push(host_port(80))), None);
        assert_eq!(never(2, 4, |spec| spec.task.placement.max_per_node = 2), None);
        let mut bed = Testbed::new(1);
        bed.set_node(1, NodeState::Down);
        assert_eq!(fits_never(&bed.view(), &spec("web", 1)), None, "it may come back");
    }

    #[test]
    fn what_no_node_has_is_named_with_amounts() {
        let text = never(2, 1, |spec| spec.task.reservation.nano_cpus = 9_000_000_000).unwrap();
        assert_eq!(text, "no node could take a task even if it were empty: node-1 needs 9 CPUs, 4 free; node-2 needs 9 CPUs, 4 free");
        let text = never(1, 1, |spec| spec.task.generic.extend([("gpu".to_owned(), 1)])).unwrap();
        assert_eq!(text, "no node could take a task even if it were empty: node-1 needs 1 gpu, 0 free");
        let zone = |spec: &mut ServiceSpec| spec.task.placement.constraints.push("node.labels.zone==a".parse().unwrap());
        assert!(never(1, 1, zone).unwrap().ends_with("node-1 node.labels.zone == a does not hold"));
        let global = |spec: &mut ServiceSpec| {
            spec.mode = ServiceMode::Global;
            zone(spec);
        };
        assert!(never(1, 1, global).is_some());
    }

    #[test]
    fn too_many_replicas_are_counted() {
        assert_eq!(
            never(2, 3, |spec| spec.ports.push(host_port(80))).unwrap(),
            "only 2 of 3 replicas could run even if the cluster were empty: 2 nodes can take them; a host port can be open once on each"
        );
        assert_eq!(
            never(1, 3, |spec| spec.task.placement.max_per_node = 2).unwrap(),
            "only 2 of 3 replicas could run even if the cluster were empty: 1 node can take them; at most 2 of the service are allowed on each"
        );
        let text = never(2, 9, |spec| spec.task.reservation.nano_cpus = 1_000_000_000).unwrap();
        assert!(text.starts_with("only 8 of 9 replicas"), "{text}");
    }
}
