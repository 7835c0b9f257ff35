//! A walk through the commands against a real daemon whose containers are in memory only: what is printed where, and the exit codes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cluster_cli_tests::{Said, command, run};
use serde_json::Value;

struct Daemon {
    process: Child,
    directory: tempfile::TempDir,
    address: String,
}

impl Daemon {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Free now, and nobody else on this machine asks for it within the next moment.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let arguments = ["daemon", "--runtime", "fake", "--data-dir", &path("data"), "--socket", &path("s"), "--listen-addr", &address];
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let process = command(&arguments).stderr(Stdio::from(log)).spawn().unwrap();
        let daemon = Self { process, directory, address };
        daemon.wait();
        daemon
    }

    fn wait(&self) {
        let begun = Instant::now();
        while self.say(&["status"]).code != 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "the daemon does not answer: {}", self.log());
            std::thread::yield_now();
        }
    }

    fn log(&self) -> String {
        let mut log = String::new();
        std::fs::File::open(self.directory.path().join("log")).unwrap().read_to_string(&mut log).unwrap();
        log
    }

    fn say(&self, arguments: &[&str]) -> Said {
        let socket = format!("unix://{}", self.directory.path().join("s").display());
        run(&[&["-H", &socket], arguments].concat())
    }

    fn ok(&self, arguments: &[&str]) -> Said {
        let said = self.say(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}\n{}", said.text(), self.log());
        said
    }

    fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self.ok(&[arguments, &["--format", "json"]].concat());
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_service_lives_from_creation_to_removal() {
    let daemon = Daemon::start();
    assert_eq!(daemon.say(&["service", "ls"]).code, 1, "there is no cluster yet");
    let init = daemon.ok(&["init", "--advertise-addr", &daemon.address]);
    assert!(init.stderr.contains("cluster join --token CJ1-w-"), "{}", init.stderr);

    let made = daemon.ok(&["service", "create", "--name", "web", "--replicas", "3", "nginx"]);
    assert!(made.stderr.contains("ok  web is at 3/3 after"), "{}", made.stderr);
    daemon.ok(&["service", "scale", "web=5"]);
    let service = &daemon.objects(&["service", "ls"])[0];
    assert_eq!((&service["Name"], &service["Replicas"], &service["Mode"]), (&"web".into(), &"5/5".into(), &"replicated".into()));
    assert_eq!(service["ID"], made.stdout.trim(), "create prints the id");

    let updated = daemon.ok(&["service", "update", "web", "--env-add", "A=1", "--update-parallelism", "0"]);
    assert!(updated.stderr.contains("ok  web is at 5/5"), "{}", updated.stderr);
    let tasks = daemon.objects(&["service", "ps", "web", "--filter", "desired-state=running"]);
    assert_eq!(tasks.len(), 5);
    assert!(tasks.iter().all(|task| task["CurrentState"].as_str().unwrap().starts_with("Running")));
    let inspected: Value = serde_json::from_str(&daemon.ok(&["service", "inspect", "web"]).stdout).unwrap();
    assert_eq!(inspected[0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"][0], "A=1");
    let task: Value = serde_json::from_str(&daemon.ok(&["service", "inspect", "web.3", "--format", "json"]).stdout).unwrap();
    assert_eq!((&task["Name"], &task["Slot"]), (&"web.3".into(), &3.into()));

    assert_eq!(daemon.ok(&["service", "rm", "web"]).stdout, "web\n");
    assert!(daemon.objects(&["service", "ls"]).is_empty());
}

#[test]
fn a_network_lives_from_creation_to_removal() {
    let daemon = Daemon::start();
    daemon.ok(&["init", "--advertise-addr", &daemon.address, "--addr-pool", "10.192.0.0/12", "--network-size", "20"]);
    let made = daemon.ok(&["network", "create", "--label", "team=shop", "back"]);
    daemon.ok(&["network", "create", "--subnet", "10.210.0.0/24", "front"]);
    daemon.ok(&["network", "create", "--internal", "quiet"]);
    let networks = daemon.objects(&["network", "ls"]);
    let names: Vec<&str> = networks.iter().map(|network| network["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["back", "default", "front", "quiet"]);
    assert_eq!((&networks[0]["ID"], &networks[3]["Internal"]), (&made.stdout.trim().into(), &"true".into()), "create prints the id");
    assert_eq!(daemon.objects(&["network", "ls", "--filter", "label=team=shop"]).len(), 1);
    assert_eq!(daemon.say(&["network", "create", "back"]).code, 5);

    daemon.ok(&["service", "create", "--name", "api", "--network", "name=front,alias=www", "-p", "80", "-p", "8080-8081:90-91", "nginx"]);
    let network = &daemon.objects(&["network", "inspect", "front"])[0];
    assert_eq!((&network["IPAM"]["Config"][0]["Subnet"], &network["Services"][0]), (&"10.210.0.0/24".into(), &"api".into()));
    let service = &daemon.objects(&["service", "inspect", "api"])[0];
    let address = service["Endpoint"]["VirtualIPs"][0]["Addr"].as_str().unwrap();
    assert!(address.starts_with("10.210.0."), "{address}");
    assert_eq!(service["Spec"]["TaskTemplate"]["Networks"][0]["Aliases"][0], "www");
    let ports = daemon.objects(&["service", "ls"])[0]["Ports"].as_str().unwrap().to_owned();
    assert!(ports.starts_with("*:8080-8081->90-91/tcp,*:3") && ports.ends_with("->80/tcp"), "{ports}");

    let used = daemon.say(&["network", "rm", "front"]);
    assert!(used.code != 0 && used.stderr.contains("api"), "{}", used.text());
    let missing = daemon.say(&["service", "update", "--network-add", "bcak", "api"]);
    assert_eq!((missing.code, missing.stderr.contains("did you mean `back`?")), (3, true), "{}", missing.text());
    daemon.ok(&["service", "update", "--network-add", "back", "--network-rm", "front", "api"]);
    assert_eq!(daemon.ok(&["network", "rm", "front"]).stdout, "front\n");
    assert_ne!(daemon.say(&["network", "rm", "default"]).code, 0, "the default network stays");
}

#[test]
fn a_service_goes_back_to_an_earlier_revision_and_remembers_why() {
    let daemon = Daemon::start();
    daemon.ok(&["init", "--advertise-addr", &daemon.address]);
    daemon.ok(&["service", "create", "--name", "web", "--replicas", "2", "--update-parallelism", "0", "--update-monitor", "0", "nginx:1"]);
    let preview = daemon.ok(&["service", "update", "--dry-run", "--image", "nginx:2", "web"]);
    assert!(preview.stdout.contains("nginx:1 -> nginx:2"), "{}", preview.text());
    let version = preview.stdout.lines().find_map(|line| line.strip_prefix("apply exactly this: --check-version ")).unwrap();
    let exactly = ["service", "update", "--check-version", version, "-m", "newer", "--image", "nginx:2", "web"];
    daemon.ok(&exactly);
    assert_eq!(daemon.say(&exactly).code, 5, "it has changed since");

    let back = daemon.ok(&["service", "rollback", "-m", "older after all", "web"]);
    assert!(back.stderr.contains("web  revision 2 -> 3 with the spec of revision 1"), "{}", back.stderr);
    let history = daemon.objects(&["service", "history", "web"]);
    let words: Vec<&str> = history.iter().map(|revision| revision["Message"].as_str().unwrap()).collect();
    assert_eq!(words, ["older after all", "newer", ""]);
    assert_eq!((&history[0]["Restores"], &history[0]["Current"], &history[0]["Image"]), (&1.into(), &true.into(), &"nginx:1".into()));
    assert_eq!(daemon.say(&["service", "rollback", "--to", "9", "web"]).code, 3);

    daemon.ok(&["service", "restart", "web"]);
    let tasks = daemon.objects(&["service", "ps", "web", "--filter", "desired-state=running"]);
    assert_eq!(tasks.len(), 2);
    let pretty = daemon.ok(&["service", "inspect", "--pretty", "web"]);
    assert!(pretty.stdout.contains("replicated, 2/2 running"), "{}", pretty.stdout);
    let paused = daemon.say(&["rollout", "pause", "web"]);
    assert_eq!(paused.code, 1, "no update is under way: {}", paused.text());
    assert!(daemon.ok(&["rollout", "status", "web"]).stdout.contains("completed"));
}

#[test]
fn a_task_that_no_node_takes_is_explained_node_by_node() {
    let daemon = Daemon::start();
    daemon.ok(&["init", "--advertise-addr", &daemon.address]);
    daemon.ok(&["service", "create", "--detach", "--name", "web", "--constraint", "node.labels.zone==a", "nginx"]);
    let why = &daemon.objects(&["why", "web"])[0];
    let nodes = why["Nodes"].as_array().unwrap();
    assert_eq!((nodes.len(), &nodes[0]["Fits"]), (1, &false.into()), "{why}");
    assert!(!why["Remedies"].as_array().unwrap().is_empty(), "{why}");
    assert_eq!(daemon.say(&["why", "wbe"]).code, 3);
    let even = daemon.ok(&["rebalance", "--dry-run"]);
    assert!(even.stderr.contains("nothing to move"), "{}", even.text());
}

#[test]
fn errors_have_their_exit_codes() {
    let daemon = Daemon::start();
    daemon.ok(&["init", "--advertise-addr", &daemon.address]);
    daemon.ok(&["service", "create", "--detach", "--name", "web", "nginx"]);
    let missing = daemon.say(&["service", "scale", "wbe=3"]);
    assert_eq!((missing.code, missing.stderr.contains("did you mean `web`?")), (3, true), "{}", missing.text());
    assert_eq!(daemon.say(&["service", "create", "--name", "web", "nginx"]).code, 5);
    let refused = daemon.say(&["service", "create", "--name", "Bad_Name", "nginx"]);
    assert!(refused.code == 1 && refused.stderr.contains("error[E0201]: spec.name"), "{}", refused.text());
    let nowhere = daemon.say(&["service", "create", "--name", "api", "--constraint", "node.labels.zone==a", "nginx"]);
    assert_eq!(nowhere.code, 6, "{}", nowhere.text());
    let late = daemon.say(&["service", "create", "--name", "late", "--constraint", "node.labels.zone==a", "--timeout", "10ms", "nginx"]);
    assert!([6, 9].contains(&late.code), "{}", late.text());
    assert_eq!(daemon.say(&["join", "--token", "CJ1-w-xx", "127.0.0.1:1"]).code, 4);
    assert_eq!(daemon.say(&["node", "update", "--availability", "drain", "nobody"]).code, 3);
}

#[test]
fn a_manager_is_reached_over_its_port_with_a_nodes_credentials() {
    let daemon = Daemon::start();
    daemon.ok(&["init", "--advertise-addr", &daemon.address]);
    let identity = daemon.directory.path().join("data");
    let said = run(&["-H", &daemon.address, "--identity", identity.to_str().unwrap(), "node", "ls", "--format", "json"]);
    let node: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.text()));
    assert_eq!((&node["ManagerStatus"], &node["Availability"]), (&"Leader".into(), &"Active".into()));
}
