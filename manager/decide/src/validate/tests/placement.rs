//! Preferences, affinities, platforms and generic resources.

use cluster_types::*;

use super::refused;

const NONE: [&str; 0] = [];

#[test]
fn what_placement_may_say() {
    let problems = refused(|spec| {
        let placement = &mut spec.task.placement;
        placement.preferences =
            ["node.labels.zone", "node.labels.rack", "node.hostname", "node.role", "node.platform.arch"].map(str::to_owned).to_vec();
        placement.affinities = ["service==db:100", "service!=web:1", "node.labels.disk==ssd"].map(|text| text.parse().unwrap()).to_vec();
        placement.platforms = vec![Platform { os: "linux".to_owned(), arch: String::new() }];
        spec.task.generic = [("gpu", 1), ("vendor.com/gpu", limits::GENERIC_COUNT)].map(|(kind, count)| (kind.to_owned(), count)).into();
    });
    assert_eq!(problems, NONE);
}

#[test]
fn what_it_may_not_say() {
    let placement = |edit: fn(&mut Placement)| refused(|spec| edit(&mut spec.task.placement));
    assert_eq!(placement(|it| it.preferences = vec!["zone".to_owned()]), ["task.placement.preferences[0]"]);
    assert_eq!(placement(|it| it.preferences = vec!["node.role".to_owned(), "Node.Role".to_owned()]), ["task.placement.preferences"]);
    let far = |weight| Affinity { target: AffinityTarget::Without("db".to_owned()), weight };
    assert_eq!(
        refused(|spec| spec.task.placement.affinities = vec![far(1), far(0), far(101)]),
        ["task.placement.affinities[1].weight", "task.placement.affinities[2].weight"]
    );
    let with = |name: &str| Affinity { target: AffinityTarget::With(name.to_owned()), weight: 1 };
    assert_eq!(
        refused(|spec| spec.task.placement.affinities = vec![with(""), with("no name")]),
        ["task.placement.affinities[0]", "task.placement.affinities[1]"]
    );
    assert_eq!(placement(|it| it.affinities = vec!["node.role==king".parse().unwrap()]), ["task.placement.affinities[0]"]);
    assert_eq!(placement(|it| it.platforms = vec![Platform::default()]), ["task.placement.platforms[0]"]);
    assert_eq!(
        placement(|it| it.platforms = vec![Platform { os: "li nux".to_owned(), arch: String::new() }]),
        ["task.placement.platforms[0].os"]
    );
}

#[test]
fn generic_kinds_are_named_few_and_counted() {
    let generic = |kind: &str, count| refused(|spec| spec.task.generic = GenericNeeds::from([(kind.to_owned(), count)]));
    assert_eq!(generic("gpu", 0), ["task.generic[`gpu`]"]);
    assert_eq!(generic("gpu", limits::GENERIC_COUNT + 1), ["task.generic[`gpu`]"]);
    assert_eq!(generic("g p", 1), ["task.generic[`g p`]"]);
    assert_eq!(generic("", 1), ["task.generic[``]"]);
    let kinds = |count: usize| refused(|spec| spec.task.generic = (0..count).map(|kind| (format!("k{kind}"), 1)).collect());
    assert_eq!((kinds(limits::PLACEMENT_TERMS), kinds(limits::PLACEMENT_TERMS + 1)), (vec![], vec!["task.generic".to_owned()]));
}
