//! Whether the rules are still those that were written. The kernel counts transactions on rules; only when somebody else made one is our
//! table listed and compared with what it was when it was written. With thousands of services a listing takes its time: it is made for
//! the comparison once the rules have rested, and while others go on.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// How long the rules rest before they are listed.
const REST: Duration = Duration::from_secs(10);

/// What is known of the table since it was last right.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// The kernel's count when it was right.
    generation: Option<u32>,
    /// When it was written.
    written: Option<Instant>,
    /// The digest of its listing then, once it is known.
    listing: Option<u64>,
}

impl HostNetwork {
    /// Hands text to `nft`.
    pub(super) async fn transact(&self, text: &str) -> Result<Guard, NetworkError> {
        let before = self.shared.rules.generation()?;
        nft::apply(text).await?;
        let after = self.shared.rules.generation()?;
        // One step: nobody else made one meanwhile.
        let generation = (after == before.wrapping_add(1)).then_some(after);
        Ok(Guard { generation, written: Some(Instant::now()), listing: None })
    }

    /// Puts the rules right. Says whether they were wrong.
    pub(super) async fn audit_rules(&self, state: &mut State) -> Result<bool, NetworkError> {
        if !state.rules.is_written() {
            self.write_rules(state).await?;
            return Ok(false);
        }
        let now = self.shared.rules.generation()?;
        if state.guard.generation == Some(now) {
            return Ok(false);
        }
        let found = self.listing().await?;
        if found.is_some() && found == state.guard.listing {
            state.guard.generation = Some(now);
            return Ok(false);
        }
        let mut guard = self.transact(&state.rules.rules().document()).await?;
        guard.listing = self.listing().await?;
        let wrong = guard.listing != found;
        state.guard = guard;
        Ok(wrong)
    }

    /// Lists rules that have rested, for comparisons to come. Takes the state's lock only before and after.
    pub(super) async fn remember_rules(&self) -> Result<(), NetworkError> {
        let Some(generation) = self.shared.state.lock().await.guard.unknown() else { return Ok(()) };
        let listing = self.listing().await?;
        let mut state = self.shared.state.lock().await;
        if state.guard.generation == Some(generation) && self.shared.rules.generation()? == generation {
            state.guard.listing = listing;
        }
        Ok(())
    }

    async fn listing(&self) -> Result<Option<u64>, NetworkError> {
        let digest = |text: String| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        };
        Ok(nft::list(&self.shared.places.table).await?.map(digest))
    }
}

impl Guard {
    /// The count at which rules were written that have rested and were not listed.
    fn unknown(&self) -> Option<u32> {
        let rested = self.written.is_some_and(|written| written.elapsed() >= REST);
        self.generation.filter(|_| rested && self.listing.is_none())
    }
}
