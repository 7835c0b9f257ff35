//! The container: image, what runs in it, its names and its name resolution.

use std::net::IpAddr;
use std::str::FromStr;

use cluster_types::{ContainerSpec, ImageRef, TaskSpec};

use super::words::{self, Words};
use super::{Problems, duration, health, labels, mounts, security};

pub(super) fn check(problems: &mut Problems, task: &TaskSpec) {
    let container = &task.container;
    if let Err(error) = ImageRef::from_str(&container.image) {
        problems.add("image", format!("{} is not an image: {}", Words(&container.image), error.reason));
    }
    process(problems, container);
    names(problems, container);
    labels(problems, &container.labels);
    mounts::check(problems, &container.mounts);
    security::check(problems, task);
    health::check(problems, container);
    duration(problems, "stop_grace", container.stop_grace);
}

fn process(problems: &mut Problems, container: &ContainerSpec) {
    let command = container.command.as_deref().unwrap_or_default();
    if command.first().is_some_and(String::is_empty) {
        problems.add("command[0]", "is empty: name a program, or give no command at all");
    }
    problems.each("command", command, |problems, text| nul(problems, text));
    problems.each("args", &container.args, |problems, text| nul(problems, text));
    problems.each("env", &container.env, |problems, variable| {
        nul(problems, variable);
        match variable.split_once('=') {
            None => problems.add("", format!("{} has no `=`: write KEY=VALUE", Words(variable))),
            // The value may be a secret: it is not repeated.
            Some(("", _)) => problems.add("", "has no name before the `=`: write KEY=VALUE"),
            Some(_) => {}
        }
    });
    if let Some((dir, reason)) = container.dir.as_ref().and_then(|dir| Some((dir, mounts::is_plain(dir).err()?))) {
        problems.add("dir", format!("{} {reason}", Words(dir)));
    }
    if let Some(user) = container.user.as_ref().filter(|user| !is_user(user)) {
        problems.add("user", format!("{} is not a user: write USER or USER:GROUP, names or numbers", Words(user)));
    }
    problems.each("groups", &container.groups, |problems, group| {
        if !is_account(group) {
            problems.add("", format!("{} is not a group: write a name or a number", Words(group)));
        }
    });
}

fn names(problems: &mut Problems, container: &ContainerSpec) {
    if let Some(name) = container.hostname.as_ref().filter(|name| !words::is_host_name(name)) {
        problems.add("hostname", format!("{} is not a host name: use at most 63 letters, digits, - and .", Words(name)));
    }
    problems.each("hosts", &container.hosts, |problems, line| match line.split_once(':') {
        Some((name, address)) if words::is_host_name(name) && address.parse::<IpAddr>().is_ok() => {}
        Some(_) | None => problems.add("", format!("{} is not a name and an address: write NAME:ADDRESS", Words(line))),
    });
    problems.each("dns", &container.dns, |problems, server| {
        if server.parse::<IpAddr>().is_err() {
            problems.add("", format!("{} is not an IP address", Words(server)));
        }
    });
}

fn nul(problems: &mut Problems, text: &str) {
    if words::has_nul(text) {
        problems.add("", "has a NUL character in it, which ends a text for the kernel");
    }
}

fn is_user(user: &str) -> bool {
    match user.split_once(':') {
        None => is_account(user),
        Some((user, group)) => is_account(user) && is_account(group),
    }
}

/// A name or a number as `/etc/passwd` and `/etc/group` can have it.
fn is_account(text: &str) -> bool {
    !text.is_empty() && text.len() <= 256 && !text.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control())
}
