//! Another runtime's turn: as many shells as containers run at a time, each starting its share one after the other.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use futures::future::try_join_all;

use super::bundle::Bundle;
use super::meter::{CpuMeter, remove_everywhere};
use super::{StartBench, StartFigures, figures};

/// A mount namespace for the overlay; crun 1.8 also refuses to work where the empty v2 tree of a hybrid layout is in sight.
const SCRIPT: &str = r#"
umount /sys/fs/cgroup/unified 2>/dev/null || true
mount -t overlay overlay -o "$OVERLAY" "$BUNDLE/rootfs" || exit 1
i=0
while [ $i -lt "$COUNT" ]; do
    "$TOOL" --root "$STATE" run --bundle "$BUNDLE" "bench-$WORKER-$i" </dev/null || exit 1
    i=$((i + 1))
done
"#;

pub(super) async fn measure(bench: &StartBench, name: &str, program: &Path, meter: &CpuMeter) -> Result<StartFigures, String> {
    let dir = bench.runtime.data_dir().join("bench").join(name);
    let mut bundles = Vec::new();
    for worker in 0..bench.parallel {
        bundles.push(Bundle::make(bench, &dir, worker).await?);
    }
    let text = |error: std::io::Error| error.to_string();
    let (begun, cpu) = (Instant::now(), meter.used().map_err(text)?);
    let workers = bundles.iter().enumerate().map(|(worker, bundle)| {
        let share = bench.containers / bench.parallel + u32::from((worker as u64) < u64::from(bench.containers % bench.parallel));
        let command = command(program, &dir.join("state"), bundle, worker, share);
        async { tokio::task::spawn_blocking(move || run(command)).await.map_err(|error| error.to_string())? }
    });
    let outcome = try_join_all(workers).await;
    let (wall, cpu) = (begun.elapsed(), meter.used().map_err(text)?.saturating_sub(cpu));
    let _ = std::fs::remove_dir_all(&dir);
    outcome.map(|_| figures(bench, name, wall, cpu))
}

/// One run, and what it wrote.
pub(super) async fn output(bench: &StartBench, program: &Path, dir: &Path) -> Result<String, String> {
    let bundle = Bundle::make(bench, dir, 0).await?;
    let mut command = command(program, &dir.join("state"), &bundle, 0, 1);
    command.stdout(Stdio::piped());
    let outcome = tokio::task::spawn_blocking(move || run(command)).await.map_err(|error| error.to_string());
    remove_everywhere(Path::new(&bench.runtime.cgroup_parent()));
    outcome?
}

fn command(program: &Path, state: &Path, bundle: &Bundle, worker: usize, share: u32) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", SCRIPT]);
    command.env("TOOL", program).env("STATE", state).env("BUNDLE", &bundle.dir).env("OVERLAY", &bundle.overlay);
    command.env("WORKER", worker.to_string()).env("COUNT", share.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn run(mut command: Command) -> Result<String, String> {
    // `output` would pipe stdout where nothing is said of it; the callers have chosen.
    let child = command.stderr(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let Output { status, stdout, stderr } = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if status.success() { Ok(text(&stdout)) } else { Err(text(&stderr).trim().to_owned()) }
}
