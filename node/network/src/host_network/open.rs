//! The beginning: takes over what an earlier life of the daemon left, and removes what nobody owns.

use std::fs::File;
use std::path::Path;

use super::*;
use crate::{namespace, sysctl};

impl HostNetwork {
    /// Takes over what an earlier life of the daemon left, with the last view it had, and brings the kernel where that wants it.
    ///
    /// # Errors
    /// When the kernel, `nft` or the directory cannot be used.
    pub async fn open(config: NetworkConfig) -> Result<Self, NetworkError> {
        let ledger = Ledger::open(config.dir.join("attachments"))?;
        std::fs::create_dir_all(config.dir.join("netns")).map_err(NetworkError::file("making the directory of namespaces"))?;
        sysctl::settle_host()?;
        let (connection, handle, _) = rtnetlink::new_connection().map_err(NetworkError::kernel("opening netlink"))?;
        tokio::spawn(connection);
        let saved = SavedView::in_dir(&config.dir);
        let last = saved.load();
        let shared = Shared {
            places: Places::of(&config.tag),
            ledger,
            saved,
            host: File::open("/proc/thread-self/ns/net").map_err(NetworkError::file("opening the host's network namespace"))?,
            handle,
            rules: Netfilter::open()?,
            connections: Arc::new(Netfilter::open()?),
            underlay: StdMutex::new(last.underlay),
            view: watch::Sender::new(Arc::new(last.view())),
            askers: RwLock::default(),
            leaving: StdMutex::default(),
            forgetting: Mutex::default(),
            report: watch::Sender::default(),
            moved: Notify::new(),
            state: Mutex::default(),
            config,
        };
        let network = Self { shared: Arc::new(shared) };
        {
            let mut state = network.shared.state.lock().await;
            network.adopt(&mut state).await?;
            kernel::add_resolver(&network.shared.handle).await?;
            if let Err(error) = network.settle(&mut state).await {
                // The interface may not be up yet. The audit tries again.
                tracing::warn!(%error, "the network is not as the last view wants it yet");
            }
        }
        network.refill();
        network.start_audit();
        Ok(network)
    }

    /// Takes over recorded attachments whose namespace lives; every other namespace file and link of ours goes.
    async fn adopt(&self, state: &mut State) -> Result<(), NetworkError> {
        for (task, record) in self.shared.ledger.load()? {
            if !namespace::is_alive(&record.attachment.netns) {
                namespace::remove(&record.attachment.netns);
                self.shared.ledger.forget(task);
                continue;
            }
            state.used.insert(record.index);
            let ports = &record.attachment.ports;
            if !ports.is_empty() {
                state.held.insert(task, ports.iter().filter_map(|port| HeldPort::take(*port).ok()).collect());
            }
            self.remember(task, &record.attachment.addresses);
            state.attached.insert(task, record);
        }
        let owned: BTreeSet<&Path> = state.attached.values().map(|record| record.attachment.netns.as_path()).collect();
        let files = std::fs::read_dir(self.shared.config.dir.join("netns")).map_err(NetworkError::file("reading the namespaces"))?;
        files.flatten().map(|file| file.path()).filter(|path| !owned.contains(path.as_path())).for_each(|path| namespace::remove(&path));
        let links: BTreeSet<String> = state.attached.values().map(|record| self.link(record.index)).collect();
        let seen = kernel::see_links(&self.shared.handle, &self.shared.places).await?;
        for stray in seen.links.keys().filter(|name| name.starts_with(&self.shared.places.links) && !links.contains(*name)) {
            crate::link::unplug(&self.shared.handle, stray).await;
        }
        Ok(())
    }
}
