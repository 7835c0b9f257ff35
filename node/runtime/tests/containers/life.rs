//! From the start of a container to its end.

use std::sync::Arc;
use std::time::Duration;

use cluster_runtime::conformance::{SuiteImages, conformance};
use cluster_runtime::{EmbeddedRuntime, Runtime, RuntimeError};
use cluster_types::{ContainerPhase, ContainerSpec, HealthSpec, HealthTest, Mount, MountKind, TaskId, TaskSpec};

use super::fixture::Host;

/// Runs until the stop signal comes, and says when it is ready for it.
const WAITS: &str = "trap 'echo stopped; exit 9' TERM; echo ready; while :; do sleep 0.1; done";

fn check(line: &str) -> HealthSpec {
    HealthSpec { test: HealthTest::CmdShell(line.to_owned()), ..HealthSpec::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_what_every_runtime_does() {
    let host = Host::new().await;
    let spec = |script: &str| ContainerSpec {
        image: "busybox".to_owned(),
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        stop_grace: Duration::from_millis(300),
        ..ContainerSpec::default()
    };
    let images = SuiteImages {
        sleeper: ContainerSpec { stop_grace: Duration::from_secs(10), ..spec("exec sleep 1000") },
        exits: spec("exit 7"),
        talker: spec("echo one; echo two; echo three >&2; exec sleep 1000"),
        stubborn: ContainerSpec { init: false, ..spec("trap '' TERM; while :; do sleep 1; done") },
        unhealthy: ContainerSpec { health: check("echo no; exit 1"), ..spec("exec sleep 1000") },
        hanging: ContainerSpec {
            health: check("exit 0"),
            readiness: Some(HealthSpec { timeout: Some(Duration::from_millis(300)), ..check("trap '' TERM; sleep 1000") }),
            ..spec("exec sleep 1000")
        },
        missing: ContainerSpec { image: "nothing/here".to_owned(), ..ContainerSpec::default() },
    };
    let runtime: Arc<dyn Runtime> = Arc::new(super::fixture::WithoutNetwork(host.runtime().clone()));
    conformance(&runtime, &images).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_tells_its_code() {
    let host = Host::new().await;
    let (text, ended) = host.run("echo hello from $HOSTNAME $FROM_IMAGE; exit 7", |_| {}).await;
    assert!(text.starts_with("hello from web.") && text.ends_with(" yes\n"), "{text}");
    assert_eq!(ended.container.exit_code, Some(7), "{ended:?}");
    assert!(!ended.container.oom_killed && ended.error.is_none(), "{ended:?}");
    let (_, killed) = host.run("kill -SEGV $$", |_| {}).await;
    assert_eq!(killed.container.exit_code, Some(139));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_and_odd_data_directory_is_fine() {
    // Longer than a path of a unix socket, and than a text of the newer way to mount; with what separates options in the older one.
    let name = format!("{}:,{}", "a".repeat(150), "b".repeat(50));
    let host = Host::with(|config| config.data_dir = config.data_dir.join(&name).join(&name)).await;
    let (text, _) = host.run("touch /x && echo written; ls -d /etc", |_| {}).await;
    assert_eq!(text, "written\n/etc\n");
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_nobody_can_read_leaves_nothing_running() {
    let mut host = Host::new().await;
    let task = host.start("exec sleep 1000", |_| {}).await;
    host.agent = None;
    std::fs::write(host.config.data_dir.join("containers").join(task.to_string()).join("container.json"), "{").unwrap();
    host.agent = Some(EmbeddedRuntime::open(host.config.clone()).await.unwrap());
    assert_eq!(host.runtime().list().await.unwrap(), []);
    host.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_signal_is_passed_on_by_the_init() {
    let host = Host::new().await;
    for init in [true, false] {
        let task = host.start(WAITS, |spec| spec.container.init = init).await;
        host.line(task, "ready").await;
        host.runtime().stop(task).await.unwrap();
        let ended = host.ended(task).await;
        assert_eq!(ended.container.exit_code, Some(9), "init {init}: {ended:?}");
        assert!(host.output(task).await.ends_with("stopped\n"));
        host.runtime().remove(task).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stop_signal_of_the_spec_is_used() {
    let host = Host::new().await;
    let script = "trap 'exit 5' QUIT; echo ready; while :; do sleep 0.1; done";
    let task = host.start(script, |spec| spec.container.stop_signal = Some("SIGQUIT".to_owned())).await;
    host.line(task, "ready").await;
    host.runtime().stop(task).await.unwrap();
    assert_eq!(host.ended(task).await.container.exit_code, Some(5));
    host.runtime().remove(task).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_ignores_no_signal_when_it_starts() {
    let host = Host::new().await;
    for init in [true, false] {
        // Without `exec` the shell runs its own grep, with signals as it likes them.
        let task = host.start("exec grep SigIgn /proc/self/status", |spec| spec.container.init = init).await;
        host.ended(task).await;
        let output = host.output(task).await;
        let ignored = u64::from_str_radix(output.trim().trim_start_matches("SigIgn:\t"), 16).unwrap();
        // 32 and 33 belong to the C library, which ignores them in whatever it spawns.
        assert_eq!(ignored & 0x7fff_ffff, 0, "init {init}: {output}");
        host.runtime().remove(task).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ignores_the_signal_is_killed_with_all_children() {
    let host = Host::new().await;
    let script = "trap '' TERM; sleep 1000 & sleep 1000 & echo ready; while :; do sleep 1; done";
    let task = host.start(script, |spec| spec.container.stop_grace = Duration::from_millis(200)).await;
    host.line(task, "ready").await;
    host.runtime().stop(task).await.unwrap();
    assert_eq!(host.ended(task).await.container.exit_code, Some(137));
    assert_eq!(host.processes_in_groups(), 0);
    host.runtime().remove(task).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_reaped() {
    let host = Host::new().await;
    // The inner shells end before their sleeps, which so become children of PID 1 and end a little later.
    let script = "for i in 1 2 3 4 5; do (sleep 0.05 &); done; sleep 0.5; grep -l zombie /proc/[0-9]*/status | wc -l";
    let (text, _) = host.run(script, |_| {}).await;
    assert_eq!(text.trim(), "0");
}

/// What a start says, and the code that the container then has.
async fn refused(host: &Host, change: impl FnOnce(&mut TaskSpec)) -> (String, Option<i32>) {
    let task: TaskId = host.prepare("true", change).await;
    let error = host.runtime().start(task).await.unwrap_err();
    assert!(matches!(error, RuntimeError::Rejected(_)), "{error:?}");
    let ended = host.ended(task).await;
    assert_eq!(ended.phase, ContainerPhase::Exited);
    assert_eq!(ended.error, Some(error.to_string()));
    host.runtime().remove(task).await.unwrap();
    (error.to_string(), ended.container.exit_code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_run_is_named() {
    let host = Host::new().await;
    let args = |args: &[&str]| -> Vec<String> { args.iter().map(|arg| (*arg).to_owned()).collect() };
    for init in [true, false] {
        let (text, code) = refused(&host, |spec| (spec.container.args, spec.container.init) = (args(&["nope"]), init)).await;
        assert_eq!((text.as_str(), code), ("exec: \"nope\": executable file not found in $PATH", Some(127)));
        let (text, code) = refused(&host, |spec| spec.container.args = args(&["/bin/nope"])).await;
        assert_eq!((text.as_str(), code), ("exec: \"/bin/nope\": stat /bin/nope: no such file or directory", Some(127)));
        let (text, code) = refused(&host, |spec| spec.container.args = args(&["/etc/passwd"])).await;
        assert_eq!((text.as_str(), code), ("exec: \"/etc/passwd\": permission denied", Some(126)));
    }
    let (text, _) = refused(&host, |spec| spec.container.user = Some("nobody-here".to_owned())).await;
    assert_eq!(text, "unable to find user nobody-here: no matching entries in passwd file");
    let (text, _) = refused(&host, |spec| spec.container.user = Some("4294967296".to_owned())).await;
    assert_eq!(text, "user id `4294967296` is out of range");
    let bind = Mount { kind: MountKind::Bind { source: "/does/not/exist".to_owned() }, target: "/data".to_owned(), read_only: false };
    let (text, _) = refused(&host, |spec| spec.container.mounts = vec![bind]).await;
    assert_eq!(text, "invalid mount: the bind source path does not exist: /does/not/exist");
    assert_eq!(host.processes_in_groups(), 0);
}
