//! `--network`: which networks a service takes part in, or that its containers have the host's namespace or none. Names become ids here; what
//! a name means is the server's to say (`commands/service/networks.rs` asks).

use std::collections::BTreeMap;

use cluster_types::{DEFAULT_NETWORK, NetworkAttachment, NetworkId, NetworkMode, TaskSpec};

use crate::failure::Failure;

/// The ids of the networks that flags name, by what they are called there.
pub(crate) type NetworkIds = BTreeMap<String, NetworkId>;

/// One `--network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NetworkFlag {
    /// `host` or `none`: no network of the cluster.
    Mode(NetworkMode),
    /// A network of the cluster.
    Named {
        /// Its name or id.
        name: String,
        /// Further names of the service there.
        aliases: Vec<String>,
    },
}

impl NetworkFlag {
    /// What the server is to be asked for.
    pub(crate) fn reference(&self) -> Option<&str> {
        match self {
            Self::Mode(_) => None,
            Self::Named { name, .. } => Some(name),
        }
    }
}

/// `back`, `host`, `none`, or `name=back,alias=db,alias=postgres`.
pub(crate) fn network(text: &str) -> Result<NetworkFlag, String> {
    if text.contains('=') { long(text) } else { short(text) }
}

fn short(text: &str) -> Result<NetworkFlag, String> {
    match text {
        "" => Err("the name of the network is missing".to_owned()),
        "host" => Ok(NetworkFlag::Mode(NetworkMode::Host)),
        "none" => Ok(NetworkFlag::Mode(NetworkMode::None)),
        name => Ok(NetworkFlag::Named { name: name.to_owned(), aliases: Vec::new() }),
    }
}

fn long(text: &str) -> Result<NetworkFlag, String> {
    let (mut name, mut aliases) = (None, Vec::new());
    for part in text.split(',') {
        let (key, value) =
            part.split_once('=').filter(|(_, value)| !value.is_empty()).ok_or_else(|| format!("`{part}` is not KEY=VALUE"))?;
        match key.trim().to_ascii_lowercase().as_str() {
            "name" if name.is_none() => name = Some(short(value)?),
            "name" => return Err(format!("`{text}` names two networks: give --network once for each")),
            "alias" => aliases.push(value.to_owned()),
            "driver-opt" => return Err("options of network drivers are not supported yet".to_owned()),
            other => return Err(format!("`{other}` is no key of a network: use name and alias")),
        }
    }
    match name {
        None => Err(format!("`{text}` has no name of a network: write name=NETWORK")),
        Some(NetworkFlag::Named { name, .. }) => Ok(NetworkFlag::Named { name, aliases }),
        Some(mode) if aliases.is_empty() => Ok(mode),
        Some(_) => Err(format!("`{text}`: there are no names without a network of the cluster")),
    }
}

/// Gives a new task template its networks.
pub(super) fn attach(task: &mut TaskSpec, flags: &[NetworkFlag], ids: &NetworkIds) -> Result<(), Failure> {
    for flag in flags {
        match flag {
            NetworkFlag::Mode(mode) => task.network = *mode,
            NetworkFlag::Named { name, aliases } => {
                let network = id(ids, name)?;
                if task.networks.iter().any(|other| other.network == network) {
                    return Err(Failure::usage(format!("the network {name} is named twice")));
                }
                task.networks.push(NetworkAttachment { network, aliases: aliases.clone() });
            }
        }
    }
    let alone = flags.iter().any(|flag| matches!(flag, NetworkFlag::Mode(_)));
    if alone && flags.len() > 1 { Err(Failure::usage("--network host and none stand alone: leave the other networks out")) } else { Ok(()) }
}

/// Changes the networks of a task template: what goes, then what comes. A network that is there already gets the new aliases.
pub(super) fn edit(task: &mut TaskSpec, remove: &[NetworkFlag], add: &[NetworkFlag], ids: &NetworkIds) -> Result<(), Failure> {
    if remove.is_empty() && add.is_empty() {
        return Ok(());
    }
    if task.network == NetworkMode::Default && task.networks.is_empty() {
        // The default network is there without a word; once others are named it needs one to stay.
        task.networks.push(NetworkAttachment { network: DEFAULT_NETWORK, aliases: Vec::new() });
    }
    for flag in remove {
        take(task, flag, ids)?;
    }
    for flag in add {
        give(task, flag, ids)?;
    }
    let removed_default = remove.iter().filter_map(NetworkFlag::reference).any(|name| ids.get(name) == Some(&DEFAULT_NETWORK));
    if task.network == NetworkMode::Default && task.networks.is_empty() && removed_default {
        return Err(Failure::usage("a service without another network is in the default one").fix("give it another: --network-add NETWORK"));
    }
    if task.networks.as_slice() == [NetworkAttachment { network: DEFAULT_NETWORK, aliases: Vec::new() }] {
        task.networks.clear();
    }
    Ok(())
}

fn take(task: &mut TaskSpec, flag: &NetworkFlag, ids: &NetworkIds) -> Result<(), Failure> {
    match flag {
        NetworkFlag::Mode(mode) if task.network == *mode => task.network = NetworkMode::Default,
        NetworkFlag::Mode(_) => {}
        NetworkFlag::Named { name, .. } => {
            let gone = id(ids, name)?;
            task.networks.retain(|other| other.network != gone);
        }
    }
    Ok(())
}

fn give(task: &mut TaskSpec, flag: &NetworkFlag, ids: &NetworkIds) -> Result<(), Failure> {
    match flag {
        NetworkFlag::Mode(mode) if task.network == *mode => {}
        NetworkFlag::Mode(mode) if task.network == NetworkMode::Default && only_default(task) => {
            task.networks.clear();
            task.network = *mode;
        }
        NetworkFlag::Mode(_) => {
            return Err(Failure::usage("--network-add host and none are for a service in no other network: remove those"));
        }
        NetworkFlag::Named { name, .. } if task.network != NetworkMode::Default => {
            let word = if task.network == NetworkMode::Host { "host" } else { "none" };
            return Err(Failure::usage(format!("the service has --network {word}, which stands alone: {name} cannot be added"))
                .fix(format!("remove it too: --network-rm {word}")));
        }
        NetworkFlag::Named { name, aliases } => {
            let attachment = NetworkAttachment { network: id(ids, name)?, aliases: aliases.clone() };
            match task.networks.iter_mut().find(|other| other.network == attachment.network) {
                Some(old) => *old = attachment,
                None => task.networks.push(attachment),
            }
        }
    }
    Ok(())
}

/// Whether no network but the default one would be left behind.
fn only_default(task: &TaskSpec) -> bool {
    task.networks.iter().all(|attachment| attachment.network == DEFAULT_NETWORK)
}

fn id(ids: &NetworkIds, name: &str) -> Result<NetworkId, Failure> {
    // The commands ask for all names that flags have.
    ids.get(name).copied().ok_or_else(|| Failure::new("E0901", format!("the network {name} was not looked up")))
}
