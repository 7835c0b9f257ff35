//! The embedded runtime's turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use cluster_types::{ContainerPhase, ContainerSpec, NetworkMode, ServiceId, TaskId, TaskSpec};
use futures::future::try_join_all;

use super::meter::CpuMeter;
use super::{StartBench, StartFigures, failed, figures};
use crate::{ContainerConfig, Runtime, RuntimeError};

pub(super) async fn measure(bench: &StartBench, meter: &CpuMeter) -> Result<StartFigures, RuntimeError> {
    // The first one starts the shim.
    one(bench, 1).await?;
    let (next, last) = (AtomicU32::new(2), bench.containers + 2);
    let (begun, cpu) = (Instant::now(), meter.used().map_err(failed("read the CPU clock"))?);
    let worker = async || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= last {
                return Ok::<(), RuntimeError>(());
            }
            one(bench, number).await?;
        }
    };
    try_join_all((0..bench.parallel).map(|_| worker())).await?;
    let (wall, cpu) = (begun.elapsed(), meter.used().map_err(failed("read the CPU clock"))?.saturating_sub(cpu));
    Ok(figures(bench, "cluster", wall, cpu))
}

/// The whole life of one container.
async fn one(bench: &StartBench, number: u32) -> Result<(), RuntimeError> {
    let config = config(bench, number);
    let mut events = bench.runtime.events();
    bench.runtime.prepare(&config).await?;
    bench.runtime.start(config.task).await?;
    let ended = loop {
        let observed = bench.runtime.observe(config.task).await?;
        if observed.phase == ContainerPhase::Exited {
            break observed;
        }
        // A reader that lags behind looks again, as one that was told.
        let _ = events.recv().await;
    };
    bench.runtime.remove(config.task).await?;
    match ended.container.exit_code {
        Some(0) => Ok(()),
        code => Err(RuntimeError::Failed(format!("the command ended with {code:?} instead of 0: {:?}", ended.error))),
    }
}

/// A container of the bench.
pub(super) fn config(bench: &StartBench, number: u32) -> ContainerConfig {
    let container = ContainerSpec { image: bench.image.clone(), args: bench.command.clone(), init: false, ..ContainerSpec::default() };
    // The high bits make the short ids differ.
    let task = TaskId::from_bits((u128::from(number) + 1) << 96);
    let spec = Arc::new(TaskSpec { container, network: NetworkMode::None, ..TaskSpec::default() });
    ContainerConfig {
        task,
        service: ServiceId::from_bits(1),
        name: format!("bench.{number}"),
        spec,
        ports: Vec::new(),
        addresses: Vec::new(),
        generic: Default::default(),
    }
}
