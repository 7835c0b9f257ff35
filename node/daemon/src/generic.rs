//! Generic resources as an administrator configures them: `KIND=NAME` for each instance, or `KIND=NUMBER` for so many that are all alike.
//!
//! Read once at the start; the agent tells the managers. What an instance is for a container, the runtime knows.

use std::collections::BTreeSet;

use cluster_types::{GenericPool, GenericPools};

/// The pools of all settings together, or what is wrong with one.
pub(crate) fn pools(settings: &[String]) -> Result<GenericPools, String> {
    let mut pools = GenericPools::new();
    for setting in settings {
        let (kind, value) = setting.split_once('=').ok_or_else(|| format!("`{setting}` is not KIND=NAME or KIND=NUMBER"))?;
        let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:".contains(c));
        if !is_word(kind) || !is_word(value) {
            return Err(format!("`{setting}`: use letters, digits and - _ . / : in the kind and the name"));
        }
        add(&mut pools, kind, value).map_err(|reason| format!("`{setting}`: {reason}"))?;
    }
    Ok(pools)
}

fn add(pools: &mut GenericPools, kind: &str, value: &str) -> Result<(), &'static str> {
    if let Ok(count) = value.parse() {
        return match pools.insert(kind.to_owned(), GenericPool::Count(count)) {
            None => Ok(()),
            Some(_) => Err("a kind has one number, or names"),
        };
    }
    match pools.entry(kind.to_owned()).or_insert_with(|| GenericPool::Named(BTreeSet::new())) {
        GenericPool::Count(_) => Err("a kind has one number, or names"),
        GenericPool::Named(names) => names.insert(value.to_owned()).then_some(()).ok_or("the name is there twice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[&str]) -> Result<GenericPools, String> {
        pools(&settings.iter().map(|setting| (*setting).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn numbers_and_names_are_told_apart() {
        let pools = read(&["gpu=vendor.com/gpu=0", "gpu=vendor.com/gpu=1", "licence=3"]).unwrap();
        assert_eq!(pools["licence"], GenericPool::Count(3));
        assert_eq!(pools["gpu"], GenericPool::Named(["vendor.com/gpu=0".to_owned(), "vendor.com/gpu=1".to_owned()].into()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for settings in [&["gpu"][..], &["=1"], &["gpu="], &["gpu=a b"], &["gpu=1", "gpu=2"], &["gpu=1", "gpu=a"], &["gpu=a", "gpu=a"]] {
            assert!(read(settings).is_err(), "{settings:?} was accepted");
        }
    }
}
