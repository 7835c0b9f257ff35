//! Applies the flags of `service update` to the spec that a service has.

use std::collections::BTreeMap;

use cluster_types::{ContainerSpec, ServiceMode, ServiceSpec};

use super::network::NetworkIds;
use super::update::UpdateFlags;
use super::{env, network, words};
use crate::failure::Failure;

/// The new spec. What is not named stays.
pub(crate) fn edit(flags: &UpdateFlags, networks: &NetworkIds, old: &ServiceSpec) -> Result<ServiceSpec, Failure> {
    let mut spec = old.clone();
    if let Some(replicas) = flags.replicas {
        spec.mode = scaled(&spec, replicas)?;
    }
    map(&mut spec.labels, &flags.label_add, &flags.label_rm);
    ports(flags, &mut spec);
    network::edit(&mut spec.task, &flags.network_rm, &flags.network_add, networks)?;
    flags.places.apply(&mut spec.task);
    container(flags, &mut spec.task.container)?;
    flags.shared.apply(&mut spec).map_err(Failure::usage)?;
    spec.task.force_update += u64::from(flags.force);
    Ok(spec)
}

/// The same with new tasks, without canaries.
pub(crate) fn forced(old: &ServiceSpec) -> ServiceSpec {
    let mut spec = old.clone();
    spec.task.force_update += 1;
    spec.update.canary = 0;
    spec
}

/// The mode with another number of replicas; a global service has none.
pub(crate) fn scaled(spec: &ServiceSpec, replicas: u64) -> Result<ServiceMode, Failure> {
    match spec.mode {
        ServiceMode::Replicated { .. } => Ok(ServiceMode::Replicated { replicas }),
        ServiceMode::ReplicatedJob { max_concurrent, .. } => Ok(ServiceMode::ReplicatedJob { max_concurrent, total: replicas }),
        ServiceMode::Global | ServiceMode::GlobalJob => {
            Err(Failure::new("E0202", format!("{} is a global service: it runs once on each node", spec.name))
                .fix("choose its nodes with labels and --constraint-add instead of a number"))
        }
    }
}

fn ports(flags: &UpdateFlags, spec: &mut ServiceSpec) {
    spec.ports.retain(|port| !flags.publish_rm.iter().any(|gone| gone.means(port)));
    for port in flags.publish_add.iter().flat_map(|publish| &publish.0) {
        spec.ports.retain(|old| !(old.published == port.published && old.target == port.target && old.protocol == port.protocol));
        spec.ports.push(*port);
    }
}

fn container(flags: &UpdateFlags, container: &mut ContainerSpec) -> Result<(), Failure> {
    if let Some(image) = &flags.image {
        container.image.clone_from(image);
    }
    if let Some(args) = &flags.args {
        container.args = words::split(args).map_err(|error| Failure::usage(format!("--args: {error}")))?;
    }
    container.env.retain(|variable| !flags.env_rm.iter().any(|key| key == env::key(variable)));
    for variable in env::variables(&[], &flags.env_add)? {
        env::set(&mut container.env, variable);
    }
    container.mounts.retain(|mount| !flags.mount_rm.contains(&mount.target));
    for mount in &flags.mount_add {
        container.mounts.retain(|old| old.target != mount.target);
        container.mounts.push(mount.clone());
    }
    container.ulimits.retain(|ulimit| !flags.ulimit_rm.contains(&ulimit.name));
    for ulimit in &flags.ulimit_add {
        container.ulimits.retain(|old| old.name != ulimit.name);
        container.ulimits.push(ulimit.clone());
    }
    map(&mut container.labels, &flags.container_label_add, &flags.container_label_rm);
    map(&mut container.sysctls, &flags.sysctl_add, &flags.sysctl_rm);
    container.hosts.retain(|line| !flags.host_rm.iter().any(|gone| is_host(line, gone)));
    list(&mut container.hosts, &flags.host_add, &[]);
    list(&mut container.dns, &flags.dns_add, &flags.dns_rm);
    list(&mut container.groups, &flags.group_add, &flags.group_rm);
    capabilities(flags, container);
    Ok(())
}

/// Whether `gone` (`NAME` or `NAME:ADDRESS`) means the line `NAME:ADDRESS`.
fn is_host(line: &str, gone: &str) -> bool {
    line == gone || line.split_once(':').is_some_and(|(name, _)| name == gone)
}

/// As docker: adding one that was dropped only undoes the drop, and the other way round.
fn capabilities(flags: &UpdateFlags, container: &mut ContainerSpec) {
    for capability in &flags.cap_add {
        toggle(capability, &mut container.cap_drop, &mut container.cap_add);
    }
    for capability in &flags.cap_drop {
        toggle(capability, &mut container.cap_add, &mut container.cap_drop);
    }
}

fn toggle(capability: &String, opposite: &mut Vec<String>, list: &mut Vec<String>) {
    let before = opposite.len();
    opposite.retain(|other| other != capability);
    if opposite.len() == before && !list.contains(capability) {
        list.push(capability.clone());
    }
}

fn list(items: &mut Vec<String>, add: &[String], remove: &[String]) {
    items.retain(|item| !remove.contains(item));
    for item in add {
        if !items.contains(item) {
            items.push(item.clone());
        }
    }
}

fn map(items: &mut BTreeMap<String, String>, add: &[(String, String)], remove: &[String]) {
    items.retain(|key, _| !remove.contains(key));
    items.extend(add.iter().cloned());
}
