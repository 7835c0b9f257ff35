//! A kernel that knows chains, sets and elements, and refuses what the real one would.

use crate::rules::Ruleset;

/// What a table is after a transaction.
pub(in crate::rules) fn apply(old: &Ruleset, text: &str) -> Result<Ruleset, String> {
    let mut rules = old.clone();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(6, ' ').collect();
        let [verb, noun, "ip", table, name, rest @ ..] = words.as_slice() else { return Err(format!("unknown: {line}")) };
        if *table != rules.table {
            return Err(format!("another table: {line}"));
        }
        step(&mut rules, (verb, noun), name, rest.first().copied().unwrap_or_default()).map_err(|error| format!("{error}: {line}"))?;
    }
    Ok(rules)
}

fn step(rules: &mut Ruleset, what: (&str, &str), name: &str, rest: &str) -> Result<(), &'static str> {
    let jump = format!("goto {name}");
    match what {
        ("add", "chain") => match rules.chains.insert(name.to_owned(), Vec::new()) {
            None => Ok(()),
            Some(_) => Err("it is there"),
        },
        ("flush", "chain") => rules.chains.get_mut(name).map(Vec::clear).ok_or("no such chain"),
        ("add", "rule") => rules.chains.get_mut(name).map(|chain| chain.push(rest.to_owned())).ok_or("no such chain"),
        ("delete", "chain") if rules.sets.values().any(|set| set.elements.values().flatten().any(|value| *value == jump)) => Err("in use"),
        ("delete", "chain") => rules.chains.remove(name).map(drop).ok_or("no such chain"),
        ("add" | "delete", "element") => {
            let list = rest.strip_prefix("{ ").and_then(|rest| rest.strip_suffix(" }")).ok_or("no list")?;
            for element in list.split(", ") {
                let (key, value) = element.split_once(" : ").map_or((element, None), |(key, value)| (key, Some(value.to_owned())));
                let chain = value.as_ref().and_then(|value| value.strip_prefix("goto "));
                if chain.is_some_and(|chain| !rules.chains.contains_key(chain)) {
                    return Err("no such chain");
                }
                let set = rules.sets.get_mut(name).ok_or("no such set")?;
                let had = set.elements.get(key).cloned();
                match what.0 {
                    "add" if had.is_none() => drop(set.elements.insert(key.to_owned(), value)),
                    "delete" if had == Some(value) => drop(set.elements.remove(key)),
                    _ => return Err("no such element, or another one"),
                }
            }
            Ok(())
        }
        _ => Err("unknown"),
    }
}
