//! Checks inside real containers: who they are, what they see, and that nothing is left of them.

use std::time::{Duration, Instant};

use cluster_runtime::{EmbeddedRuntime, ProbeOutcome, Runtime};
use cluster_types::{Check, HealthSpec, HealthTest, Limits, TaskId, TaskSpec, Ulimit};

use super::fixture::Host;

fn with(line: &str, timeout_ms: u64) -> HealthSpec {
    HealthSpec { test: HealthTest::CmdShell(line.to_owned()), timeout: Some(Duration::from_millis(timeout_ms)), ..HealthSpec::default() }
}

impl Host {
    async fn checked(&self, script: &str, line: &str, timeout_ms: u64, change: impl FnOnce(&mut TaskSpec)) -> TaskId {
        self.start(script, |spec| {
            spec.container.health = with(line, timeout_ms);
            change(spec);
        })
        .await
    }

    async fn probe(&self, task: TaskId) -> ProbeOutcome {
        self.runtime().probe(task, Check::Health).await.unwrap()
    }

    async fn passed(&self, task: TaskId) -> String {
        match self.probe(task).await {
            ProbeOutcome::Exited { code: 0, output } => output,
            other => panic!("it did not pass: {other:?}"),
        }
    }
}

const SLEEPS: &str = "exec sleep 1000";

/// What a process is: compared between the container's own and a probe.
const WHO: &str = "id; pwd; env | grep -v -e PWD -e SHLVL -e HOSTNAME | sort; grep -e Cap -e Seccomp: -e NoNewPrivs /proc/self/status; \
                   for kind in mnt net ipc uts cgroup pid; do stat -L -c %i /proc/self/ns/$kind; done; ulimit -n; \
                   cat /proc/self/oom_score_adj; grep -e SigBlk -e SigIgn -e SigCgt /proc/self/status; hostname; ls /";

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_is_what_the_container_is() {
    let host = Host::new().await;
    for number in 0..3 {
        let task = host
            .checked(&format!("({WHO}) 2>&1; echo end; exec sleep 1000"), WHO, 20_000, |spec| {
                spec.container.env = vec!["OWN=1".to_owned()];
                spec.container.ulimits = vec![Ulimit { name: "nofile".to_owned(), soft: 1000, hard: 2000 }];
                if number > 0 {
                    spec.container.user = Some("shop".to_owned());
                    spec.container.dir = Some("/tmp".to_owned());
                    spec.container.no_new_privileges = number == 2;
                    spec.container.cap_add = vec!["NET_ADMIN".to_owned()];
                }
            })
            .await;
        host.line(task, "end").await;
        let own = host.output(task).await;
        assert_eq!(format!("{}end\n", host.passed(task).await), own);
        host.runtime().remove(task).await.unwrap();
    }
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fails_with_what_it_says() {
    let host = Host::new().await;
    let task = host.checked(SLEEPS, "echo out; echo err >&2; exit 3", 20_000, |_| {}).await;
    assert_eq!(host.probe(task).await, ProbeOutcome::Exited { code: 3, output: "out\nerr\n".to_owned() });
    let missing = host.start(SLEEPS, |spec| spec.container.health.test = HealthTest::Cmd(vec!["nothing".to_owned()])).await;
    match host.probe(missing).await {
        ProbeOutcome::Exited { code: 127, output } => assert!(output.contains("executable file not found"), "{output}"),
        other => panic!("{other:?}"),
    }
    let killed = host.checked(SLEEPS, "kill -SEGV $$", 20_000, |_| {}).await;
    assert_eq!(host.probe(killed).await, ProbeOutcome::Exited { code: 139, output: String::new() });
    let loud = host.checked(SLEEPS, "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end >&2", 20_000, |_| {}).await;
    assert_eq!(host.passed(loud).await, "x".repeat(4096));
    for task in [task, missing, killed, loud] {
        host.runtime().remove(task).await.unwrap();
    }
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_check_ends_all_of_it() {
    let host = Host::new().await;
    // Ignores signals, leaves its session twice, and hangs; another forks as fast as it can.
    let stubborn = "trap '' TERM HUP INT; echo begun; (sleep 2000 & (sleep 2000 & sleep 2000 &)) & while :; do sleep 2000; done";
    let bomb = "while :; do sleep 2000 & done";
    for line in [stubborn, bomb] {
        let task = host.checked(SLEEPS, line, 300, |_| {}).await;
        let before = host.processes_in_groups();
        for _ in 0..2 {
            let begun = Instant::now();
            match host.probe(task).await {
                ProbeOutcome::TimedOut { output } => assert_eq!(output.contains("begun"), line == stubborn, "{output}"),
                other => panic!("{other:?}"),
            }
            assert!(begun.elapsed() >= Duration::from_millis(300));
            assert_eq!((host.processes_in_groups(), host.sleepers(2000)), (before, 0), "something is left");
        }
        host.runtime().remove(task).await.unwrap();
    }
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_check_leaves_behind_goes_with_it() {
    let host = Host::new().await;
    let task = host.checked(SLEEPS, "sleep 3000 & (sleep 3000 &); echo passed", 20_000, |_| {}).await;
    assert_eq!(host.passed(task).await, "passed\n");
    assert_eq!(host.sleepers(3000), 0);
    host.runtime().remove(task).await.unwrap();
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_ends_takes_its_probe_with_it() {
    let host = Host::new().await;
    let task = host.checked("sleep 0.5; exit 5", "sleep 4000", 20_000, |_| {}).await;
    assert!(matches!(host.probe(task).await, ProbeOutcome::NotRun(_)));
    assert_eq!(host.ended(task).await.container.exit_code, Some(5));
    assert_eq!(host.sleepers(4000), 0);
    host.runtime().remove(task).await.unwrap();
    // A removal waits for no probe.
    let task = host.checked(SLEEPS, "sleep 4000", 20_000, |_| {}).await;
    let runtime = host.runtime().clone();
    let probe = tokio::spawn(async move { runtime.probe(task, Check::Health).await });
    while host.sleepers(4000) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    host.runtime().remove(task).await.unwrap();
    assert!(matches!(probe.await.unwrap(), Ok(ProbeOutcome::NotRun(_))));
    assert_eq!(host.sleepers(4000), 0);
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_knows_the_checks_and_ends_a_probe_of_the_old_one() {
    let mut host = Host::new().await;
    let line = "[ -e /second ] && exit 0; touch /second; sleep 5000";
    let task = host.checked(SLEEPS, line, 100_000, |_| {}).await;
    let before = host.runtime().observe(task).await.unwrap();
    assert_eq!(before.checks.health.as_ref().unwrap().command[2], line);
    let runtime = host.runtime().clone();
    let probe = tokio::spawn(async move { runtime.probe(task, Check::Health).await });
    while host.sleepers(5000) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    probe.abort();
    let _ = probe.await;
    host.agent = None;
    host.agent = Some(EmbeddedRuntime::open(host.config.clone()).await.unwrap());
    assert_eq!(host.runtime().observe(task).await.unwrap(), before);
    assert_eq!(host.passed(task).await, "");
    assert_eq!(host.sleepers(5000), 0);
    host.runtime().remove(task).await.unwrap();
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_at_its_limits_can_be_asked() {
    let host = Host::new().await;
    let script = "i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done 2>/dev/null; echo full; exec sleep 1000";
    let task = host.checked(script, "echo asked", 20_000, |spec| spec.limits = Limits { pids: 10, ..Limits::default() }).await;
    // The shell may have failed at its own fork: what runs then is the init alone.
    let outcome = host.probe(task).await;
    assert!(matches!(&outcome, ProbeOutcome::Exited { code: 0, .. } | ProbeOutcome::NotRun(_)), "{outcome:?}");
    host.runtime().remove(task).await.unwrap();
    host.assert_clean();
}

#[expect(clippy::print_stderr, reason = "figures for whoever wants them")]
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_is_cheap() {
    let count = std::env::var("BENCH_PROBES").ok().and_then(|text| text.parse().ok()).unwrap_or(5_u32);
    let host = Host::new().await;
    let task = host.start(SLEEPS, |spec| spec.container.health.test = HealthTest::Cmd(vec!["/bin/true".to_owned()])).await;
    host.passed(task).await;
    let (begun, cpu) = (Instant::now(), host.cpu_ns());
    for _ in 0..count {
        host.passed(task).await;
    }
    let each = |seconds: f64| seconds * 1000.0 / f64::from(count);
    let cpu = Duration::from_nanos(host.cpu_ns() - cpu).as_secs_f64();
    // Shown with --nocapture. The CPU time is right where this test has a group of its own in the hierarchy `cpuacct`.
    eprintln!("{{\"probe_ms\":{:.2},\"cpu_ms\":{:.2}}}", each(begun.elapsed().as_secs_f64()), each(cpu));
    host.runtime().remove(task).await.unwrap();
    host.assert_clean();
}

impl Host {
    /// CPU time of this test's own control group and of its containers', where the machine counts it by the v1 controller.
    fn cpu_ns(&self) -> u64 {
        let lines = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = lines.lines().find_map(|line| line.split_once("cpuacct:")).map_or("/", |(_, group)| group);
        let used =
            |group: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/cpuacct/{group}/cpuacct.usage")).ok()?.trim().parse::<u64>().ok();
        [own, &format!("cluster-{}", self.config.tag)].into_iter().filter_map(used).sum()
    }

    /// Processes on the machine that sleep for so long: each test has a number of its own.
    fn sleepers(&self, seconds: u32) -> usize {
        let line = format!("sleep\0{seconds}\0");
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes.filter(|entry| std::fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|text| text == line)).count()
    }
}
