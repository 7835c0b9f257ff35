//! Nothing is lost, doubled or too large.

use super::*;
use cluster_types::{
    DesiredState, EndpointAffinity, EndpointMode, EndpointView, NetworkId, ServiceId, ServiceNetworkView, ServiceView, TaskAssignment,
    TaskId, TaskSpec, Version, ViewItems, ViewKey,
};
use proptest::collection::vec;
use std::sync::Arc;

fn assignment(number: u128, padding: usize) -> Arc<TaskAssignment> {
    let mut spec = TaskSpec::default();
    spec.container.args = vec!["x".repeat(padding)];
    Arc::new(TaskAssignment {
        task: TaskId::from_bits(number),
        service: ServiceId::from_bits(1),
        service_name: "web".into(),
        slot: 1,
        desired: DesiredState::Running,
        spec: Arc::new(spec),
        ports: Vec::new(),
        addresses: Vec::new(),
        generic: std::collections::BTreeMap::new(),
    })
}

fn item(number: u128, endpoints: u32) -> Arc<ViewItem> {
    let endpoint = |number: u32| EndpointView { address: number.into(), hostname: format!("web.{number}") };
    let endpoints = (0..endpoints).map(endpoint).collect();
    let network = ServiceNetworkView { network: NetworkId::from_bits(1), vip: None, aliases: Vec::new(), endpoints };
    Arc::new(ViewItem::Service(ServiceView {
        id: ServiceId::from_bits(number),
        name: "web".into(),
        mode: EndpointMode::Vip,
        affinity: EndpointAffinity::None,
        networks: vec![network],
        ports: Vec::new(),
    }))
}

#[test]
fn nothing_is_sent_for_nothing_but_an_empty_full_set() {
    assert!(assignments(&AssignmentDiff::default()).is_empty());
    let empty = assignments(&AssignmentDiff { full: true, ..Default::default() });
    assert_eq!(empty, [pb::Assignments { full: true, ..Default::default() }]);
    assert!(network(&ViewDiff::default()).is_empty());
    let empty = network(&ViewDiff { full: true, version: Version(7), ..Default::default() });
    assert_eq!(empty, [pb::NetworkPiece { full: true, version: 7, ..Default::default() }]);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]

    #[test]
    fn the_pieces_of_assignments_are_small_and_together_say_what_the_diff_says(
        sizes in vec(0_usize..500_000, 0..12), removed in 0_u128..60_000, full: bool,
    ) {
        let put: Vec<_> = sizes.iter().enumerate().map(|(number, size)| assignment(number as u128, *size)).collect();
        let remove: Vec<_> = (0..removed).map(TaskId::from_bits).collect();
        let pieces = assignments(&AssignmentDiff { full, put: put.clone(), remove: remove.clone() });
        for (place, piece) in pieces.iter().enumerate() {
            proptest::prop_assert!(piece.encoded_len() < MESSAGE_BYTES);
            proptest::prop_assert_eq!(piece.full, full && place == 0);
            proptest::prop_assert_eq!(piece.more, place + 1 < pieces.len());
        }
        let tasks: Vec<_> = pieces.iter().flat_map(|piece| &piece.put).map(|task| task.task.clone()).collect();
        proptest::prop_assert_eq!(tasks, put.iter().map(|task| task.task.to_string()).collect::<Vec<_>>());
        let gone: Vec<_> = pieces.iter().flat_map(|piece| piece.remove.clone()).collect();
        proptest::prop_assert_eq!(gone, remove.iter().map(ToString::to_string).collect::<Vec<_>>());
    }

    #[test]
    fn the_pieces_of_a_view_are_small_and_together_make_it(
        sizes in vec(proptest::prop_oneof![3 => 0_u32..8_000, 1 => 8_000_u32..60_000], 0..6), removed in 0_u128..40_000, full: bool, version: u64,
    ) {
        let put: Vec<_> = sizes.iter().enumerate().map(|(number, endpoints)| item(1_000_000 + number as u128, *endpoints)).collect();
        let remove: Vec<_> = (0..removed).map(|number| ViewKey::Service(ServiceId::from_bits(number))).collect();
        let diff = ViewDiff { full, version: Version(version), put, remove };
        let mut items: ViewItems = (0..8).map(|number| (ViewKey::Service(ServiceId::from_bits(number)), item(number, 1))).collect();
        let mut wanted = items.clone();
        diff.apply(&mut wanted);
        let pieces = network(&diff);
        for (place, piece) in pieces.iter().enumerate() {
            proptest::prop_assert!(piece.encoded_len() < MESSAGE_BYTES);
            proptest::prop_assert_eq!((piece.full, piece.version), (full && place == 0, version));
            proptest::prop_assert_eq!(piece.more, place + 1 < pieces.len());
        }
        let mut whole = ViewDiff::default();
        pieces.into_iter().for_each(|piece| whole.gather(ViewDiff::try_from(piece).unwrap()));
        whole.apply(&mut items);
        proptest::prop_assert_eq!(items, wanted);
    }
}
