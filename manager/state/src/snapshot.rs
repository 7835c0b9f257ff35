//! Snapshots: the whole state as bytes, and back.
//!
//! One byte of format version, four bytes CRC-32C of the rest (little endian), then `MessagePack` with field names: a field that is added
//! later needs `#[serde(default)]`, and older snapshots are still read. Each spec is written once, as a revision; services are written
//! without theirs. The same state always gives the same bytes.

use std::sync::Arc;

use cluster_types::{
    Author, Cluster, Endpoint, JobStatus, Meta, Network, Node, Object, RequestId, Revision, Service, ServiceId, ServiceSpec, Task,
    Timestamp, UpdateStatus, Version,
};
use serde::{Deserialize, Serialize};

use crate::State;
use crate::requests::Outcomes;

/// The format that is written and read.
const FORMAT: u8 = 3;
const HEADER: usize = 5;

/// Why bytes are not a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There is not even a header.
    #[error("the snapshot ends after {0} bytes; it was cut off: get it again from another manager")]
    Short(usize),
    /// It is of another format.
    #[error("the snapshot has format {0}, this version reads format {FORMAT}: use the version of cluster that wrote it, or a newer one")]
    Format(u8),
    /// A bit fell over, or something is missing.
    #[error("the snapshot's checksum is {found:08x}, not {expected:08x}: it is damaged; get it again from another manager")]
    Checksum {
        /// What the header says.
        expected: u32,
        /// What the bytes give.
        found: u32,
    },
    /// The checksum is right, and yet it cannot be read.
    #[error("the snapshot cannot be read: {0}; another version of cluster may have written it")]
    Content(#[from] rmp_serde::decode::Error),
    /// It can be read, but does not fit together.
    #[error("the snapshot contradicts itself: {0}")]
    Unsound(String),
}

/// What is written.
#[derive(Serialize, Deserialize)]
struct Saved {
    index: Version,
    #[serde(default)]
    time: Timestamp,
    clusters: Vec<Arc<Cluster>>,
    nodes: Vec<Arc<Node>>,
    revisions: Vec<SavedRevision>,
    services: Vec<SavedService>,
    tasks: Vec<Arc<Task>>,
    networks: Vec<Arc<Network>>,
    requests: Vec<SavedRequest>,
}

#[derive(Serialize, Deserialize)]
struct SavedRevision {
    service: ServiceId,
    version: Version,
    spec: Arc<ServiceSpec>,
}

/// A service without its spec, which is among the revisions.
#[derive(Serialize, Deserialize)]
struct SavedService {
    meta: Meta,
    id: ServiceId,
    spec_version: Version,
    history: Vec<Revision>,
    author: Author,
    update: Option<UpdateStatus>,
    endpoint: Endpoint,
    job: Option<JobStatus>,
}

#[derive(Serialize, Deserialize)]
struct SavedRequest {
    request: RequestId,
    outcomes: Arc<Outcomes>,
}

/// How many bytes a spec takes in the log and in snapshots: what `limits::SPEC_BYTES` bounds.
#[must_use]
pub fn spec_bytes(spec: &ServiceSpec) -> usize {
    // Plain data is always written; if it ever were not, it would be too large for every limit.
    rmp_serde::to_vec_named(spec).map_or(usize::MAX, |bytes| bytes.len())
}

impl State {
    /// The state as a snapshot.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT, 0, 0, 0, 0];
        #[expect(clippy::expect_used, reason = "writing plain data to memory has no way to fail; the property tests write every kind")]
        self.saved().serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map()).expect("plain data is written to memory");
        let checksum = crc32c::crc32c(&bytes[HEADER..]);
        bytes[1..HEADER].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The state of a snapshot. Never panics, whatever the bytes; what it gives back passes [`State::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let [format, c0, c1, c2, c3, content @ ..] = bytes else { return Err(DecodeError::Short(bytes.len())) };
        if *format != FORMAT {
            return Err(DecodeError::Format(*format));
        }
        let (expected, found) = (u32::from_le_bytes([*c0, *c1, *c2, *c3]), crc32c::crc32c(content));
        if expected != found {
            return Err(DecodeError::Checksum { expected, found });
        }
        let state = Self::restore(rmp_serde::from_slice(content)?)?;
        match state.check().into_iter().next() {
            None => Ok(state),
            Some(problem) => Err(DecodeError::Unsound(problem)),
        }
    }

    /// A number that two states share when they hold the same; different states share it by accident only (64 bits, FNV-1a of the
    /// snapshot). Costs as much as a snapshot.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.encode().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    fn saved(&self) -> Saved {
        let revision = |(&(service, version), revision): (&(_, _), &crate::revisions::Revision)| SavedRevision {
            service,
            version,
            spec: Arc::clone(&revision.spec),
        };
        Saved {
            index: self.index,
            time: self.time,
            clusters: self.clusters.rows().cloned().collect(),
            nodes: self.nodes.rows().cloned().collect(),
            revisions: self.revisions.iter().map(revision).collect(),
            services: self.services.rows().map(|service| SavedService::of(service)).collect(),
            tasks: self.tasks.rows().cloned().collect(),
            networks: self.networks.rows().cloned().collect(),
            requests: self.requests.iter().map(|(request, outcomes)| SavedRequest { request, outcomes: Arc::clone(outcomes) }).collect(),
        }
    }

    fn restore(saved: Saved) -> Result<Self, DecodeError> {
        let mut state = Self { index: saved.index, time: saved.time, ..Self::new() };
        saved.revisions.iter().for_each(|revision| state.revisions.add((revision.service, revision.version), &revision.spec));
        for service in saved.services {
            let service = Arc::new(service.with_spec(&state)?);
            let object = Object::Service(Arc::clone(&service));
            state.revisions.hold(&object);
            state.addresses.restore(&object);
            once(state.services.restore(service))?;
        }
        for task in saved.tasks {
            let object = Object::Task(Arc::clone(&task));
            state.revisions.hold(&object);
            state.addresses.restore(&object);
            state.generics.restore(&object);
            state.loads.restore(&task, &state.revisions);
            once(state.tasks.restore(task))?;
        }
        saved.clusters.into_iter().try_for_each(|cluster| once(state.clusters.restore(cluster)))?;
        saved.nodes.into_iter().try_for_each(|node| once(state.nodes.restore(node)))?;
        saved.networks.into_iter().try_for_each(|network| once(state.networks.restore(network)))?;
        saved.requests.into_iter().for_each(|saved| state.requests.insert(saved.request, saved.outcomes));
        Ok(state)
    }
}

impl SavedService {
    fn of(service: &Service) -> Self {
        let Service { meta, id, spec: _, spec_version, history, author, update, endpoint, job } = service.clone();
        Self { meta, id, spec_version, history, author, update, endpoint, job }
    }

    fn with_spec(self, state: &State) -> Result<Service, DecodeError> {
        let Self { meta, id, spec_version, history, author, update, endpoint, job } = self;
        let missing = || DecodeError::Unsound(format!("service {id} has no spec of version {}", spec_version.0));
        let spec = state.revisions.get(id, spec_version).map(Arc::clone).ok_or_else(missing)?;
        Ok(Service { meta, id, spec, spec_version, history, author, update, endpoint, job })
    }
}

/// No id comes twice.
fn once<R>(before: Option<R>) -> Result<(), DecodeError> {
    before.map_or(Ok(()), |_| Err(DecodeError::Unsound("an object is in it twice".to_owned())))
}
