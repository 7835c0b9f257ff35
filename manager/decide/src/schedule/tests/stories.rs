//! Placement by example, on the simulated cluster.

use std::collections::BTreeMap;

use cluster_types::*;

use crate::testbed::{Testbed, node_id, service_id, spec};

/// A cluster whose nodes have the labels that are given for them, in order: `zone=a rack=1`.
fn cluster(labels: &[&str]) -> Testbed {
    let mut bed = Testbed::new(labels.len() as u128);
    for (number, labels) in (1..).zip(labels) {
        let labels = labels.split_whitespace().filter_map(|label| label.split_once('='));
        bed.update_node(number, |node| node.labels.extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned()))));
    }
    bed
}

fn describe(bed: &mut Testbed, number: u128, edit: impl FnOnce(&mut NodeDescription)) {
    let mut description = bed.view().node(node_id(number)).unwrap().description.clone();
    edit(&mut description);
    bed.apply(vec![Change::Node(node_id(number), NodeStep::Describe(description))]);
}

fn gpus(names: &[&str]) -> GenericPools {
    GenericPools::from([("gpu".to_owned(), GenericPool::Named(names.iter().map(|name| (*name).to_owned()).collect()))])
}

/// A service with something said of its placement.
fn placed(name: &str, replicas: u64, edit: impl FnOnce(&mut Placement)) -> ServiceSpec {
    let mut spec = spec(name, replicas);
    edit(&mut spec.task.placement);
    spec
}

fn prefers(levels: &[&str]) -> Vec<String> {
    levels.iter().map(|level| format!("node.labels.{level}")).collect()
}

/// How many tasks run on each node, from the first.
fn runs(bed: &Testbed, service: ServiceId) -> Vec<usize> {
    let running: BTreeMap<u128, usize> = bed.running(service);
    bed.view().nodes().map(|node| running.get(&node.id.bits()).copied().unwrap_or(0)).collect()
}

#[test]
fn zones_get_equal_shares_however_many_nodes_they_have() {
    let mut bed = cluster(&["zone=a", "zone=a", "zone=a", "zone=b", ""]);
    let web = bed.create(1, placed("web", 9, |placement| placement.preferences = prefers(&["zone"])));
    bed.settle();
    assert_eq!(runs(&bed, web), [1, 1, 1, 3, 3], "a, b and the node without a zone get three each");
}

#[test]
fn racks_are_balanced_within_their_zone() {
    let mut bed = cluster(&["zone=a rack=1", "zone=a rack=1", "zone=a rack=2", "zone=b rack=1"]);
    let web = bed.create(1, placed("web", 8, |placement| placement.preferences = prefers(&["zone", "rack"])));
    bed.settle();
    assert_eq!(runs(&bed, web), [1, 1, 2, 4]);
}

#[test]
fn a_full_zone_leaves_its_share_to_the_others() {
    let mut bed = cluster(&["zone=a", "zone=b"]);
    let mut web = placed("web", 10, |placement| placement.preferences = prefers(&["zone"]));
    web.task.reservation.nano_cpus = 1_000_000_000;
    describe(&mut bed, 1, |node| node.capacity.nano_cpus = 2_000_000_000);
    describe(&mut bed, 2, |node| node.capacity.nano_cpus = 64_000_000_000);
    let web = bed.create(1, web);
    bed.settle();
    assert_eq!(runs(&bed, web), [2, 8]);
}

#[test]
fn what_a_service_wishes_to_be_beside_draws_it_and_what_it_avoids_repels_it() {
    let mut bed = Testbed::new(4);
    bed.create(1, placed("db", 1, |placement| placement.constraints = vec!["node.hostname==node-3".parse().unwrap()]));
    bed.settle();
    let near = bed.create(2, placed("near", 2, |placement| placement.affinities = vec!["service==db".parse().unwrap()]));
    let far = bed.create(3, placed("far", 6, |placement| placement.affinities = vec!["service!=db".parse().unwrap()]));
    bed.settle();
    assert_eq!(runs(&bed, near), [0, 0, 2, 0]);
    assert_eq!(runs(&bed, far), [2, 2, 0, 2]);
    let by_id = format!("service=={}:100", service_id(1));
    let by_id = bed.create(4, placed("by-id", 1, |placement| placement.affinities = vec![by_id.parse().unwrap()]));
    bed.settle();
    assert_eq!(runs(&bed, by_id), [0, 0, 1, 0]);
}

#[test]
fn the_heavier_wish_wins_and_lighter_ones_add_up() {
    let mut bed = cluster(&["disk=ssd", "net=fast", "net=fast gpu=yes"]);
    let wishes = |weights: [&str; 3]| weights.map(|text| text.parse::<Affinity>().unwrap()).to_vec();
    let one = wishes(["node.labels.disk==ssd:60", "node.labels.net==fast:50", "node.labels.gpu==yes:5"]);
    let other = wishes(["node.labels.disk==ssd:60", "node.labels.net==fast:50", "node.labels.gpu==yes:20"]);
    let one = bed.create(1, placed("one", 2, |placement| placement.affinities = one));
    let other = bed.create(2, placed("other", 2, |placement| placement.affinities = other));
    bed.settle();
    assert_eq!((runs(&bed, one), runs(&bed, other)), (vec![2, 0, 0], vec![0, 0, 2]));
}

#[test]
fn an_affinity_to_itself_gathers_a_service_and_one_against_itself_changes_nothing_among_equals() {
    let mut bed = Testbed::new(3);
    let together = bed.create(1, placed("together", 3, |placement| placement.affinities = vec!["service==together".parse().unwrap()]));
    let apart = bed.create(2, placed("apart", 3, |placement| placement.affinities = vec!["service!=apart".parse().unwrap()]));
    bed.settle();
    assert_eq!(runs(&bed, together).into_iter().max(), Some(3));
    assert_eq!(runs(&bed, apart), [1, 1, 1]);
}

#[test]
fn the_larger_free_share_comes_first_and_with_binpack_the_smaller() {
    let mut bed = Testbed::new(3);
    let reserving = |name: &str, replicas, ranking| {
        let mut spec = placed(name, replicas, |placement| placement.ranking = ranking);
        spec.task.reservation.nano_cpus = 1_000_000_000;
        spec
    };
    let first = bed.create(1, placed_on(reserving("first", 1, Ranking::Spread), "node-2"));
    bed.settle();
    assert_eq!(runs(&bed, first), [0, 1, 0]);
    let packed = bed.create(2, reserving("packed", 4, Ranking::Binpack));
    bed.settle();
    assert_eq!(runs(&bed, packed), [1, 3, 0], "node-2 has room for three more");
    let spread = bed.create(3, reserving("spread", 1, Ranking::Spread));
    bed.settle();
    assert_eq!(runs(&bed, spread), [0, 0, 1]);
}

fn placed_on(mut spec: ServiceSpec, hostname: &str) -> ServiceSpec {
    spec.task.placement.constraints.push(format!("node.hostname=={hostname}").parse().unwrap());
    spec
}

#[test]
fn only_nodes_of_a_platform_of_the_image_are_taken() {
    let mut bed = Testbed::new(2);
    let platform = |arch: &str| Platform { os: "linux".to_owned(), arch: arch.to_owned() };
    describe(&mut bed, 1, |node| node.platform = platform("aarch64"));
    describe(&mut bed, 2, |node| node.platform = platform("x86_64"));
    let web = bed.create(1, placed("web", 2, |placement| placement.platforms = vec![platform("amd64")]));
    bed.settle();
    assert_eq!(runs(&bed, web), [0, 2]);
    let none = bed.create(2, placed("none", 1, |placement| placement.platforms = vec![platform("s390x")]));
    bed.settle();
    let error = bed.wanted(none)[0].status.error.clone().unwrap();
    assert_eq!(
        error,
        "no suitable node: node-1 is linux/aarch64, for which the service is not made; \
         node-2 is linux/x86_64, for which the service is not made"
    );
}

fn wants_gpus(name: &str, replicas: u64, count: u64) -> ServiceSpec {
    let mut spec = spec(name, replicas);
    spec.task.generic.insert("gpu".to_owned(), count);
    spec
}

/// The instances of the tasks that run, in order.
fn given(bed: &Testbed, service: ServiceId) -> Vec<String> {
    let tasks = bed.wanted(service).into_iter().filter(|task| task.status.state == TaskState::Running);
    let mut given: Vec<String> = tasks.flat_map(|task| task.generic.get("gpu").cloned().unwrap_or_default()).collect();
    given.sort();
    given
}

#[test]
fn each_task_gets_instances_of_its_own_and_the_next_waits_until_one_ends() {
    let mut bed = Testbed::new(2);
    describe(&mut bed, 2, |node| node.generic = gpus(&["gpu-a", "gpu-b", "gpu-c"]));
    let train = bed.create(1, wants_gpus("train", 3, 1));
    bed.settle();
    assert_eq!(given(&bed, train), ["gpu-a", "gpu-b", "gpu-c"]);
    let more = bed.create(2, wants_gpus("more", 1, 2));
    bed.settle();
    let error = bed.wanted(more)[0].status.error.clone().unwrap();
    assert_eq!(error, "no suitable node: node-1 needs 2 gpu, 0 free; node-2 needs 2 gpu, 0 free");
    bed.update(train, |spec| spec.mode = ServiceMode::Replicated { replicas: 1 });
    bed.settle();
    let all = [given(&bed, train), given(&bed, more)].concat();
    assert_eq!((given(&bed, more).len(), all.len()), (2, 3), "{all:?}");
    assert_eq!(bed.state.check(), Vec::<String>::new());
}

#[test]
fn a_task_whose_instance_is_gone_moves_and_the_others_stay() {
    let mut bed = Testbed::new(2);
    describe(&mut bed, 1, |node| node.generic = gpus(&["a", "b"]));
    describe(&mut bed, 2, |node| node.generic = GenericPools::from([("gpu".to_owned(), GenericPool::Count(2))]));
    let train = bed.create(1, wants_gpus("train", 3, 1));
    bed.settle();
    assert_eq!(runs(&bed, train), [2, 1]);
    describe(&mut bed, 1, |node| node.generic = gpus(&["b"]));
    bed.settle();
    assert_eq!(runs(&bed, train), [1, 2]);
    describe(&mut bed, 2, |node| node.generic = GenericPools::from([("gpu".to_owned(), GenericPool::Count(1))]));
    bed.settle();
    assert_eq!(runs(&bed, train), [1, 1], "the third finds none");
    assert_eq!(bed.wanted(train).iter().filter(|task| task.status.state == TaskState::Pending).count(), 1);
}

#[test]
fn a_global_service_gets_its_instances_on_each_node() {
    let mut bed = Testbed::new(2);
    describe(&mut bed, 1, |node| node.generic = gpus(&["a"]));
    let agent = bed.create(1, ServiceSpec { mode: ServiceMode::Global, ..wants_gpus("agent", 0, 1) });
    bed.settle();
    assert_eq!((runs(&bed, agent), given(&bed, agent)), (vec![1, 0], vec!["a".to_owned()]));
}
