//! Keys of requests: what makes a retried one the same one, so that it is applied once (failures A1, A2).
//!
//! The client may give a key. A manager that passes a request on, or tries it again, adds one in a header; without either the request
//! stands for itself.

use cluster_types::{Id, IdStream, RequestId};
use sha2::{Digest, Sha256};
use tonic::Request;

/// The header in which a manager adds a key to a request that has none.
pub(crate) const REQUEST_HEADER: &str = "cluster-request";

/// The key of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(RequestId);

/// Messages that can carry their client's key.
pub(crate) trait Keyed {
    /// The client's key; empty when it gave none.
    fn request_id(&self) -> &str;
}

impl Key {
    /// The key of `request` to `method`. The same text for two methods gives two keys.
    pub(crate) fn of<T: Keyed>(method: &str, request: &Request<T>) -> Self {
        match request.get_ref().request_id() {
            "" => Self::added(method, request.metadata()),
            own => Self::hashed(&[method, "own", own]),
        }
    }

    /// The key of a request that cannot carry its client's: a manager's key, or none that another has.
    pub(crate) fn added(method: &str, headers: &tonic::metadata::MetadataMap) -> Self {
        match headers.get(REQUEST_HEADER).and_then(|value| value.to_str().ok()) {
            Some(added) => Self::hashed(&[method, "added", added]),
            None => Self::random(),
        }
    }

    /// A key that no other request has.
    pub(crate) fn random() -> Self {
        Self(Id::from_bits(rand::random()))
    }

    /// The key of the same request when it is made anew, against a newer state, for the `times`th time.
    pub(crate) fn again(self, times: u32) -> Self {
        if times == 0 { self } else { Self::hashed(&["again", &self.0.to_string(), &times.to_string()]) }
    }

    /// A key that these texts have, and no others.
    pub(crate) fn hashed(texts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for text in texts {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        let digest = hash.finalize();
        let (first, _) = digest.split_at(16);
        Self(Id::from_bits(first.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte))))
    }

    /// The idempotency key of the log entry.
    pub(crate) fn request(self) -> RequestId {
        self.0
    }

    /// The id of the object that the request makes: the same when it is tried again.
    pub(crate) fn made<K>(self) -> Id<K> {
        IdStream::new(0, self.0.bits()).next_id()
    }
}

macro_rules! keyed {
    ($($message:ident),*) => {
        $(impl Keyed for cluster_api::pb::$message {
            fn request_id(&self) -> &str {
                &self.request_id
            }
        })*
    };
}
keyed!(
    CreateServiceRequest,
    UpdateServiceRequest,
    RemoveServiceRequest,
    RollBackServiceRequest,
    SteerUpdateRequest,
    CreateNetworkRequest,
    RemoveNetworkRequest,
    UpdateNodeRequest,
    RemoveNodeRequest
);

impl Keyed for cluster_api::pb::GetJoinTokenRequest {
    fn request_id(&self) -> &str {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster_api::pb::{CreateServiceRequest, UpdateServiceRequest};

    #[test]
    fn the_same_key_for_the_same_method_is_the_same_request() {
        let create = |id: &str| Request::new(CreateServiceRequest { request_id: id.into(), ..Default::default() });
        assert_eq!(Key::of("CreateService", &create("a")), Key::of("CreateService", &create("a")));
        assert_ne!(Key::of("CreateService", &create("a")), Key::of("CreateService", &create("b")));
        assert_ne!(Key::of("CreateService", &create("")), Key::of("CreateService", &create("")));
        let update = Request::new(UpdateServiceRequest { request_id: "a".into(), ..Default::default() });
        assert_ne!(Key::of("CreateService", &create("a")), Key::of("UpdateService", &update));
    }

    #[test]
    fn a_managers_key_counts_where_the_client_gave_none() {
        let request = |id: &str| {
            let mut request = Request::new(CreateServiceRequest { request_id: id.into(), ..Default::default() });
            request.metadata_mut().insert(REQUEST_HEADER, "x".parse().unwrap());
            request
        };
        assert_eq!(Key::of("CreateService", &request("")), Key::of("CreateService", &request("")));
        assert_ne!(Key::of("CreateService", &request("")), Key::of("CreateService", &request("x")));
    }
}
