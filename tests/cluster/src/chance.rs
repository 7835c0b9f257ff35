//! Random choices that the same seed makes again. The seed is printed, and taken from `CLUSTER_LAB_SEED` when that is set.

use std::time::SystemTime;

/// A source of random numbers (SplitMix64).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// A source whose seed is printed.
    #[must_use]
    pub fn told(what: &str) -> Self {
        let given = std::env::var("CLUSTER_LAB_SEED").ok().and_then(|text| text.parse().ok());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let seed = given.unwrap_or_else(|| u64::from(now.subsec_nanos()));
        eprintln!("{what}: CLUSTER_LAB_SEED={seed}");
        Self(seed)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("a bound of 64 bits");
        usize::try_from((mixed ^ (mixed >> 31)) % bound).expect("below the bound")
    }
}
