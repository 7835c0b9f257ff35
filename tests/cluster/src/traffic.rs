//! Clients: requests from hosts and from containers' networks, counted by `src/bin/load.rs`, and names as containers see them.

use std::collections::BTreeSet;
use std::process::Child;

use serde_json::Value;

use crate::Lab;
use crate::lab::{Answer, built};

/// Connections of a client that goes on beside the test.
const CONNECTIONS: &str = "8";
/// Where containers ask for names.
const RESOLVER: &str = "169.254.1.53";

/// A running container's network: its host, and the process id of its first process there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Inside {
    /// The host's name.
    pub host: String,
    /// The process.
    pub pid: u64,
}

/// One container for each running task of a service, asked from `manager`.
#[must_use]
pub fn inside(lab: &Lab, manager: &str, service: &str) -> Vec<Inside> {
    let tasks = lab.must(manager, &["service", "ps", service, "-q", "--no-trunc", "--filter", "desired-state=running"]);
    let tasks: Vec<&str> = tasks.out.split_whitespace().collect();
    let inspected = lab.list(manager, &[&["service", "inspect"], tasks.as_slice()].concat());
    let place = |task: &Value| {
        let pid = task["Status"]["ContainerStatus"]["PID"].as_u64()?;
        Some(Inside { host: task["NodeHostname"].as_str()?.to_owned(), pid })
    };
    inspected.iter().filter_map(place).collect()
}

/// A command in a container's network, with the host's files: images have few programs.
#[must_use]
pub fn within(lab: &Lab, container: &Inside, command: &str) -> Answer {
    lab.shell(&container.host, &format!("nsenter --target {} --net {command}", container.pid))
}

/// So many requests from a host to `address:port`, over four connections; `way` as in `src/bin/load.rs`.
#[must_use]
pub fn load(lab: &Lab, from: &str, to: &str, requests: usize, way: &str) -> Value {
    let command = format!("{} {to} 4 {requests} {way}", built("load").display());
    lab.shell(from, &command).json().pop().expect("what came of the requests")
}

/// Requests from a container's network, one after the other.
#[must_use]
pub fn load_within(lab: &Lab, container: &Inside, to: &str, requests: usize, way: &str) -> Value {
    let command = format!("{} {to} 1 {requests} {way}", built("load").display());
    within(lab, container, &command).json().pop().expect("what came of the requests")
}

/// Which of several `address:port` answer a request from a container's network. All are asked at the same time: those that do not answer
/// take as long as a client has patience.
#[must_use]
pub fn answering(lab: &Lab, container: &Inside, targets: &[String]) -> Vec<String> {
    std::thread::scope(|scope| {
        let ask = |to| move || answered(&load_within(lab, container, to, 1, "new")) > 0;
        let asked: Vec<_> = targets.iter().map(|to| (to, scope.spawn(ask(to)))).collect();
        let answers = asked.into_iter().filter_map(|(to, asked)| asked.join().expect("an answer").then_some(to));
        answers.cloned().collect()
    })
}

/// How many requests were answered.
#[must_use]
pub fn answered(answers: &Value) -> u64 {
    answers["requests"].as_u64().expect("a number") - answers["failed"].as_u64().expect("a number")
}

/// Who answered.
#[must_use]
pub fn answerers(answers: &Value) -> BTreeSet<String> {
    answers["containers"].as_object().expect("containers").keys().cloned().collect()
}

/// Requests from a host to `address:port`, so many milliseconds apart on each connection, until [`ended`].
#[must_use]
pub fn begin(lab: &Lab, from: &str, to: &str, way: &str, pause: &str) -> Child {
    let program = built("load").display().to_string();
    lab.spawn_program(from, &program, &[to, CONNECTIONS, "-", way, pause])
}

/// Requests from a host to `address:port` until [`ended`], so many a second whatever becomes of those before: one that waits holds none up.
#[must_use]
pub fn begin_at_rate(lab: &Lab, from: &str, to: &str, way: &str, rate: u32) -> Child {
    let program = built("load").display().to_string();
    // Each may wait for as long as `src/bin/load.rs` has patience: 5 s.
    let connections = (rate * 6).to_string();
    lab.spawn_program(from, &program, &[to, &connections, "-", way, "0", &rate.to_string()])
}

/// Ends what was begun; what came of it.
#[must_use]
pub fn ended(mut load: Child) -> Value {
    drop(load.stdin.take());
    let output = load.wait_with_output().expect("the end of the load");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)))
}

/// The addresses that a name stands for in a container.
#[must_use]
pub fn addresses(lab: &Lab, container: &Inside, name: &str) -> BTreeSet<String> {
    let answer = within(lab, container, &format!("busybox nslookup {name} {RESOLVER}")).out;
    // What comes after the name server's own address.
    let lines = answer.lines().skip_while(|line| !line.starts_with("Name:"));
    lines
        .filter_map(|line| line.strip_prefix("Address: ").or_else(|| line.strip_prefix("Address:")))
        .map(|word| word.trim().to_owned())
        .collect()
}

/// Starts a program of a host itself that serves a port as the image `echo` does; its answers name no container of a service.
pub fn serve(lab: &Lab, host: &str, port: u16) {
    let program = built("echo");
    lab.shell(host, &format!("{} {port} >/dev/null 2>&1 & echo $! >/run/echo-{port}", program.display()));
    let own = format!("127.0.0.1:{port}");
    lab.until(&format!("{host}'s own program serves port {port}"), || (answered(&load(lab, host, &own, 1, "keep")) == 1).then_some(()));
}

/// Ends what [`serve`] started.
pub fn end_serving(lab: &Lab, host: &str, port: u16) {
    lab.shell(host, &format!("kill $(cat /run/echo-{port})"));
}
