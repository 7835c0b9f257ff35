//! The process of a container: arguments, environment, working directory, user, privileges. Docker's rules.

use std::collections::BTreeSet;

use cluster_types::ContainerSpec;
use serde_json::{Value, json};

use super::{Accounts, ImageSettings, SpecError, capabilities, resources};
use crate::record::Record;

/// Search path where neither image nor spec give one.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn process(record: &Record, accounts: &Accounts) -> Result<Value, SpecError> {
    let spec = &record.config.spec.container;
    let user = accounts.resolve(spec.user.as_deref().unwrap_or(&record.image.user), &spec.groups)?;
    let names: BTreeSet<String> = capabilities::of(spec, &record.layout)?.iter().map(|name| format!("CAP_{name}")).collect();
    // A process that is not root gets its capabilities from the bounding set by executing a file that has them, as after any execve.
    let held = if user.uid == 0 { names.clone() } else { BTreeSet::new() };
    Ok(json!({
        "args": arguments(spec, &record.image)?,
        "env": environment(record, &user.home),
        "cwd": working_dir(spec, &record.image)?,
        "user": { "uid": user.uid, "gid": user.gid, "additionalGids": user.groups },
        "capabilities": { "bounding": names, "effective": held, "permitted": held, "inheritable": [], "ambient": [] },
        "noNewPrivileges": spec.no_new_privileges,
        "rlimits": resources::rlimits(&spec.ulimits)?,
        "oomScoreAdj": 0,
    }))
}

/// A command in the spec replaces entrypoint and arguments of the image; arguments alone replace the image's arguments.
fn arguments(spec: &ContainerSpec, image: &ImageSettings) -> Result<Vec<String>, SpecError> {
    let (program, defaults) = match &spec.command {
        Some(command) => (command.as_slice(), [].as_slice()),
        None => (image.entrypoint.as_slice(), image.cmd.as_slice()),
    };
    let rest = if spec.args.is_empty() { defaults } else { &spec.args };
    let all: Vec<String> = program.iter().chain(rest).cloned().collect();
    if all.first().is_none_or(String::is_empty) {
        return Err(SpecError("no command specified: neither the image nor the spec says what to run".to_owned()));
    }
    if all.iter().any(|argument| argument.contains('\0')) {
        return Err(SpecError("an argument contains a NUL character".to_owned()));
    }
    Ok(all)
}

/// Later entries win; the order is that of the first appearance.
fn environment(record: &Record, home: &str) -> Vec<String> {
    let mut all = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={}", record.hostname), format!("HOME={home}")];
    for entry in record.image.env.iter().chain(&record.config.spec.container.env).chain(&record.edits.env) {
        // Neither `=x` nor a NUL can be in an environment; a name alone is an empty value's absence and is left out, as docker does.
        let Some((name, _)) = entry.split_once('=') else { continue };
        if name.is_empty() || entry.contains('\0') {
            continue;
        }
        let prefix = format!("{name}=");
        match all.iter_mut().find(|known| known.starts_with(&prefix)) {
            Some(known) => known.clone_from(entry),
            None => all.push(entry.clone()),
        }
    }
    all
}

fn working_dir(spec: &ContainerSpec, image: &ImageSettings) -> Result<String, SpecError> {
    match spec.dir.as_deref().unwrap_or(&image.workdir) {
        "" => Ok("/".to_owned()),
        dir if dir.starts_with('/') && !dir.contains('\0') => Ok(dir.to_owned()),
        dir => Err(SpecError(format!("the working directory `{dir}` is not an absolute path"))),
    }
}
