//! The process: sets up logging, the host and the socket, takes up the membership that is on disk, keeps its certificate fresh, and ends
//! on SIGTERM or SIGINT. Containers go on.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use cluster_api::guard::GuardLayer;
use cluster_api::status::code;
use cluster_api::{ApiError, Kind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Server;

use crate::config::{DaemonConfig, LogFormat};
use crate::error::DaemonError;
use crate::gate::Gate;
use crate::host::Host;
use crate::identity_store::{IdentityStore, private_directory};
use crate::local::Local;
use crate::member::Member;
use crate::{containers, renewal, socket};

/// What the socket answers for the managers' part while this node is none.
fn no_manager() -> Status {
    let error = ApiError::new(Kind::Precondition, code::NO_CLUSTER, "this node is not a manager");
    error.hint("ask a manager, with -H HOST:PORT or on its own host; `cluster init` makes a cluster, `cluster join` enters one").into()
}

/// How long open calls may take to end when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) host: Host,
    /// The membership; its lock is held through init, join, leave and renewal, so that they never meet.
    pub(crate) member: Mutex<Option<Member>>,
    /// Counts how often the membership began, ended or changed its role, for those who follow it.
    changed: watch::Sender<u64>,
}

impl Daemon {
    /// Tells those who follow the membership to look again.
    pub(crate) fn membership_changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

/// Runs a daemon until it is told to end.
///
/// # Errors
/// When the host, the socket or the membership on disk cannot be used.
pub fn run(config: DaemonConfig) -> Result<(), DaemonError> {
    start_log(config.log_format);
    let runtime = tokio::runtime::Runtime::new().map_err(DaemonError::host("starting the async runtime"))?;
    let result = runtime.block_on(serve(config));
    runtime.shutdown_timeout(FAREWELL);
    result
}

fn start_log(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("CLUSTER_LOG").unwrap_or_else(|_| "info,openraft=warn".into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second daemon in one process, as in tests, keeps the first one's log.
    let _ = match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}

async fn serve(config: DaemonConfig) -> Result<(), DaemonError> {
    private_directory(&config.data_dir).map_err(DaemonError::host("opening the data directory"))?;
    let _lock = lock(&config)?;
    let listener = socket::listen(&config.socket).map_err(DaemonError::host("opening the socket"))?;
    let containers = containers::open(&config).await?;
    let identities = IdentityStore::new(&config.data_dir);
    let stored = identities.load().map_err(DaemonError::host("reading this node's identity"))?;
    let host = Host { config, containers, identities, control: Gate::closed(no_manager) };
    let member = match stored {
        Some(identity) => Some(Member::start(&host, identity).await?),
        None => None,
    };
    let daemon = Arc::new(Daemon { host, member: Mutex::new(member), changed: watch::Sender::new(0) });
    let keeper = tokio::spawn(keep_certificate(Arc::clone(&daemon)));
    let routes = daemon.host.control.routes(Local::routes(Arc::clone(&daemon)));
    // Nobody comes over the socket with a certificate, so there is nobody to turn away.
    let server = Server::builder().layer(GuardLayer::new(Arc::new(|_| true))).add_routes(routes);
    ready();
    let stop = CancellationToken::new();
    let served = server.serve_with_incoming_shutdown(socket::connections(listener), stop.cancelled());
    let ended = ended(&daemon);
    // Calls may go on for ever, `service logs --follow` say: they are given a moment to end, not more.
    let told = async {
        end_signal().await;
        stop.cancel();
        tokio::time::sleep(FAREWELL).await;
    };
    let result = tokio::select! {
        served = served => served.map_err(DaemonError::host("serving the socket")),
        () = told => Ok(()),
        reason = ended => Err(DaemonError::Host { step: "a part of this daemon has stopped", reason }),
    };
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    keeper.abort();
    if let Some(member) = daemon.member.lock().await.take() {
        member.stop(&daemon.host).await;
    }
    let _ = fs::remove_file(&daemon.host.config.socket);
    result
}

/// One daemon for each data directory.
fn lock(config: &DaemonConfig) -> Result<File, DaemonError> {
    let step = "locking the data directory";
    let file = File::create(config.data_dir.join("lock")).map_err(DaemonError::host(step))?;
    let held = rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
    held.map_err(|_| DaemonError::Host { step, reason: format!("another daemon uses {}", config.data_dir.display()) })?;
    Ok(file)
}

fn ready() {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "the daemon is ready");
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

async fn end_signal() {
    let (term, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut term), Ok(mut interrupt)) = (term, interrupt) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("the daemon ends; its containers go on");
}

/// Ends when a part of this node has stopped by itself, with the reason: the next daemon starts it anew, from what is on disk.
async fn ended(daemon: &Daemon) -> String {
    let mut changed = daemon.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let stopping = daemon.member.lock().await.as_ref().map(Member::stopped);
        tokio::select! {
            () = async { stopping.unwrap_or_else(|| Box::pin(std::future::pending())).await } => {}
            _ = changed.changed() => continue,
        }
        // Leaving and demotion stop parts too, on purpose and under the lock.
        if let Some(reason) = daemon.member.lock().await.as_ref().and_then(Member::broken) {
            return reason;
        }
    }
}

/// Renews the certificate in time, and at once when the managers say that the role changed.
async fn keep_certificate(daemon: Arc<Daemon>) {
    let mut changed = daemon.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let Some((wait, wanted)) = next_renewal(&daemon).await else {
            drop(changed.changed().await);
            continue;
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = wanted => {}
            _ = changed.changed() => continue,
        }
        let renewed = match daemon.member.lock().await.as_mut() {
            Some(member) => member.renew(&daemon.host).await,
            None => Ok(()),
        };
        match renewed {
            Ok(()) => daemon.membership_changed(),
            Err(error) => {
                tracing::warn!(%error, "the certificate could not be renewed; trying again");
                tokio::time::sleep(renewal::RETRY.min(wait / 4).max(Duration::from_millis(500))).await;
            }
        }
    }
}

async fn next_renewal(daemon: &Daemon) -> Option<(Duration, impl Future<Output = ()> + use<>)> {
    let member = daemon.member.lock().await;
    let member = member.as_ref()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    Some((renewal::wait(&member.credentials.identity(), now, rand::random()), member.renewal_wanted()))
}
