//! Specs with docker's keys.

use cluster_types::{
    ContainerSpec, EndpointAffinity, HealthSpec, HealthTest, Mount, MountKind, NetworkAttachment, NetworkMode, NodeLoss, Platform,
    PublishMode, PublishedPort, Ranking, RestartPolicy, ServiceMode, ServiceSpec, TaskSpec, Ulimit, UpdateConfig,
};
use serde_json::{Map, Value, json};

use super::{generic, nanoseconds, put};
use crate::render::row::protocol;
use crate::spec::placement::node_loss_word;

/// A service's spec.
pub(super) fn service(spec: &ServiceSpec) -> Value {
    let mode = match spec.mode {
        ServiceMode::Replicated { replicas } => json!({ "Replicated": { "Replicas": replicas } }),
        ServiceMode::Global => json!({ "Global": {} }),
        ServiceMode::ReplicatedJob { max_concurrent, total } => {
            json!({ "ReplicatedJob": { "MaxConcurrent": max_concurrent, "TotalCompletions": total } })
        }
        ServiceMode::GlobalJob => json!({ "GlobalJob": {} }),
    };
    let mut object = json!({
        "Name": spec.name,
        "Labels": spec.labels,
        "TaskTemplate": template(&spec.task),
        "Mode": mode,
        "UpdateConfig": update(&spec.update),
        "RollbackConfig": update(&spec.rollback),
        "EndpointSpec": endpoint(spec),
    });
    if let Some(schedule) = &spec.schedule {
        // Docker has no schedules.
        object["Schedule"] = json!({ "Cron": schedule.cron, "TimeZone": schedule.time_zone, "Overlap": schedule.overlap });
    }
    object
}

fn update(config: &UpdateConfig) -> Value {
    let mut object = json!({
        "Parallelism": config.parallelism,
        "Delay": nanoseconds(config.delay),
        "FailureAction": config.failure_action,
        "Monitor": nanoseconds(config.monitor),
        "MaxFailureRatio": f64::from(config.max_failure_ratio.0) / 1_000.0,
        "Order": config.order,
        "ProgressDeadline": nanoseconds(config.progress_deadline),
    });
    if config.canary > 0 {
        object["Canary"] = json!(config.canary);
    }
    object
}

fn placement(task: &TaskSpec) -> Value {
    let placement = &task.placement;
    let mut object = Map::new();
    put(&mut object, "Constraints", placement.constraints.iter().map(ToString::to_string).collect());
    let spread = |label: &String| json!({ "Spread": { "SpreadDescriptor": label } });
    put(&mut object, "Preferences", placement.preferences.iter().map(spread).collect());
    put(&mut object, "MaxReplicas", json!(placement.max_per_node));
    let platform = |platform: &Platform| json!({ "Architecture": platform.arch, "OS": platform.os });
    put(&mut object, "Platforms", placement.platforms.iter().map(platform).collect());
    // Docker has neither.
    put(&mut object, "Affinities", placement.affinities.iter().map(ToString::to_string).collect());
    if placement.auto_rebalance {
        put(&mut object, "AutoRebalance", json!(true));
    }
    if placement.ranking != Ranking::default() {
        put(&mut object, "Ranking", json!(placement.ranking));
    }
    Value::Object(object)
}

/// A check as docker writes it; nothing for what is as the image says.
fn health(check: &HealthSpec) -> Value {
    let mut object = Map::new();
    match &check.test {
        HealthTest::Inherit => {}
        HealthTest::None => put(&mut object, "Test", json!(["NONE"])),
        HealthTest::Cmd(command) => {
            put(&mut object, "Test", std::iter::once("CMD").chain(command.iter().map(String::as_str)).collect());
        }
        HealthTest::CmdShell(line) => put(&mut object, "Test", json!(["CMD-SHELL", line])),
    }
    put(&mut object, "Interval", check.interval.map_or(Value::Null, nanoseconds));
    put(&mut object, "Timeout", check.timeout.map_or(Value::Null, nanoseconds));
    put(&mut object, "Retries", json!(check.retries));
    put(&mut object, "StartPeriod", check.start_period.map_or(Value::Null, nanoseconds));
    put(&mut object, "StartInterval", check.start_interval.map_or(Value::Null, nanoseconds));
    Value::Object(object)
}

/// How clients reach a service, as its spec has it.
pub(super) fn endpoint(spec: &ServiceSpec) -> Value {
    let mut object = Map::new();
    put(&mut object, "Mode", json!(spec.endpoint.mode));
    if spec.endpoint.affinity != EndpointAffinity::None {
        // Docker has no word for it.
        put(&mut object, "Affinity", json!(spec.endpoint.affinity));
    }
    put(&mut object, "Ports", ports(&spec.ports));
    Value::Object(object)
}

/// Ports.
pub(super) fn ports(ports: &[PublishedPort]) -> Value {
    let port = |port: &PublishedPort| {
        let mut object = Map::new();
        put(&mut object, "Protocol", json!(protocol(port.protocol)));
        put(&mut object, "TargetPort", json!(port.target));
        put(&mut object, "PublishedPort", json!(port.published));
        put(
            &mut object,
            "PublishMode",
            json!(match port.mode {
                PublishMode::Ingress => "ingress",
                PublishMode::Host => "host",
            }),
        );
        Value::Object(object)
    };
    ports.iter().map(port).collect()
}

fn template(task: &TaskSpec) -> Value {
    let mut object = Map::new();
    put(&mut object, "ContainerSpec", container(&task.container));
    put(&mut object, "Resources", resources(task));
    put(&mut object, "RestartPolicy", restart(&task.restart));
    object.insert("Placement".to_owned(), placement(task));
    if task.on_node_lost != NodeLoss::default() {
        put(&mut object, "OnNodeLost", json!(node_loss_word(task.on_node_lost)));
    }
    match task.network {
        NetworkMode::Default => put(&mut object, "Networks", task.networks.iter().map(attachment).collect()),
        NetworkMode::Host => put(&mut object, "Networks", json!([{ "Target": "host" }])),
        NetworkMode::None => put(&mut object, "Networks", json!([{ "Target": "none" }])),
    }
    object.insert("ForceUpdate".to_owned(), json!(task.force_update));
    object.insert("Runtime".to_owned(), json!("container"));
    Value::Object(object)
}

fn resources(task: &TaskSpec) -> Value {
    let (mut limits, mut reservations, mut object) = (Map::new(), Map::new(), Map::new());
    put(&mut limits, "NanoCPUs", json!(task.limits.nano_cpus));
    put(&mut limits, "MemoryBytes", json!(task.limits.memory));
    put(&mut limits, "Pids", json!(task.limits.pids));
    put(&mut reservations, "NanoCPUs", json!(task.reservation.nano_cpus));
    put(&mut reservations, "MemoryBytes", json!(task.reservation.memory));
    put(&mut reservations, "GenericResources", generic::needs(&task.generic));
    put(&mut object, "Limits", Value::Object(limits));
    put(&mut object, "Reservations", Value::Object(reservations));
    Value::Object(object)
}

fn attachment(attachment: &NetworkAttachment) -> Value {
    let mut object = Map::new();
    put(&mut object, "Target", json!(attachment.network.to_string()));
    put(&mut object, "Aliases", json!(attachment.aliases));
    Value::Object(object)
}

fn restart(policy: &RestartPolicy) -> Value {
    json!({
        "Condition": policy.condition,
        "Delay": nanoseconds(policy.delay),
        "MaxDelay": nanoseconds(policy.max_delay),
        "MaxAttempts": policy.max_attempts,
        "Window": nanoseconds(policy.window),
    })
}

fn container(spec: &ContainerSpec) -> Value {
    let mut object = Map::new();
    put(&mut object, "Image", json!(spec.image));
    put(&mut object, "Labels", json!(spec.labels));
    put(&mut object, "Command", json!(spec.command));
    put(&mut object, "Args", json!(spec.args));
    put(&mut object, "Hostname", json!(spec.hostname));
    put(&mut object, "Env", json!(spec.env));
    put(&mut object, "Dir", json!(spec.dir));
    put(&mut object, "User", json!(spec.user));
    put(&mut object, "Groups", json!(spec.groups));
    put(&mut object, "StopSignal", json!(spec.stop_signal));
    put(&mut object, "StopGracePeriod", nanoseconds(spec.stop_grace));
    put(&mut object, "Init", json!(spec.init));
    put(&mut object, "ReadOnly", json!(spec.read_only));
    put(&mut object, "Mounts", spec.mounts.iter().map(mount).collect());
    // Docker keeps lines of /etc/hosts as `ADDRESS NAME`.
    let line = |line: &String| line.split_once(':').map_or_else(|| line.clone(), |(name, address)| format!("{address} {name}"));
    put(&mut object, "Hosts", json!(spec.hosts.iter().map(line).collect::<Vec<_>>()));
    if !spec.dns.is_empty() {
        put(&mut object, "DNSConfig", json!({ "Nameservers": spec.dns }));
    }
    if spec.no_new_privileges {
        put(&mut object, "Privileges", json!({ "NoNewPrivileges": true }));
    }
    put(&mut object, "CapabilityAdd", json!(spec.cap_add));
    put(&mut object, "CapabilityDrop", json!(spec.cap_drop));
    put(&mut object, "Healthcheck", health(&spec.health));
    put(&mut object, "Readiness", spec.readiness.as_ref().map_or(Value::Null, health));
    put(&mut object, "Ulimits", spec.ulimits.iter().map(ulimit).collect());
    put(&mut object, "Sysctls", json!(spec.sysctls));
    Value::Object(object)
}

/// Docker writes "unlimited" as -1.
fn ulimit(ulimit: &Ulimit) -> Value {
    let number = |value: u64| i64::try_from(value).unwrap_or(-1);
    json!({ "Name": ulimit.name, "Soft": number(ulimit.soft), "Hard": number(ulimit.hard) })
}

fn mount(mount: &Mount) -> Value {
    let mut object = Map::new();
    match &mount.kind {
        MountKind::Bind { source } => {
            put(&mut object, "Type", json!("bind"));
            put(&mut object, "Source", json!(source));
        }
        MountKind::Tmpfs { size, mode } => {
            put(&mut object, "Type", json!("tmpfs"));
            let mut options = Map::new();
            put(&mut options, "SizeBytes", json!(size));
            put(&mut options, "Mode", json!(mode));
            put(&mut object, "TmpfsOptions", Value::Object(options));
        }
    }
    put(&mut object, "Target", json!(mount.target));
    object.insert("ReadOnly".to_owned(), json!(mount.read_only));
    Value::Object(object)
}
