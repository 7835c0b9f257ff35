//! The same start by another runtime: its default bundle over the same root file system, without a network, one cgroup for each container.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures::{StreamExt, TryStreamExt};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::{Value, json};
use tokio::process::Command;

use super::failed;
use super::meter::Meter;
use super::start::{figures, machine_cpu};
use crate::failure::Failure;

/// Runtimes that are compared with.
const PROGRAMS: [&str; 2] = ["runc", "crun"];
/// Where a machine with version 1 of control groups may have version 2 as well.
const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// Measures the other runtimes, one after the other, on a thread with mounts of its own.
pub(super) fn references(dir: &Path, containers: u32, parallel: usize) -> Result<Vec<(&'static str, Value)>, Failure> {
    let measure = || {
        hide_unified()?;
        // One thread: a program inherits the mounts of the thread that starts it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let measured = PROGRAMS.iter().map(|program| Ok((*program, runtime.block_on(reference(program, dir, containers, parallel))?)));
        measured.collect()
    };
    let measuring = std::thread::scope(|scope| scope.spawn(measure).join());
    measuring.unwrap_or_else(|_| Err(failed("the other runtimes' thread broke off")))
}

/// Takes the second version of control groups out of this thread's sight: crun refuses machines that have both.
fn hide_unified() -> Result<(), Failure> {
    if !Path::new(UNIFIED).exists() {
        return Ok(());
    }
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(failed)?;
    umount2(UNIFIED, MntFlags::MNT_DETACH).map_err(failed)
}

/// Measures `program`; null where it is not installed.
async fn reference(program: &str, dir: &Path, containers: u32, parallel: usize) -> Result<Value, Failure> {
    if quiet(program).arg("--version").status().await.is_err() {
        return Ok(Value::Null);
    }
    let bundle = bundle(program, dir).await?;
    let names: Vec<String> = (0..containers).map(|number| format!("cluster-bench-{number}")).collect();
    let busy = machine_cpu();
    let meter = Meter::start();
    let run = |name: &String| run(program, &bundle, name.clone());
    let started: Result<Vec<()>, Failure> = futures::stream::iter(&names).map(run).buffer_unordered(parallel).try_collect().await;
    let (reading, busy) = (meter.read(), machine_cpu() - busy);
    for name in &names {
        // What was not started cannot be removed.
        let _ = quiet(program).args(["delete", "--force", name]).status().await;
    }
    match started {
        Ok(_) => Ok(figures(containers, reading.seconds, busy)),
        // Said, and the others' figures stand.
        Err(failure) => Ok(json!({ "error": failure.what })),
    }
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

async fn run(program: &str, bundle: &Path, name: String) -> Result<(), Failure> {
    // Its words go to a file: a pipe would stay open in the container.
    let words = bundle.join("words");
    let file = std::fs::File::options().create(true).append(true).open(&words)?;
    let status = quiet(program).args(["run", "--detach", "--bundle"]).arg(bundle).arg(&name).stderr(file).status().await?;
    if status.success() {
        return Ok(());
    }
    let said = std::fs::read_to_string(&words).unwrap_or_default();
    Err(failed(format!("{program} cannot start {name}: {}", said.lines().next().unwrap_or_default())))
}

/// The bundle that the program itself proposes, with our root and command.
async fn bundle(program: &str, dir: &Path) -> Result<PathBuf, Failure> {
    let bundle = dir.join(program);
    std::fs::create_dir(&bundle)?;
    let status = quiet(program).arg("spec").current_dir(&bundle).status().await?;
    if !status.success() {
        return Err(failed(format!("{program} spec: {status}")));
    }
    let file = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file)?).map_err(failed)?;
    config["root"] = json!({ "path": dir.join("rootfs"), "readonly": true });
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["/bin/busybox", "sleep", "1000"]);
    std::fs::write(&file, config.to_string())?;
    Ok(bundle)
}
