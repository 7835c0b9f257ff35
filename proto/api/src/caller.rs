//! The caller of a request, as handlers see it. Put there by the guard; a handler that finds none was reached around the guard and refuses.

use cluster_types::{NodeId, Role};
use tonic::Status;

use crate::callers::CallerKind;
use crate::incoming::Peer;

/// The header in which a manager names the caller that it passes a request on for. Honoured from managers only (failures H9).
pub const FORWARDED: &str = "cluster-forwarded";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// What it may call.
    pub kind: CallerKind,
    /// Its node, when a certificate told it.
    pub node: Option<NodeId>,
}

impl Caller {
    /// The caller of a request.
    ///
    /// # Errors
    /// `INTERNAL` when no guard has seen the request.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Status> {
        request.extensions().get::<Self>().copied().ok_or_else(|| Status::internal("the request was not checked by the guard"))
    }

    /// The caller at the other end of a connection.
    #[must_use]
    pub fn from_peer(peer: Option<&Peer>) -> Self {
        match peer {
            Some(Peer::Socket) => Self { kind: CallerKind::Operator, node: None },
            Some(Peer::Network { identity: Some(identity), .. }) => {
                let kind = match identity.role {
                    Role::Manager => CallerKind::Manager,
                    Role::Worker => CallerKind::Worker,
                };
                Self { kind, node: Some(identity.node) }
            }
            Some(Peer::Network { identity: None, .. }) | None => Self { kind: CallerKind::Anyone, node: None },
        }
    }

    /// The value of [`FORWARDED`] that names this caller.
    #[must_use]
    pub fn forwarded(self) -> String {
        let kind = match self.kind {
            CallerKind::Anyone => "anyone",
            CallerKind::Worker => "worker",
            CallerKind::Manager => "manager",
            CallerKind::Operator => "operator",
        };
        self.node.map_or_else(|| kind.to_owned(), |node| format!("{kind} {node}"))
    }

    /// Reads a value of [`FORWARDED`].
    #[must_use]
    pub fn from_forwarded(text: &str) -> Option<Self> {
        let (kind, node) = text.split_once(' ').map_or((text, None), |(kind, node)| (kind, Some(node)));
        let kind = match kind {
            "anyone" => CallerKind::Anyone,
            "worker" => CallerKind::Worker,
            "manager" => CallerKind::Manager,
            "operator" => CallerKind::Operator,
            _ => return None,
        };
        let node = match node {
            Some(node) => Some(node.parse().ok()?),
            None => None,
        };
        Some(Self { kind, node })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_caller_is_read_back() {
        for caller in [
            Caller { kind: CallerKind::Operator, node: None },
            Caller { kind: CallerKind::Worker, node: Some(NodeId::from_bits(77)) },
            Caller { kind: CallerKind::Anyone, node: None },
        ] {
            assert_eq!(Caller::from_forwarded(&caller.forwarded()), Some(caller));
        }
        assert_eq!(Caller::from_forwarded("root"), None);
        assert_eq!(Caller::from_forwarded("worker x"), None);
    }
}
