//! A lab: hosts, the daemons on them, and commands given to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Long enough for anything on a busy machine: what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What takes longer is said.
const SLOW: Duration = Duration::from_secs(2);

/// What a command gave back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its exit code; 128 + signal when a signal ended it.
    pub code: i32,
    /// What it printed as data.
    pub out: String,
    /// What it printed as words.
    pub err: String,
}

impl Answer {
    /// The data, one JSON object for each line.
    #[must_use]
    pub fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
    }
}

/// Several hosts on this machine.
pub struct Lab {
    dir: TempDir,
    hosts: Vec<String>,
    daemons: Vec<(String, Child)>,
    image: PathBuf,
}

impl Lab {
    /// Boots hosts with these names and makes the image `web`, which answers HTTP and stops at once when asked to.
    #[must_use]
    pub fn boot(hosts: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("cluster-lab-").tempdir_in("/tmp").expect("a directory");
        let image = dir.path().join("web.tar");
        let lab = Self { image, hosts: hosts.iter().map(ToString::to_string).collect(), daemons: Vec::new(), dir };
        run(Command::new(root().join("deploy/images/web")).arg(&lab.image));
        run(lab.script("up").args(hosts));
        lab
    }

    /// Boots hosts and makes a cluster of them, the first ones managers: all daemons up, all nodes ready, the image on each.
    #[must_use]
    pub fn cluster(managers: &[&str], workers: &[&str]) -> Self {
        Self::cluster_beside(managers, workers, &[])
    }

    /// As [`Lab::cluster`], with further hosts on the same switch that have no daemon.
    #[must_use]
    pub fn cluster_beside(managers: &[&str], workers: &[&str], bystanders: &[&str]) -> Self {
        let all: Vec<&str> = managers.iter().chain(workers).copied().collect();
        let mut lab = Self::boot(&[&all, bystanders].concat());
        for host in &all {
            lab.start(host);
        }
        lab.form(managers, workers);
        for host in &all {
            lab.import(host);
        }
        lab
    }

    /// Makes a cluster of hosts whose daemons are up.
    pub fn form(&self, managers: &[&str], workers: &[&str]) {
        let first = managers[0];
        self.must(first, &["init", "--name", "lab"]);
        for (role, hosts) in [("manager", &managers[1..]), ("worker", workers)] {
            self.join(first, role, hosts);
        }
        let wanted = managers.len() + workers.len();
        self.until("all nodes are ready", || {
            let ready = self.list(first, &["node", "ls"]).into_iter().filter(|node| node["Status"] == "Ready").count();
            (ready == wanted).then_some(())
        });
    }

    /// Makes hosts whose daemons are up nodes of the cluster that `manager` is of.
    pub fn join(&self, manager: &str, role: &str, hosts: &[&str]) {
        let (token, address) = (self.must(manager, &["join-token", role, "-q"]).out.trim().to_owned(), self.address(manager));
        for host in hosts {
            self.must(host, &["join", "--token", &token, &address]);
        }
    }

    /// Imports the image `web` on a host.
    pub fn import(&self, host: &str) {
        let image = self.image.display().to_string();
        self.must(host, &["image", "import", &image]);
    }

    /// Makes the image `echo` (see `src/bin/echo.rs`) and imports it on hosts.
    pub fn import_echo(&self, hosts: &[&str]) {
        let archive = self.dir.path().join("echo.tar");
        run(Command::new(root().join("deploy/images/echo")).arg(built("echo")).arg(&archive));
        for host in hosts {
            self.must(host, &["image", "import", &archive.display().to_string()]);
        }
    }

    /// Starts the daemon of a host and waits until it answers. Its log goes to a file that [`Lab::log`] shows.
    pub fn start(&mut self, host: &str) {
        self.start_with(host, &[]);
    }

    /// Starts a daemon that is to end by itself. What it said at its end.
    pub fn daemon_fails(&mut self, host: &str) -> String {
        self.launch(host, &[]);
        let daemon = &mut self.daemons.last_mut().expect("it was just added").1;
        let ended = daemon.wait().expect("its end");
        self.reap(host);
        assert!(!ended.success(), "the daemon of {host} ended as if nothing were wrong");
        self.log_tail(host)
    }

    /// Starts the daemon of a host with more flags.
    pub fn start_with(&mut self, host: &str, flags: &[&str]) {
        self.launch(host, flags);
        self.until(&format!("the daemon of {host} answers"), || (self.ask(host, &["status"]).code == 0).then_some(()));
    }

    fn launch(&mut self, host: &str, flags: &[&str]) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_path(host)).expect("a log file");
        let errors = log.try_clone().expect("a log file");
        let mut command = self.script("exec");
        let shell = format!("echo $$ >/run/daemon.pid; exec '{}' daemon {}", binary().display(), flags.join(" "));
        command.arg(host).args(["sh", "-c", &shell]).stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().expect("the daemon starts");
        self.daemons.push((host.to_owned(), child));
    }

    /// Ends the daemon of a host with a signal, and waits for its end. Its containers stay.
    pub fn kill_daemon(&mut self, host: &str, signal: &str) {
        self.shell(host, &format!("kill -{signal} $(cat /run/daemon.pid)"));
        self.reap(host);
    }

    /// Waits for the end of a daemon that the test killed itself.
    pub fn forget_daemon(&mut self, host: &str) {
        self.reap(host);
    }

    /// Cuts the power of a host.
    pub fn power_off(&mut self, host: &str) {
        run(self.script("kill").arg(host));
        self.reap(host);
    }

    /// Boots a host again, with its old disk, and starts its daemon.
    pub fn power_on(&mut self, host: &str) {
        run(self.script("boot").arg(host));
        self.start(host);
    }

    /// Pulls the cable of a host.
    pub fn unplug(&self, host: &str) {
        run(self.script("unplug").arg(host));
    }

    /// Puts the cable of a host back.
    pub fn plug(&self, host: &str) {
        run(self.script("plug").arg(host));
    }

    /// Lets only packets of so many bytes through the cable of a host, whose own interface does not know.
    pub fn narrow(&self, host: &str, bytes: u32) {
        run(self.script("mtu").arg(host).arg(bytes.to_string()));
    }

    /// `cluster WORDS…` on a host.
    #[must_use]
    pub fn ask(&self, host: &str, words: &[&str]) -> Answer {
        answer(self.script("exec").arg(host).arg(binary()).args(words))
    }

    /// `cluster WORDS…` on a host, which must succeed.
    #[expect(clippy::must_use_candidate, reason = "often only the success counts")]
    pub fn must(&self, host: &str, words: &[&str]) -> Answer {
        let answer = self.ask(host, words);
        assert!(
            answer.code == 0,
            "`cluster {}` on {host} ended with {}: {}{}\n{}",
            words.join(" "),
            answer.code,
            answer.out,
            answer.err,
            self.logs()
        );
        answer
    }

    /// `cluster WORDS… --format json` on a host; empty when it fails.
    #[must_use]
    pub fn list(&self, host: &str, words: &[&str]) -> Vec<Value> {
        let answer = self.ask(host, &[words, &["--format", "json"]].concat());
        if answer.code == 0 { answer.json() } else { Vec::new() }
    }

    /// A shell command on a host.
    #[expect(clippy::must_use_candidate, reason = "often only the effect counts")]
    pub fn shell(&self, host: &str, command: &str) -> Answer {
        answer(self.script("exec").arg(host).args(["sh", "-c", command]))
    }

    /// A command on a host that runs beside the test.
    #[must_use]
    pub fn spawn(&self, host: &str, words: &[&str]) -> Child {
        let mut command = self.script("exec");
        command.arg(host).arg(binary()).args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the command starts")
    }

    /// Tasks of a service that run now, as `service ps` shows them to `host`.
    #[must_use]
    pub fn running(&self, host: &str, service: &str) -> Vec<Value> {
        let tasks = self.list(host, &["service", "ps", service, "--filter", "desired-state=running"]);
        tasks.into_iter().filter(|task| task["CurrentState"].as_str().is_some_and(|state| state.starts_with("Running"))).collect()
    }

    /// Waits until a service has exactly so many running tasks.
    pub fn until_running(&self, host: &str, service: &str, wanted: usize) {
        self.until(&format!("{service} has {wanted} running tasks"), || (self.running(host, service).len() == wanted).then_some(()));
    }

    /// The manager that leads, as one of the hosts knows it.
    #[must_use]
    pub fn leader(&self, hosts: &[&str]) -> String {
        self.until("there is a leader", || {
            let nodes = hosts.iter().map(|host| self.list(host, &["node", "ls"])).find(|nodes| !nodes.is_empty())?;
            let leader = nodes.into_iter().find(|node| node["ManagerStatus"] == "Leader")?;
            Some(leader["Hostname"].as_str().expect("a host name").to_owned())
        })
    }

    /// Waits until `check` gives something. What is awaited is named when it never comes.
    pub fn until<T>(&self, what: &str, mut check: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = check() {
                say_slow(start, what);
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "after {} s, not: {what}\n{}", PATIENCE.as_secs(), self.logs());
            #[expect(clippy::disallowed_methods, reason = "no async runtime here")]
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `host:port` of a manager on a host.
    #[must_use]
    pub fn address(&self, host: &str) -> String {
        format!("{}:4740", self.ip(host))
    }

    /// The address of a host.
    #[must_use]
    pub fn ip(&self, host: &str) -> String {
        run(self.script("address").arg(host)).trim().to_owned()
    }

    /// A program on a host that runs beside the test until its standard input is closed.
    #[must_use]
    pub fn spawn_program(&self, host: &str, program: &str, words: &[&str]) -> Child {
        let mut command = self.script("exec");
        command.arg(host).arg(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.spawn().expect("the program starts")
    }

    /// The host's disk, seen from this machine: what is `/var/lib/cluster` there.
    #[must_use]
    pub fn disk(&self, host: &str) -> PathBuf {
        self.dir.path().join(host).join("disk")
    }

    /// The ends of all daemons' logs.
    #[must_use]
    pub fn logs(&self) -> String {
        self.hosts.iter().map(|host| format!("--- log of {host}\n{}\n", self.log_tail(host))).collect()
    }

    fn log_tail(&self, host: &str) -> String {
        let text = fs::read_to_string(self.log_path(host)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    fn log_path(&self, host: &str) -> PathBuf {
        self.dir.path().join(format!("{host}.log"))
    }

    fn reap(&mut self, host: &str) {
        for (_, mut child) in self.daemons.extract_if(.., |(owner, _)| owner == host) {
            let _ = child.wait();
        }
    }

    fn script(&self, verb: &str) -> Command {
        let mut command = Command::new(root().join("deploy/lab"));
        command.arg(verb).arg(self.dir.path());
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.script("down").status();
        for (_, child) in &mut self.daemons {
            let _ = child.wait();
        }
    }
}

/// The project's root.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the project's root")
}

/// The command under test: `CLUSTER_BIN`, or what the same build made.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("CLUSTER_BIN") {
        return path.into();
    }
    let built = built("cluster");
    assert!(built.exists(), "{} is missing: cargo build --bin cluster", built.display());
    built
}

/// A program of the same build as the running test.
pub(crate) fn built(program: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    test.ancestors().nth(2).expect("target/PROFILE").join(program)
}

/// Says what took long, for whoever asks where the time of the tests goes.
fn say_slow(start: Instant, what: &str) {
    let took = start.elapsed();
    if took > SLOW {
        eprintln!("  {:.1} s: {what}", took.as_secs_f64());
    }
}

fn answer(command: &mut Command) -> Answer {
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().expect("the command runs");
    let words: Vec<_> = command.get_args().skip(2).map(|word| word.to_string_lossy()).collect();
    say_slow(start, &words.join(" "));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = output.status.code().unwrap_or_else(|| 128 + std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or(0));
    Answer { code, out: text(output.stdout), err: text(output.stderr) }
}

/// A step of the harness itself, which must succeed.
fn run(command: &mut Command) -> String {
    let answer = answer(command);
    assert!(answer.code == 0, "{command:?} ended with {}: {}{}", answer.code, answer.out, answer.err);
    answer.out
}
