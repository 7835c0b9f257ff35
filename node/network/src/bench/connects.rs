//! Connects: from one container to another, directly and through services' addresses, one after the other in turn, so that whatever else
//! the machine does meets both; and from outside through a published port.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use super::Plan;
use super::services::{self, BACKENDS, PUBLISHED, TARGET};
use super::stage::{HOST, Stage};
use crate::NetworkError;

/// Connects of each kind in one go; then the next kind's thread has its turn.
const ROUND: usize = 50;

/// What connects took.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) direct: Vec<Duration>,
    pub(super) service: Vec<Duration>,
    pub(super) published: Vec<Duration>,
}

/// Measures them all.
pub(super) async fn measure(stage: &Stage, plan: Plan) -> Result<Times, NetworkError> {
    for backend in &stage.backends {
        serve(backend).await?;
    }
    let mut times = Times::default();
    while times.published.len() < plan.connections {
        let done = times.published.len();
        let count = ROUND.min(plan.connections - done);
        let pairs: Vec<SocketAddr> = (done..done + count).flat_map(|number| pair(number, plan)).collect();
        let both = connect(stage.client.clone(), pairs).await?;
        times.direct.extend(both.iter().step_by(2));
        times.service.extend(both.iter().skip(1).step_by(2));
        times.published.extend(connect(stage.outside.clone(), vec![(HOST, PUBLISHED).into(); count]).await?);
    }
    Ok(times)
}

/// A backend's own address, and a service's that leads to one.
fn pair(number: usize, plan: Plan) -> [SocketAddr; 2] {
    let number = u32::try_from(number).unwrap_or_default();
    // Prime, so that all services are met before one is met again.
    let service = number.wrapping_mul(7919) % plan.services.max(1);
    [(services::container(number % BACKENDS), TARGET).into(), (services::vip(service), TARGET).into()]
}

/// Accepts in a namespace until the runtime ends.
async fn serve(netns: &Path) -> Result<(), NetworkError> {
    let step = "listening in a container";
    let listener = inside(netns.to_owned(), move || {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, TARGET))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    let listener = tokio::net::TcpListener::from_std(listener.await?).map_err(NetworkError::file(step))?;
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    Ok(())
}

/// Connects from a namespace, one after the other, and closes each at once.
async fn connect(netns: PathBuf, targets: Vec<SocketAddr>) -> Result<Vec<Duration>, NetworkError> {
    let one = |target: &SocketAddr| {
        let begun = Instant::now();
        drop(TcpStream::connect(target)?);
        Ok(begun.elapsed())
    };
    inside(netns, move || targets.iter().map(one).collect()).await
}

/// Does something on a thread in a namespace.
async fn inside<T: Send + 'static>(netns: PathBuf, work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, NetworkError> {
    let step = "connecting in a container";
    let (done, result) = tokio::sync::oneshot::channel();
    let enter = move || {
        setns(File::open(&netns)?.as_fd(), CloneFlags::CLONE_NEWNET)?;
        work()
    };
    let thread = std::thread::Builder::new().name("connects".to_owned()).spawn(move || drop(done.send(enter())));
    thread.map_err(NetworkError::file(step))?;
    result.await.map_err(NetworkError::kernel(step))?.map_err(NetworkError::file(step))
}
