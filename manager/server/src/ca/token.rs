//! Join tokens: made from the replicated secrets, and checked when a node comes with one.

use cluster_types::{Cluster, JoinSecret, JoinToken, Role, Timestamp};

use super::{CaError, digest};

/// Why a token does not let a node in. The texts say no more than the holder of the token may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// Its digest is not that of this cluster's root.
    #[error("the join token is of another cluster; get one with `cluster join-token worker` on a manager of this cluster")]
    OtherCluster,
    /// Its secret is not the present one.
    #[error("the join token is wrong or was replaced; get the present one with `cluster join-token worker` on a manager")]
    Wrong,
    /// Its time is over.
    #[error(
        "the join token expired at {expired_ms} ms, it is now {now_ms} ms; make a new one with `cluster join-token worker --rotate` on a manager"
    )]
    Expired {
        /// When it ended.
        expired_ms: u64,
        /// The manager's time.
        now_ms: u64,
    },
}

/// The token of `role`, to be shown to an operator.
///
/// # Errors
/// When the root certificate of the state cannot be read.
pub fn join_token(cluster: &Cluster, role: Role) -> Result<JoinToken, CaError> {
    Ok(JoinToken { role, ca_digest: digest(&cluster.ca.certificate)?, secret: secret(cluster, role).bits() })
}

/// A new secret from 128 random bits.
#[must_use]
pub fn join_secret(bits: u128, expires: Option<Timestamp>) -> JoinSecret {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the number")]
    let words = [(bits >> 64) as u64, bits as u64];
    JoinSecret { words, expires }
}

/// Whether `token` lets a node in now, in the role that it names.
pub(super) fn check(cluster: &Cluster, token: &JoinToken, now: Timestamp) -> Result<Role, TokenRefused> {
    if digest(&cluster.ca.certificate).ok() != Some(token.ca_digest) {
        return Err(TokenRefused::OtherCluster);
    }
    let secret = secret(cluster, token.role);
    if !same(secret.bits(), token.secret) {
        return Err(TokenRefused::Wrong);
    }
    match secret.expires {
        Some(expires) if expires <= now => Err(TokenRefused::Expired { expired_ms: expires.0, now_ms: now.0 }),
        Some(_) | None => Ok(token.role),
    }
}

fn secret(cluster: &Cluster, role: Role) -> &JoinSecret {
    match role {
        Role::Worker => &cluster.join.worker,
        Role::Manager => &cluster.join.manager,
    }
}

/// Compares in constant time: all bits are combined before anything is decided.
fn same(left: u128, right: u128) -> bool {
    std::hint::black_box(left ^ right) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::make_root;
    use cluster_types::{ClusterId, JoinSecrets, Meta, NetworkPool};

    fn cluster(expires: Option<Timestamp>) -> Cluster {
        let id = ClusterId::from_bits(1);
        let join = JoinSecrets { worker: join_secret(7 << 64 | 5, expires), manager: join_secret(9, None) };
        let ca = make_root(id, Timestamp(1_700_000_000_000)).unwrap();
        Cluster { meta: Meta::default(), id, name: "c".into(), incarnation: 1, ca, join, network: NetworkPool::standard() }
    }

    #[test]
    fn the_role_is_the_one_of_the_secret() {
        let cluster = cluster(None);
        for role in [Role::Worker, Role::Manager] {
            let token = join_token(&cluster, role).unwrap();
            assert_eq!(check(&cluster, &token, Timestamp(1)), Ok(role));
        }
        let forged = JoinToken { role: Role::Manager, ..join_token(&cluster, Role::Worker).unwrap() };
        assert_eq!(check(&cluster, &forged, Timestamp(1)), Err(TokenRefused::Wrong));
    }

    #[test]
    fn a_token_of_another_cluster_or_with_one_wrong_bit_is_refused() {
        let cluster = cluster(None);
        let token = join_token(&cluster, Role::Worker).unwrap();
        let other = JoinToken { ca_digest: [0; 32], ..token.clone() };
        assert_eq!(check(&cluster, &other, Timestamp(1)), Err(TokenRefused::OtherCluster));
        for bit in 0..128 {
            let wrong = JoinToken { secret: token.secret ^ (1 << bit), ..token.clone() };
            assert_eq!(check(&cluster, &wrong, Timestamp(1)), Err(TokenRefused::Wrong));
        }
    }

    #[test]
    fn an_expired_token_says_both_times() {
        let cluster = cluster(Some(Timestamp(100)));
        let token = join_token(&cluster, Role::Worker).unwrap();
        assert_eq!(check(&cluster, &token, Timestamp(99)), Ok(Role::Worker));
        assert_eq!(check(&cluster, &token, Timestamp(100)), Err(TokenRefused::Expired { expired_ms: 100, now_ms: 100 }));
    }
}
