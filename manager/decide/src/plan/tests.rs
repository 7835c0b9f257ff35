//! Previews by example, and that what a preview says is what happens.

use std::collections::BTreeMap;

use cluster_types::*;
use proptest::prelude::*;

use super::*;
use crate::testbed::{Testbed, host_port, node_id, service_id, spec};

fn preview_of(bed: &Testbed, wish: Wish) -> Preview {
    preview(&bed.view(), bed.now, &wish).unwrap()
}

fn edited(bed: &Testbed, id: ServiceId, edit: impl FnOnce(&mut ServiceSpec)) -> Wish {
    let mut spec = ServiceSpec::clone(&bed.view().service(id).unwrap().spec);
    edit(&mut spec);
    Wish::Update(id, spec)
}

fn on(nodes: &[(u128, u64)]) -> BTreeMap<NodeId, u64> {
    nodes.iter().map(|(node, count)| (node_id(*node), *count)).collect()
}

#[test]
fn a_new_service_says_where_it_would_go_and_leaves_the_cluster_alone() {
    let bed = Testbed::new(2);
    let before = bed.state.hash();
    let preview = preview_of(&bed, Wish::Create(spec("web", 3)));
    assert_eq!((preview.starts, preview.stops, preview.kept), (on(&[(1, 2), (2, 1)]), on(&[]), 0));
    assert_eq!((preview.index, preview.version, preview.settles, preview.never), (bed.view().index(), None, true, None));
    assert_eq!(bed.state.hash(), before);
}

#[test]
fn what_would_wait_is_counted_with_the_reason() {
    let mut bed = Testbed::new(2);
    let mut web = spec("web", 3);
    web.ports.push(host_port(80));
    let first = preview_of(&bed, Wish::Create(web));
    assert_eq!(first.starts, on(&[(1, 1), (2, 1)]));
    assert_eq!(first.waits.values().sum::<u64>(), 1);
    assert!(first.waits.keys().all(|reason| reason.contains("node-1 port 80/tcp is taken")), "{:?}", first.waits);
    assert!(first.never.unwrap().starts_with("only 2 of 3"));
    bed.create(1, spec("web", 1));
    assert!(matches!(preview(&bed.view(), bed.now, &Wish::Create(spec("web", 1))), Err(Rejection::NameTaken { .. })));
    let gone = Wish::Update(service_id(9), spec("x", 1));
    assert!(matches!(preview(&bed.view(), bed.now, &gone), Err(Rejection::Missing(_))));
}

#[test]
fn scaling_keeps_what_runs() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 2));
    bed.settle();
    let up = preview_of(&bed, edited(&bed, web, |spec| spec.mode = ServiceMode::Replicated { replicas: 5 }));
    assert_eq!((up.kept, up.starts.values().sum::<u64>(), up.stops), (2, 3, on(&[])));
    assert_eq!(up.version, Some(bed.view().service(web).unwrap().meta.version));
    let down = preview_of(&bed, edited(&bed, web, |spec| spec.mode = ServiceMode::Replicated { replicas: 1 }));
    assert_eq!((down.kept, down.starts, down.stops.values().sum::<u64>()), (1, on(&[]), 1));
}

#[test]
fn an_update_is_seen_to_its_end_through_its_delays() {
    let mut bed = Testbed::new(2);
    let web = bed.create(1, spec("web", 4));
    bed.settle();
    let update = |image: &str| {
        let image = image.to_owned();
        edited(&bed, web, |spec| {
            spec.task.container.image = image;
            spec.update.delay = std::time::Duration::from_secs(3_600);
        })
    };
    let preview = preview_of(&bed, update("web:2"));
    assert_eq!((preview.kept, preview.stops, preview.settles), (0, on(&[(1, 2), (2, 2)]), true));
    assert_eq!(preview.update, Some(UpdateState::Completed));
    assert_eq!(preview.starts.values().sum::<u64>(), 4);
    assert!(preview.fields.iter().any(|change| change.field == "task.container.image"));
    let same = preview_of(&bed, update("web:1"));
    assert_eq!((same.kept, same.starts, same.stops), (4, on(&[]), on(&[])), "a delay restarts nothing");
}

#[test]
fn an_update_that_finds_no_room_says_so() {
    let mut bed = Testbed::new(1);
    let web = bed.create(1, spec("web", 3));
    bed.settle();
    let large = preview_of(&bed, edited(&bed, web, |spec| spec.task.reservation.nano_cpus = 9_000_000_000));
    assert_eq!(large.waits.len(), 1, "{large:?}");
    assert!(large.never.is_some() && large.starts.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// On a settled cluster a preview of a new or scaled service is what then happens.
    #[test]
    fn a_preview_comes_true(nodes in 1_u128..5, before in 0_u64..6, after in 0_u64..8, cpus in 0_u64..3, port in any::<bool>()) {
        let mut bed = Testbed::new(nodes);
        bed.create(2, spec("other", 2));
        let mut web = spec("web", before);
        web.task.reservation.nano_cpus = cpus * 1_000_000_000;
        web.ports.extend(port.then(|| host_port(80)));
        let id = bed.create(1, web);
        bed.settle();
        let wish = edited(&bed, id, |spec| spec.mode = ServiceMode::Replicated { replicas: after });
        let expected = preview_of(&bed, wish);
        let was = bed.running(id);
        bed.update(id, |spec| spec.mode = ServiceMode::Replicated { replicas: after });
        bed.settle();
        let is = bed.running(id);
        for node in 1..=nodes {
            let count = |map: &BTreeMap<NodeId, u64>| map.get(&node_id(node)).copied().unwrap_or(0);
            let had = was.get(&node).copied().unwrap_or(0) as u64;
            let has = is.get(&node).copied().unwrap_or(0) as u64;
            prop_assert_eq!(had + count(&expected.starts) - count(&expected.stops), has, "node {}: {:?}", node, expected);
        }
        let waiting = bed.wanted(id).iter().filter(|task| task.status.state < TaskState::Assigned).count() as u64;
        prop_assert_eq!(expected.waits.values().sum::<u64>(), waiting);
    }
}
