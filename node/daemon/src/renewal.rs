//! When a certificate is renewed: at a random moment between half and four fifths of its life, so that the nodes of a cluster do not all
//! come at once (swarm's rule, security.md 3.1). Pure.

use std::time::Duration;

use cluster_api::Identity;

/// Between two tries when nobody gives a certificate, at most.
pub(crate) const RETRY: Duration = Duration::from_secs(10);

/// How long to wait from `now` (seconds since the epoch). `share` is random, from 0 to 1.
#[must_use]
pub(crate) fn wait(identity: &Identity, now: i64, share: f64) -> Duration {
    // Certificates are backdated: their life as a whole counts, as in swarm, but what is left of a short one counts more.
    let life = (identity.not_after - identity.not_before.max(now.min(identity.not_after))).max(0);
    #[expect(clippy::cast_precision_loss, reason = "seconds of some months are exact")]
    let life = life as f64;
    Duration::try_from_secs_f64(life * (0.5 + 0.3 * share.clamp(0.0, 1.0))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster_types::{ClusterId, NodeId, Role};

    #[test]
    fn renewal_falls_between_half_and_four_fifths_of_what_is_left() {
        let identity =
            Identity { node: NodeId::from_bits(1), cluster: ClusterId::from_bits(1), role: Role::Worker, not_before: 0, not_after: 1000 };
        assert_eq!(wait(&identity, 0, 0.0), Duration::from_secs(500));
        assert_eq!(wait(&identity, 0, 1.0), Duration::from_secs(800));
        assert_eq!(wait(&identity, 500, 0.0), Duration::from_secs(250));
        assert_eq!(wait(&identity, 2000, 0.5), Duration::ZERO);
    }
}
