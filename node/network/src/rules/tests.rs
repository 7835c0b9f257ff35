//! The table of a small host as a whole, and properties of changes: in a model, and in a kernel.

mod golden;
pub(super) mod model;
pub(super) mod wishes;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::nft;
use crate::tests::lab::Machine;

proptest! {
    #[test]
    fn old_and_change_make_new(old in wishes::rules(), new in wishes::rules()) {
        prop_assert_eq!(change(&old, &old), "");
        prop_assert_eq!(model::apply(&old, &change(&old, &new)), Ok(new));
    }

    #[test]
    fn a_change_is_no_longer_than_the_whole(rules in wishes::rules()) {
        let mut less = rules.clone();
        if let Some(set) = less.sets.get_mut("hairpin") {
            set.elements.clear();
        }
        let text = change(&less, &rules);
        prop_assert!(text.lines().count() <= 1, "{text}");
    }

    #[test]
    fn a_table_does_not_name_what_it_does_not_have(rules in wishes::rules()) {
        let empty = Ruleset { base: rules.base.clone(), table: rules.table.clone(), chains: BTreeMap::new(), sets: rules.sets.iter()
            .map(|(name, set)| (name.clone(), Set { kind: set.kind, elements: BTreeMap::new() })).collect() };
        prop_assert_eq!(model::apply(&empty, &change(&empty, &rules)), Ok(rules));
    }
}

/// Needs root and `nft`.
#[test]
fn the_kernel_has_the_same_after_a_change_as_after_the_whole_document() {
    let machine = Machine::new();
    let mut runner = TestRunner::new(Config { cases: 40, ..Config::default() });
    let pairs = (wishes::rules(), wishes::rules());
    let result = runner.run(&pairs, |(old, new)| {
        let outcome = machine.run(async move {
            let apply = async |text: String| nft::apply(&text).await.map_err(|error| format!("{error} in\n{text}"));
            apply(old.document()).await?;
            apply(change(&old, &new)).await?;
            let changed = nft::list(&new.table).await.map_err(|error| error.to_string())?;
            apply(new.document()).await?;
            let whole = nft::list(&new.table).await.map_err(|error| error.to_string())?;
            apply(Ruleset { table: new.table, ..Ruleset::default() }.document()).await?;
            Ok::<_, String>((changed, whole))
        });
        let (changed, whole) = outcome.map_err(TestCaseError::fail)?;
        prop_assert_eq!(changed, whole);
        Ok(())
    });
    result.unwrap();
}
