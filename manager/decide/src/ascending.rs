//! Looks up keys that come in ascending order in a sequence that is sorted by them: one walk along both, where a search for each key would
//! cost most of a pass. Called where all nodes are gone through.

use std::cmp::Ordering;

/// The sequence, as far as it has not been passed.
pub(crate) struct Ascending<K, V, I> {
    next: Option<(K, V)>,
    rest: I,
}

impl<K: Ord, V, I: Iterator<Item = (K, V)>> Ascending<K, V, I> {
    pub(crate) fn new(mut pairs: I) -> Self {
        Self { next: pairs.next(), rest: pairs }
    }

    /// The next that a key has, each once. Keys before it are passed for good.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        loop {
            match self.next.as_ref()?.0.cmp(key) {
                Ordering::Less => self.next = self.rest.next(),
                Ordering::Equal => return std::mem::replace(&mut self.next, self.rest.next()).map(|(_, value)| value),
                Ordering::Greater => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_key_gets_what_a_search_would_find(pairs: BTreeSet<(u8, u8)>, keys: BTreeSet<u8>) {
            let mut walk = Ascending::new(pairs.iter().copied());
            for key in keys {
                let found: Vec<u8> = std::iter::from_fn(|| walk.get(&key)).collect();
                let expected: Vec<u8> = pairs.iter().filter(|(of, _)| *of == key).map(|(_, value)| *value).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
