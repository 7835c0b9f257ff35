//! `cluster bench start`: how many containers a second this host starts, and what one costs, beside other runtimes on the same bundle.
//!
//! A run starts containers that end at once, a few at a time, each from prepared to ended and removed. The other runtimes get the same
//! spec, root file system (an overlay that stays mounted for all their runs) and namespaces. CPU is that of every process that took part,
//! by the clock of the control groups they are in.

mod bundle;
mod embedded;
mod meter;
mod tool;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::{EmbeddedRuntime, Runtime, RuntimeError};

/// What is measured.
#[derive(Clone)]
pub struct StartBench {
    /// The runtime; nothing else may run in it meanwhile.
    pub runtime: EmbeddedRuntime,
    /// Image of the containers.
    pub image: String,
    /// A command that ends at once with code 0.
    pub command: Vec<String>,
    /// Containers for each runtime.
    pub containers: u32,
    /// How many at the same time.
    pub parallel: u32,
}

/// The figures of one runtime.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StartFigures {
    /// `cluster`, `runc` or `crun`.
    pub runtime: String,
    /// Containers that were started.
    pub containers: u32,
    /// How many at the same time.
    pub parallel: u32,
    /// Containers started, ended and removed, for each second.
    pub per_second: f64,
    /// CPU milliseconds for one, user and system, of all processes that took part.
    pub cpu_ms: f64,
    /// Why there are no figures, when there are none.
    pub error: Option<String>,
}

/// Measures the embedded runtime and then every other one that is installed.
///
/// # Errors
/// When the embedded runtime cannot run the container.
pub async fn start(bench: &StartBench) -> Result<Vec<StartFigures>, RuntimeError> {
    // A prepared container stays meanwhile: the last one to go would take the control group with it, and its clock.
    let standby = embedded::config(bench, 0);
    bench.runtime.prepare(&standby).await?;
    let all = measure_all(bench).await;
    bench.runtime.remove(standby.task).await?;
    all
}

/// Runs the bench's command once in another OCI runtime, on the same spec and image, and gives what it wrote: to compare what a container
/// sees there with what it sees here. None when that runtime is not installed.
///
/// # Errors
/// What the other runtime said.
pub async fn other(bench: &StartBench, name: &str, dir: &Path) -> Result<Option<String>, String> {
    match installed(name) {
        Some(program) => tool::output(bench, &program, dir).await.map(Some),
        None => Ok(None),
    }
}

async fn measure_all(bench: &StartBench) -> Result<Vec<StartFigures>, RuntimeError> {
    let meter = meter::CpuMeter::start(bench).map_err(failed("measure CPU time"))?;
    let mut all = vec![embedded::measure(bench, &meter).await?];
    for name in ["runc", "crun"] {
        if let Some(program) = installed(name) {
            let measured = tool::measure(bench, name, &program, &meter).await;
            all.push(
                measured
                    .unwrap_or_else(|error| StartFigures { error: Some(error), ..figures(bench, name, Duration::ZERO, Duration::ZERO) }),
            );
        }
    }
    Ok(all)
}

fn failed<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> RuntimeError {
    move |error| RuntimeError::Failed(format!("cannot {what}: {error}"))
}

fn installed(name: &str) -> Option<PathBuf> {
    let dirs = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
    dirs.iter().map(|dir| PathBuf::from(dir).join(name)).find(|file| file.exists())
}

fn figures(bench: &StartBench, runtime: &str, wall: Duration, cpu: Duration) -> StartFigures {
    let count = f64::from(bench.containers);
    let per_second = if wall.is_zero() { 0.0 } else { count / wall.as_secs_f64() };
    StartFigures {
        runtime: runtime.to_owned(),
        containers: bench.containers,
        parallel: bench.parallel,
        per_second,
        cpu_ms: cpu.as_secs_f64() * 1000.0 / count,
        error: None,
    }
}
