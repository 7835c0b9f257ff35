//! Makes everything of a container but its processes: image, network, folder. What was made is taken back when a step fails.

use std::path::Path;
use std::sync::Arc;

use cluster_network::Attachment;
use cluster_types::{Checks, NetworkMode};

use super::config::LocalImage;
use super::container::Container;
use super::{Shared, failed, files};
use crate::record::{self, Record, private_dir};
use crate::{ContainerConfig, RuntimeError, grant};

/// Prepares a container; one that is prepared, runs or ended stays as it is.
pub(super) async fn prepare(shared: &Arc<Shared>, config: &ContainerConfig) -> Result<(), RuntimeError> {
    if shared.map().contains_key(&config.task) {
        return Ok(());
    }
    let image = shared.config.images.ensure(&config.spec.container.image).await?;
    let hold = shared.config.images.hold(&image.id).ok_or_else(|| RuntimeError::Image {
        image: config.spec.container.image.clone(),
        reason: "it was removed while the container was prepared".to_owned(),
    })?;
    let edits = grant::edits(&config.generic, &grant::CDI_DIRS.map(Path::new)).map_err(RuntimeError::Rejected)?;
    let attachment = attach(shared, config).await?;
    let record = Record { edits, ..record(shared, config, image, attachment) };
    if let Err(error) = write_folder(shared, &record) {
        super::remove::discard(shared, config.task).await?;
        return Err(failed("write the container's folder")(error));
    }
    let container = Container::prepared(shared.folder(config.task), record, Some(hold));
    shared.map().insert(config.task, Arc::new(container));
    shared.tell(config.task);
    Ok(())
}

/// Everything that a start will need.
pub(super) fn record(shared: &Shared, config: &ContainerConfig, image: LocalImage, attachment: Option<Attachment>) -> Record {
    let container = &config.spec.container;
    let checks = Checks {
        health: container.health.resolve(image.settings.health.as_ref()),
        readiness: container.readiness.as_ref().and_then(|readiness| readiness.resolve(None)),
    };
    Record {
        config: config.clone(),
        image_id: image.id,
        image: image.settings,
        layers: image.layers,
        netns: attachment.as_ref().map(|attachment| attachment.netns.clone()),
        address: attachment.as_ref().and_then(|attachment| attachment.addresses.first()).map(|has| has.address.to_string()),
        cgroup: format!("{}/{}", shared.cgroup_parent(), group_name(config)),
        layout: shared.layout.clone(),
        hostname: hostname(config),
        log: shared.config.log,
        boot: shared.boot.clone(),
        ports: attachment.map(|attachment| attachment.ports).unwrap_or_default(),
        checks,
        edits: grant::Edits::default(),
    }
}

async fn attach(shared: &Shared, config: &ContainerConfig) -> Result<Option<Attachment>, RuntimeError> {
    match (config.spec.network, &shared.config.network) {
        (NetworkMode::Host | NetworkMode::None, _) => Ok(None),
        (NetworkMode::Default, None) => {
            Err(RuntimeError::Rejected("this daemon has no container network; use `host` or `none`".to_owned()))
        }
        (NetworkMode::Default, Some(_)) if config.addresses.is_empty() => {
            Err(RuntimeError::Rejected("the managers gave this task no address in its networks, which is a defect of theirs".to_owned()))
        }
        (NetworkMode::Default, Some(network)) => network
            .attach(config.task, &config.addresses, &config.ports)
            .await
            .map(Some)
            .map_err(failed("attach the container to the network")),
    }
}

fn write_folder(shared: &Shared, record: &Record) -> std::io::Result<()> {
    let folder = shared.folder(record.config.task);
    private_dir(&folder.0)?;
    files::write(&folder, record)?;
    // Last: a folder without it is debris of an agent that died here.
    record::save(&folder.container(), record, false)
}

/// `web.3` and the task's short id, in characters that a group's name may have.
fn group_name(config: &ContainerConfig) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = config.name.chars().take(64).map(plain).collect();
    format!("{name}-{}", config.task.short())
}

fn hostname(config: &ContainerConfig) -> String {
    let given = config.spec.container.hostname.clone();
    given.unwrap_or_else(|| match config.spec.network {
        NetworkMode::Host => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        // A host name has 64 characters at most (`HOST_NAME_MAX`).
        NetworkMode::Default | NetworkMode::None => config.name.chars().take(63).collect(),
    })
}
