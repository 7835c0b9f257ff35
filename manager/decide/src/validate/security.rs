//! What touches the kernel: capabilities, resource limits, kernel parameters and signals. Unknown names are refused here, so that a task
//! does not fail on every node in turn.

use std::collections::BTreeSet;

use cluster_types::linux::{CAPABILITIES, ULIMITS};
use cluster_types::{NetworkMode, TaskSpec};

use super::Problems;
use super::words::Words;

/// Kernel parameters that belong to the IPC namespace; `fs.mqueue.*` and `net.*` are namespaced as a whole.
const IPC_SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// Signals by name (signal(7)), without `SIG` and without second names: the runtime knows each by one.
const SIGNALS: [&str; 33] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "KILL", "PIPE", "PROF", "PWR", "QUIT", "RTMAX", "RTMIN",
    "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

pub(super) fn check(problems: &mut Problems, task: &TaskSpec) {
    let container = &task.container;
    problems.each("cap_add", &container.cap_add, |problems, name| capability(problems, name));
    problems.each("cap_drop", &container.cap_drop, |problems, name| capability(problems, name));
    ulimits(problems, task);
    for (name, value) in &container.sysctls {
        if let Some(reason) = sysctl(name, value, task.network) {
            problems.add("sysctls", format!("{} {reason}", Words(name)));
        }
    }
    if let Some(signal) = container.stop_signal.as_ref().filter(|signal| !is_signal(signal)) {
        problems.add("stop_signal", format!("{} is no signal: write a name such as SIGTERM, or a number from 1 to 64", Words(signal)));
    }
}

fn capability(problems: &mut Problems, name: &str) {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if bare != "ALL" && !CAPABILITIES.contains(&bare) {
        problems.add("", format!("{} is no capability: write one such as NET_ADMIN, or ALL", Words(name)));
    }
}

fn ulimits(problems: &mut Problems, task: &TaskSpec) {
    let mut names = BTreeSet::new();
    problems.each("ulimits", &task.container.ulimits, |problems, ulimit| {
        if !ULIMITS.contains(&ulimit.name.as_str()) {
            problems.add("name", format!("{} is no resource limit: use one of {}", Words(&ulimit.name), ULIMITS.join(", ")));
        }
        if ulimit.soft > ulimit.hard {
            problems.add("soft", format!("{} is more than the hard limit {}", ulimit.soft, ulimit.hard));
        }
    });
    for (place, ulimit) in task.container.ulimits.iter().enumerate() {
        if !names.insert(&ulimit.name) {
            problems.add(&format!("ulimits[{place}].name"), format!("{} is set twice", Words(&ulimit.name)));
        }
    }
}

/// Why a kernel parameter cannot be set for a container alone.
fn sysctl(name: &str, value: &str, network: NetworkMode) -> Option<&'static str> {
    let plain = name.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)));
    let of_network = name.starts_with("net.");
    if !plain {
        return Some("is no kernel parameter: write it like net.core.somaxconn");
    }
    if !of_network && !name.starts_with("fs.mqueue.") && !IPC_SYSCTLS.contains(&name) {
        return Some("would change the whole host: only net.*, fs.mqueue.* and the IPC ones of kernel.* belong to a container");
    }
    if of_network && network == NetworkMode::Host {
        return Some("would change the whole host, whose network the container has");
    }
    (value.trim().is_empty() || value.contains(|c: char| c.is_control() && c != '\t'))
        .then_some("has no value, or one with a line break in it")
}

/// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`, `SIGRTMAX-1`; as docker, at most 15 away from either end.
fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=64).contains(&number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.parse::<u8>().is_ok_and(|offset| offset <= 15);
    let real_time = name.strip_prefix("RTMIN+").or_else(|| name.strip_prefix("RTMAX-"));
    SIGNALS.contains(&name) || real_time.is_some_and(offset)
}
