//! The nftables table of a host, as plain data: what it should be, its text, and the way from one to another. Pure.
//!
//! One table of our own; no rule of others is touched. `desired` makes it from the view, `change` finds the smallest transaction,
//! `draft` makes again only what changed.

mod base;
pub mod change;
pub mod desired;
pub mod draft;

use std::collections::BTreeMap;
use std::fmt::Write as _;

pub use crate::places::{LINK_PREFIX, OVERLAY_PREFIX, PROBE_MAGIC};
pub use change::change;
pub use desired::{Forward, Wanted, desired};
pub use draft::{Basis, Draft};

/// A table. The same wishes give the same table, whatever their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ruleset {
    /// Its name.
    pub table: String,
    /// The chains that hooks call: they depend on what the node is alone.
    pub base: String,
    /// Its sets and maps, by name.
    pub sets: BTreeMap<String, Set>,
    /// The rules of its other chains, by name.
    pub chains: BTreeMap<String, Vec<String>>,
}

/// A set or a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// `set` or `map`, and its type.
    pub kind: SetKind,
    /// Its elements; with a value each when it is a map.
    pub elements: BTreeMap<String, Option<String>>,
}

/// The declaration of a set or a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetKind {
    /// `set` or `map`.
    pub word: &'static str,
    /// What it is made of: `type` or `typeof` and the rest.
    pub of: &'static str,
    /// Whether its keys are subnets.
    pub intervals: bool,
}

impl Ruleset {
    /// The whole document for `nft -f`: replaces the table in one transaction.
    #[must_use]
    pub fn document(&self) -> String {
        let table = &self.table;
        let mut text = format!("table ip {table}\ndelete table ip {table}\n");
        if self.base.is_empty() && self.chains.is_empty() && self.sets.is_empty() {
            return text;
        }
        let _ = writeln!(text, "table ip {table} {{");
        for (name, set) in &self.sets {
            let _ = write!(text, "  {} {name} {{\n    {}\n", set.kind.word, set.kind.of);
            if set.kind.intervals {
                text.push_str("    flags interval\n");
            }
            if !set.elements.is_empty() {
                let _ = writeln!(text, "    elements = {{ {} }}", elements(&set.elements));
            }
            text.push_str("  }\n");
        }
        for (name, rules) in &self.chains {
            let _ = writeln!(text, "  chain {name} {{");
            for rule in rules {
                let _ = writeln!(text, "    {rule}");
            }
            text.push_str("  }\n");
        }
        text.push_str(&self.base);
        text.push_str("}\n");
        text
    }
}

/// Elements as `nft` reads them.
fn elements<'a>(elements: impl IntoIterator<Item = (&'a String, &'a Option<String>)>) -> String {
    let one = |(key, value): (&String, &Option<String>)| value.as_ref().map_or_else(|| key.clone(), |value| format!("{key} : {value}"));
    elements.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
