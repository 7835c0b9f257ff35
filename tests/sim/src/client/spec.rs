//! Random specs: small numbers, so that services meet each other on nodes, ports, networks and addresses.

use std::time::Duration;

use cluster_seeds::Chance;
use cluster_state::View;
use cluster_types::{
    EndpointMode, FailureAction, HealthSpec, HealthTest, NetworkAttachment, NodeLoss, Overlap, Protocol, PublishMode, PublishedPort,
    RestartCondition, Schedule, ServiceMode, ServiceSpec, UpdateConfig, UpdateOrder,
};

use super::wish::{NodeEdit, SpecEdit, Wish};

/// Services that there may be at once.
pub(crate) const SERVICES: u64 = 6;
const NETWORKS: u64 = 3;

fn image(chance: &mut Chance) -> String {
    let kind = match chance.below(20) {
        0 => "crash",
        1 => "lost",
        2 => "bad",
        3 => "done",
        _ => "web",
    };
    format!("{kind}:{}", chance.below(4))
}

fn port(chance: &mut Chance) -> Vec<PublishedPort> {
    let ingress = |published| vec![PublishedPort { target: 80, published, protocol: Protocol::Tcp, mode: PublishMode::Ingress }];
    match chance.below(10) {
        0 => vec![PublishedPort { target: 80, published: 8_000, protocol: Protocol::Tcp, mode: PublishMode::Host }],
        1 | 2 => ingress(u16::try_from(9_000 + chance.below(3)).unwrap_or_default()),
        3 => ingress(0),
        _ => Vec::new(),
    }
}

fn networks(view: &View, chance: &mut Chance) -> Vec<NetworkAttachment> {
    let mut attachments = Vec::new();
    for network in view.networks().filter(|network| network.id != cluster_types::DEFAULT_NETWORK) {
        if chance.percent(30) {
            attachments.push(NetworkAttachment { network: network.id, aliases: Vec::new() });
        }
    }
    attachments
}

fn update(chance: &mut Chance) -> UpdateConfig {
    UpdateConfig {
        parallelism: chance.below(4),
        delay: Duration::from_secs(if chance.percent(30) { chance.within(1..=3) } else { 0 }),
        order: if chance.percent(30) { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst },
        monitor: Duration::from_secs(chance.within(0..=5)),
        failure_action: match chance.below(3) {
            0 => FailureAction::Pause,
            1 => FailureAction::Continue,
            _ => FailureAction::Rollback,
        },
        progress_deadline: Duration::from_secs(60),
        canary: if chance.percent(15) { 1 } else { 0 },
        ..UpdateConfig::default()
    }
}

/// How a container is asked for its health, if it is.
fn health(chance: &mut Chance) -> HealthSpec {
    if chance.percent(70) { HealthSpec::default() } else { check(chance) }
}

fn check(chance: &mut Chance) -> HealthSpec {
    let mut millis = |most| Some(Duration::from_millis(chance.within(200..=most)));
    HealthSpec {
        test: HealthTest::Cmd(vec!["check".to_owned()]),
        interval: millis(3_000),
        start_period: millis(4_000),
        start_interval: millis(1_000),
        timeout: None,
        retries: u32::try_from(chance.within(1..=3)).ok(),
    }
}

fn constraints(chance: &mut Chance) -> Vec<cluster_types::Constraint> {
    if chance.percent(80) { Vec::new() } else { "node.labels.zone==a".parse().into_iter().collect() }
}

/// A service.
pub(crate) fn random(name: &str, view: &View, chance: &mut Chance) -> ServiceSpec {
    let mut spec = ServiceSpec { name: name.to_owned(), update: update(chance), rollback: update(chance), ..ServiceSpec::default() };
    spec.mode = match chance.below(20) {
        0..=3 => ServiceMode::Global,
        4 | 5 => ServiceMode::ReplicatedJob { max_concurrent: chance.within(1..=3), total: chance.within(1..=5) },
        6 => ServiceMode::GlobalJob,
        _ => ServiceMode::Replicated { replicas: chance.below(7) },
    };
    spec.task.container.image = image(chance);
    if spec.mode.is_job() {
        by_the_clock(&mut spec, chance);
    }
    spec.task.placement.auto_rebalance = chance.percent(20);
    spec.task.on_node_lost = node_loss(chance);
    spec.task.container.stop_grace = Duration::from_secs(chance.within(1..=8));
    spec.task.container.health = health(chance);
    spec.task.container.readiness = if chance.percent(10) { Some(check(chance)) } else { None };
    spec.task.reservation.nano_cpus = chance.below(3) * 500_000_000;
    spec.task.restart.delay = Duration::from_secs(chance.below(4));
    spec.task.restart.max_delay = Duration::from_secs(8);
    spec.task.restart.condition = match chance.below(8) {
        0 => RestartCondition::None,
        1 | 2 => RestartCondition::OnFailure,
        _ => RestartCondition::Any,
    };
    spec.task.restart.max_attempts = if chance.percent(15) { chance.within(1..=4) } else { 0 };
    spec.task.placement.max_per_node = if chance.percent(15) { 2 } else { 0 };
    spec.task.placement.constraints = constraints(chance);
    spec.task.networks = networks(view, chance);
    spec.ports = port(chance);
    spec.endpoint.mode = if chance.percent(20) { EndpointMode::Dnsrr } else { EndpointMode::Vip };
    spec
}

/// Most tasks of jobs end; some jobs run every minute, shortly, so that they rest in between.
fn by_the_clock(spec: &mut ServiceSpec, chance: &mut Chance) {
    if chance.percent(80) {
        spec.task.container.image = format!("done:{}", chance.below(4));
    }
    if chance.percent(40) {
        if let ServiceMode::ReplicatedJob { total, .. } = &mut spec.mode {
            *total = 1;
        }
        let overlap = if chance.percent(50) { Overlap::Forbid } else { Overlap::Replace };
        spec.schedule = Some(Schedule { cron: "0 * * * * *".to_owned(), time_zone: "UTC".to_owned(), overlap });
    }
}

fn node_loss(chance: &mut Chance) -> NodeLoss {
    match chance.below(10) {
        0 => NodeLoss::Keep,
        1 | 2 => NodeLoss::Replace { after: Duration::from_secs(chance.within(1..=20)) },
        _ => NodeLoss::default(),
    }
}

fn edit(view: &View, chance: &mut Chance) -> SpecEdit {
    match chance.below(21) {
        0..=5 => SpecEdit::Replicas(chance.below(8)),
        6..=10 => SpecEdit::Image(image(chance)),
        11 => SpecEdit::Cpus(chance.below(3) * 500_000_000),
        12 | 13 => SpecEdit::Force,
        14 => SpecEdit::Ports(port(chance)),
        15 => SpecEdit::Networks(networks(view, chance)),
        16 => SpecEdit::Mode(if chance.percent(50) { EndpointMode::Dnsrr } else { EndpointMode::Vip }),
        17 => SpecEdit::Update(Box::new(update(chance))),
        18 => SpecEdit::RestartDelay(Duration::from_secs(chance.below(4))),
        19 => SpecEdit::Health(Box::new(health(chance))),
        _ => SpecEdit::Constraints(constraints(chance)),
    }
}

fn drain(chance: &mut Chance) -> NodeEdit {
    let within = Some(Duration::from_secs(chance.within(2..=40))).filter(|_| chance.percent(70));
    NodeEdit::Drain(chance.within(1..=3), within)
}

/// What a client thinks of, in view of what there is.
pub(crate) fn wish(view: &View, chance: &mut Chance) -> Option<Wish> {
    use cluster_types::{Availability, NetworkSpec, Steer};
    let name = format!("service-{}", chance.below(SERVICES));
    let network = format!("net-{}", chance.below(NETWORKS));
    let exists = view.service_by_name(&name).is_some();
    let nodes: Vec<_> = view.nodes().map(|node| node.id).collect();
    Some(match chance.below(100) {
        _ if !exists && chance.percent(60) => Wish::Create(Box::new(random(&name, view, chance))),
        0..=44 => Wish::Update(name, edit(view, chance)),
        45..=49 => Wish::Remove(name),
        50..=56 => Wish::RollBack(name),
        57..=58 => Wish::Steer(name, Steer::Pause),
        59..=62 => Wish::Steer(name, Steer::Resume),
        63..=65 => Wish::Steer(name, Steer::Promote),
        66..=69 => Wish::CreateNetwork(NetworkSpec {
            name: network,
            // Few addresses, so that they are used up.
            subnet: format!("10.{}.0.0/27", 1 + chance.below(NETWORKS)).parse().ok(),
            ..NetworkSpec::default()
        }),
        70..=71 => Wish::RemoveNetwork(network),
        72 | 73 => Wish::Rebalance,
        74 | 75 => Wish::Node(chance.pick(&nodes)?, drain(chance)),
        76..=79 => Wish::Node(chance.pick(&nodes)?, NodeEdit::Availability(Availability::Drain)),
        80..=91 => Wish::Node(chance.pick(&nodes)?, NodeEdit::Availability(Availability::Active)),
        92 => Wish::Node(chance.pick(&nodes)?, NodeEdit::Availability(Availability::Pause)),
        93..=97 => Wish::Node(chance.pick(&nodes)?, NodeEdit::Zone(chance.percent(60).then(|| "a".to_owned()))),
        98 => Wish::RemoveNode(chance.pick(nodes.get(5..)?)?),
        _ => return None,
    })
}
