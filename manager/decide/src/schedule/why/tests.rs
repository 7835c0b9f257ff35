//! The table by example, and that it tells the truth: its first row is where the next task goes.

use cluster_types::*;
use proptest::prelude::*;

use super::*;
use crate::testbed::{Testbed, host_port, node_id, spec};

fn table(bed: &Testbed, subject: Subject) -> Table {
    why(&bed.view(), bed.now, subject).unwrap()
}

/// A service with an edited spec, settled.
fn create(bed: &mut Testbed, number: u128, replicas: u64, edit: impl FnOnce(&mut ServiceSpec)) -> ServiceId {
    let mut spec = spec(&format!("s{number}"), replicas);
    edit(&mut spec);
    let id = bed.create(number, spec);
    bed.settle();
    id
}

fn label(bed: &mut Testbed, number: u128, key: &str, value: &str) {
    bed.update_node(number, |node| drop(node.labels.insert(key.to_owned(), value.to_owned())));
}

fn refusals(table: &Table) -> Vec<String> {
    let text = |row: &Row| match &row.verdict {
        Verdict::Refused(refusal) => format!("{} {refusal}", row.hostname),
        other => format!("{} {other:?}", row.hostname),
    };
    table.rows.iter().map(text).collect()
}

const CPU: u64 = 1_000_000_000;

#[test]
fn each_node_says_why_not_and_what_is_missing_least() {
    let mut bed = Testbed::new(3);
    create(&mut bed, 1, 3, |spec| spec.task.reservation.nano_cpus = 3 * CPU);
    label(&mut bed, 2, "zone", "b");
    bed.set_node(1, NodeState::Disconnected);
    let web = create(&mut bed, 2, 1, |spec| spec.task.reservation.nano_cpus = 2 * CPU);
    let table = table(&bed, Subject::Service(web));
    assert_eq!((table.waiting, table.placed, table.task.is_some()), (1, None, true));
    assert_eq!(refusals(&table), ["node-1 is disconnected", "node-2 needs 2 CPUs, 1 free", "node-3 needs 2 CPUs, 1 free"]);
    assert_eq!(table.remedies, ["needs 2 CPUs: 1 more would have to be free on one of: node-2, node-3"]);
}

#[test]
fn remedies_name_labels_and_what_no_node_has() {
    let mut bed = Testbed::new(2);
    let zone = create(&mut bed, 1, 1, |spec| spec.task.placement.constraints = vec!["node.labels.zone==a".parse().unwrap()]);
    assert_eq!(table(&bed, Subject::Service(zone)).remedies, ["label zone=a on one of: node-1, node-2"]);
    bed.update_node(2, |node| node.availability = Availability::Drain);
    bed.settle();
    assert_eq!(table(&bed, Subject::Service(zone)).remedies, ["label zone=a on node-1"], "node-2 would need more");
    let large = create(&mut bed, 2, 1, |spec| spec.task.reservation.nano_cpus = 9 * CPU);
    assert_eq!(table(&bed, Subject::Service(large)).remedies, ["a node with 9 CPUs"]);
    let port = create(&mut bed, 3, 2, |spec| spec.ports = vec![host_port(80)]);
    assert_eq!(
        table(&bed, Subject::Service(port)).remedies,
        ["availability active on node-2", "port 80/tcp would have to be free on node-1"]
    );
    let both = create(&mut bed, 4, 1, |spec| {
        spec.task.reservation.memory = 9 << 30;
        spec.task.placement.constraints = vec!["node.labels.zone==a".parse().unwrap()];
    });
    assert_eq!(table(&bed, Subject::Service(both)).remedies, ["a node with 9 GiB of memory, and label zone=a on node-1"]);
}

#[test]
fn a_service_without_waiting_tasks_is_asked_about_one_more() {
    let mut bed = Testbed::new(2);
    label(&mut bed, 1, "zone", "a");
    let web = create(&mut bed, 1, 3, |spec| {
        spec.task.reservation.nano_cpus = CPU;
        spec.task.placement.preferences = vec!["node.labels.zone".to_owned()];
        spec.task.placement.affinities = vec!["node.labels.zone==a:7".parse().unwrap()];
    });
    let table = table(&bed, Subject::Service(web));
    assert_eq!((table.task, table.waiting, table.remedies.len()), (None, 0, 0));
    let level = |value: &str, tasks| vec![Level { key: "node.labels.zone".to_owned(), value: value.to_owned(), tasks }];
    let scores: Vec<&Score> =
        table.rows.iter().filter_map(|row| if let Verdict::Fits(score) = &row.verdict { Some(score) } else { None }).collect();
    assert_eq!(
        scores,
        [
            &Score { place: 1, failures: 0, levels: level("", 1), affinity: 0, own: 1, free: 750, tasks: 1 },
            &Score { place: 2, failures: 0, levels: level("a", 2), affinity: 7, own: 2, free: 500, tasks: 2 },
        ]
    );
}

#[test]
fn a_task_that_runs_is_judged_as_if_it_were_not_there() {
    let mut bed = Testbed::new(1);
    let web = create(&mut bed, 1, 1, |spec| {
        spec.task.reservation.nano_cpus = 4 * CPU;
        spec.ports = vec![host_port(80)];
    });
    let task = bed.wanted(web)[0].id;
    let table = table(&bed, Subject::Task(task));
    assert_eq!((table.task, table.placed), (Some(task), Some(node_id(1))));
    assert!(matches!(&table.rows[0].verdict, Verdict::Fits(score) if score.free == 1_000 && score.own == 0), "{:?}", table.rows);
}

#[test]
fn a_global_service_is_asked_node_by_node() {
    let mut bed = Testbed::new(2);
    bed.update_node(2, |node| node.availability = Availability::Pause);
    let agent = create(&mut bed, 1, 0, |spec| spec.mode = ServiceMode::Global);
    let table = table(&bed, Subject::Service(agent));
    assert_eq!(refusals(&table), ["node-1 HasOne", "node-2 is paused"]);
    assert_eq!(table.remedies, ["availability active on node-2"]);
    assert_eq!(why(&bed.view(), bed.now, Subject::Task(TaskId::from_bits(1))), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_first_row_is_where_the_next_task_goes(
        zones in prop::collection::vec(0_u8..3, 1..6),
        replicas in 0_u64..12,
        cpus in 0_u64..3,
        levels in any::<bool>(),
        binpack in any::<bool>(),
    ) {
        let mut bed = Testbed::new(zones.len() as u128);
        (1..).zip(&zones).for_each(|(number, zone)| label(&mut bed, number, "zone", &zone.to_string()));
        let web = create(&mut bed, 1, replicas, |spec| {
            spec.task.reservation.nano_cpus = cpus * CPU;
            spec.task.placement.affinities = vec!["node.labels.zone==1".parse().unwrap()];
            spec.task.placement.ranking = if binpack { Ranking::Binpack } else { Ranking::Spread };
            spec.task.placement.preferences = levels.then(|| "node.labels.zone".to_owned()).into_iter().collect();
        });
        let before = bed.wanted(web);
        let table = table(&bed, Subject::Service(web));
        let best = table.rows.first().filter(|row| matches!(row.verdict, Verdict::Fits(_))).map(|row| row.node);
        prop_assert_eq!(best.is_none(), !table.remedies.is_empty());
        bed.update(web, |spec| spec.mode = ServiceMode::Replicated { replicas: replicas + 1 });
        bed.settle();
        if table.waiting == 0 {
            let new: Vec<_> = bed.wanted(web).into_iter().filter(|task| before.iter().all(|old| old.id != task.id)).collect();
            prop_assert_eq!(new.len(), 1);
            prop_assert_eq!(new[0].node, best);
        } else {
            prop_assert_eq!(best, None);
        }
    }
}
