//! The way from one table to another: the smallest transaction, so that a change of one service costs that service alone, and the turns
//! of the others (round robin) go on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Ruleset, Set, elements};

/// The text that makes `new` of `old`; empty when they are the same. The whole document when what the hooks call differs.
#[must_use]
pub fn change(old: &Ruleset, new: &Ruleset) -> String {
    if old == new {
        return String::new();
    }
    let kinds = |rules: &Ruleset| rules.sets.iter().map(|(name, set)| (name.clone(), set.kind)).collect::<Vec<_>>();
    if old.table != new.table || old.base != new.base || kinds(old) != kinds(new) {
        return new.document();
    }
    let mut text = String::new();
    write_chains(&mut text, old, new);
    // What named a chain goes before the chain; what names a chain comes after it.
    for (name, set) in &new.sets {
        write_elements(&mut text, &new.table, name, old.sets.get(name), set);
    }
    for name in old.chains.keys().filter(|name| !new.chains.contains_key(*name)) {
        let _ = writeln!(text, "delete chain ip {} {name}", new.table);
    }
    text
}

fn write_chains(text: &mut String, old: &Ruleset, new: &Ruleset) {
    let table = &new.table;
    for (name, rules) in &new.chains {
        let word = match old.chains.get(name) {
            Some(had) if had == rules => continue,
            Some(_) => "flush",
            None => "add",
        };
        let _ = writeln!(text, "{word} chain ip {table} {name}");
        for rule in rules {
            let _ = writeln!(text, "add rule ip {table} {name} {rule}");
        }
    }
}

fn write_elements(text: &mut String, table: &str, name: &str, old: Option<&Set>, new: &Set) {
    let none = BTreeMap::new();
    let had = old.map_or(&none, |set| &set.elements);
    let gone: Vec<_> = had.iter().filter(|(key, value)| new.elements.get(*key) != Some(*value)).collect();
    let come: Vec<_> = new.elements.iter().filter(|(key, value)| had.get(*key) != Some(*value)).collect();
    for (word, list) in [("delete", gone), ("add", come)] {
        if !list.is_empty() {
            let _ = writeln!(text, "{word} element ip {table} {name} {{ {} }}", elements(list));
        }
    }
}
