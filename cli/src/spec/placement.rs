//! Flags of where tasks run: constraints, preferences, affinities, platforms, generic resources.

use std::time::Duration;

use clap::Args;
use cluster_types::{Affinity, Constraint, GenericNeeds, NodeLoss, Placement, Platform, Ranking, TaskSpec};

use super::bounds::set;
use super::value;

/// Where tasks run: what has one value. The same for `create` and `update`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Placement")]
pub(crate) struct Placing {
    /// Most tasks of the service on one node (0: no limit)
    #[arg(long, value_name = "N")]
    replicas_max_per_node: Option<u64>,
    /// How nodes that are otherwise equal are ranked: spread (the emptier first) or binpack (the fuller first)
    #[arg(long, value_name = "RANKING", value_parser = ranking)]
    placement_ranking: Option<Ranking>,
    /// Move running tasks to nodes that join or return, until they are spread evenly
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    auto_rebalance: Option<bool>,
    /// What happens to tasks whose node is lost: keep (wait for it), replace, or replace=AFTER such as replace=5m
    #[arg(long, value_name = "RULE", value_parser = node_loss)]
    on_node_lost: Option<NodeLoss>,
}

/// Where the tasks of a new service run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Placement")]
pub(crate) struct Places {
    /// Only nodes where this holds, such as node.labels.zone==a
    #[arg(long, value_name = "EXPRESSION", value_parser = value::constraint)]
    constraint: Vec<Constraint>,
    /// Spread the tasks over the values of a label, such as spread=node.labels.zone; the most important first
    #[arg(long, value_name = "PREFERENCE", value_parser = preference)]
    placement_pref: Vec<String>,
    /// Rather beside a service (service==db), away from it (service!=db) or where a constraint holds; with :WEIGHT from 1 to 100
    #[arg(long, value_name = "WISH", value_parser = affinity)]
    affinity: Vec<Affinity>,
    /// Only nodes of this platform, such as linux/amd64
    #[arg(long, value_name = "OS/ARCH", value_parser = platform)]
    platform: Vec<Platform>,
    /// Generic resource that each task is given, such as gpu=2
    #[arg(long, value_name = "KIND=N", value_parser = generic)]
    generic_resource: Vec<(String, u64)>,
}

/// Changes of where tasks run. What is added takes the place of what is of the same kind.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Placement")]
pub(crate) struct Replaces {
    /// Add a placement constraint
    #[arg(long, value_name = "EXPRESSION", value_parser = value::constraint)]
    constraint_add: Vec<Constraint>,
    /// Take a placement constraint away
    #[arg(long, value_name = "EXPRESSION", value_parser = value::constraint)]
    constraint_rm: Vec<Constraint>,
    /// Spread the tasks over the values of another label, such as spread=node.labels.zone
    #[arg(long, value_name = "PREFERENCE", value_parser = preference)]
    placement_pref_add: Vec<String>,
    /// Do not spread over this label
    #[arg(long, value_name = "PREFERENCE", value_parser = preference)]
    placement_pref_rm: Vec<String>,
    /// Add a wish, such as service==db:50
    #[arg(long, value_name = "WISH", value_parser = affinity)]
    affinity_add: Vec<Affinity>,
    /// Take a wish away, whatever its weight
    #[arg(long, value_name = "WISH", value_parser = affinity)]
    affinity_rm: Vec<Affinity>,
    /// Allow nodes of another platform
    #[arg(long, value_name = "OS/ARCH", value_parser = platform)]
    platform_add: Vec<Platform>,
    /// Do not name this platform any more
    #[arg(long, value_name = "OS/ARCH", value_parser = platform)]
    platform_rm: Vec<Platform>,
    /// Set how much of a generic resource each task is given
    #[arg(long, value_name = "KIND=N", value_parser = generic)]
    generic_resource_add: Vec<(String, u64)>,
    /// Give the tasks none of this generic resource
    #[arg(long, value_name = "KIND")]
    generic_resource_rm: Vec<String>,
}

impl Placing {
    /// Sets what was given.
    pub(crate) fn apply(&self, task: &mut TaskSpec) {
        set(&mut task.placement.max_per_node, self.replicas_max_per_node);
        set(&mut task.placement.ranking, self.placement_ranking);
        set(&mut task.placement.auto_rebalance, self.auto_rebalance);
        set(&mut task.on_node_lost, self.on_node_lost);
    }
}

impl Places {
    /// Where they run, and what they are given there.
    pub(crate) fn into_parts(self) -> (Placement, GenericNeeds) {
        let placement = Placement {
            constraints: self.constraint,
            preferences: self.placement_pref,
            affinities: self.affinity,
            platforms: self.platform,
            ..Placement::default()
        };
        (placement, self.generic_resource.into_iter().collect())
    }
}

impl Replaces {
    /// Takes away, then adds.
    pub(crate) fn apply(&self, task: &mut TaskSpec) {
        let placement = &mut task.placement;
        change(&mut placement.constraints, &self.constraint_add, &self.constraint_rm, |a, b| a == b);
        change(&mut placement.preferences, &self.placement_pref_add, &self.placement_pref_rm, |a, b| a == b);
        change(&mut placement.affinities, &self.affinity_add, &self.affinity_rm, |a, b| a.target == b.target);
        change(&mut placement.platforms, &self.platform_add, &self.platform_rm, |a, b| a == b);
        task.generic.retain(|kind, _| !self.generic_resource_rm.contains(kind));
        task.generic.extend(self.generic_resource_add.iter().cloned());
    }
}

/// Takes away what is the same as one of `gone`, and puts `new` in: in the place of the same one, else at the end.
fn change<T: Clone>(list: &mut Vec<T>, new: &[T], gone: &[T], same: impl Fn(&T, &T) -> bool) {
    list.retain(|old| !gone.iter().any(|gone| same(old, gone)));
    for item in new {
        match list.iter_mut().find(|old| same(old, item)) {
            Some(old) => *old = item.clone(),
            None => list.push(item.clone()),
        }
    }
}

/// The label of `spread=LABEL`: docker's only strategy.
fn preference(text: &str) -> Result<String, String> {
    match text.split_once('=').map(|(strategy, label)| (strategy.trim(), label.trim())) {
        Some(("spread", label)) if !label.is_empty() => Ok(label.to_owned()),
        _ => Err(format!("`{text}` is not a placement preference: write it like spread=node.labels.zone")),
    }
}

fn affinity(text: &str) -> Result<Affinity, String> {
    text.parse().map_err(|error| format!("{error}: write it like service==db, service!=web:80 or node.labels.disk==ssd:20"))
}

fn ranking(text: &str) -> Result<Ranking, String> {
    match text {
        "spread" => Ok(Ranking::Spread),
        "binpack" => Ok(Ranking::Binpack),
        other => Err(format!("`{other}` is no ranking: use spread or binpack")),
    }
}

fn platform(text: &str) -> Result<Platform, String> {
    match text.split_once('/') {
        Some((os, arch)) if !os.is_empty() && !arch.is_empty() => Ok(Platform { os: os.to_owned(), arch: arch.to_owned() }),
        _ => Err(format!("`{text}` is not a platform: write it like linux/amd64")),
    }
}

fn generic(text: &str) -> Result<(String, u64), String> {
    let wrong = || format!("`{text}` is not a generic resource: write it like gpu=2");
    let (kind, count) = text.split_once('=').filter(|(kind, _)| !kind.trim().is_empty()).ok_or_else(wrong)?;
    let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
    Ok((kind.trim().to_owned(), count))
}

fn node_loss(text: &str) -> Result<NodeLoss, String> {
    match text.split_once('=').unwrap_or((text, "0")) {
        ("keep", "0") => Ok(NodeLoss::Keep),
        ("replace", after) => value::duration(after).map(|after| NodeLoss::Replace { after }),
        _ => Err(format!("`{text}` is no rule for lost nodes: use keep, replace or replace=AFTER, such as replace=5m")),
    }
}

/// How a rule for lost nodes is written.
pub(crate) fn node_loss_word(loss: NodeLoss) -> String {
    match loss {
        NodeLoss::Keep => "keep".to_owned(),
        NodeLoss::Replace { after } if after == Duration::ZERO => "replace".to_owned(),
        NodeLoss::Replace { after } => format!("replace={}", humantime::format_duration(after).to_string().replace(' ', "")),
    }
}
