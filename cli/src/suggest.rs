//! What was perhaps meant: for names that do not exist, and for commands across all levels (`servce sacle` is `service scale`).

use clap::Command;

use crate::failure::Failure;

/// Below this likeness (Jaro-Winkler) nothing is suggested: `ls` is not `ps`.
const LIKE: f64 = 0.8;

/// How like two words are, from 0 to 1. Two neighbours swapped in a short word (`wbe`) are no accident, though Jaro-Winkler says so.
fn alike(word: &str, known: &str) -> f64 {
    let letters = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let swapped = word.chars().count() > 2 && letters(word) == letters(known) && strsim::osa_distance(word, known) == 1;
    strsim::jaro_winkler(word, known).max(if swapped { 0.9 } else { 0.0 })
}

/// The words that are like one, the likest first.
pub(crate) fn like<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found: Vec<(f64, &str)> =
        known.into_iter().map(|known| (alike(word, known), known)).filter(|(like, _)| *like >= LIKE).collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    found.into_iter().map(|(_, known)| known).take(3).collect()
}

/// A failure with the names that are like the one that does not exist, or the usual way on.
pub(crate) fn name(failure: Failure, reference: &str, names: Vec<String>, otherwise: &str) -> Failure {
    let close = like(reference, names.iter().map(String::as_str));
    let mut failure = failure;
    failure.fixes.clear();
    if close.is_empty() {
        return failure.fix(otherwise);
    }
    let quoted = close.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    failure.fix(format!("did you mean {quoted}?"))
}

/// The failure for a command that does not exist. `words` are all words of the command line that are no flags.
pub(crate) fn command(root: &Command, words: &[String]) -> Failure {
    let unknown = unknown(root, words);
    let what = Failure::usage(format!("no command \"{}\"", unknown.join(" ")));
    // What docker keeps under `swarm` stands at the top here.
    let words = if words.first().is_some_and(|word| word == "swarm") { &words[1..] } else { words };
    match meant(root, words) {
        Some((path, rest)) => {
            let line = std::iter::once("cluster").chain(path.iter().map(String::as_str)).chain(rest.iter().map(String::as_str));
            let line = line.collect::<Vec<_>>().join(" ");
            Failure { what: format!("{}. Did you mean \"{}\"?", what.what, path.join(" ")), ..what }.fix(line)
        }
        None => what.fix("see all commands: cluster --help"),
    }
}

/// The words up to the first one that is no command, with what is known before it.
fn unknown(root: &Command, words: &[String]) -> Vec<String> {
    let mut command = root;
    let mut path = Vec::new();
    for word in words {
        path.push(word.clone());
        match command.find_subcommand(word) {
            Some(next) => command = next,
            None => break,
        }
    }
    path
}

/// The command that was perhaps meant, and the words that follow it.
fn meant<'a>(root: &Command, words: &'a [String]) -> Option<(Vec<String>, &'a [String])> {
    let close = paths(root).into_iter().filter_map(|path| likeness(words, &path).map(|likeness| (likeness, path)));
    // A longer path explains more of what was typed.
    let best = close.max_by(|(a, long), (b, other)| long.len().cmp(&other.len()).then(a.total_cmp(b)));
    if let Some((_, path)) = best {
        let rest = &words[path.len()..];
        return Some((path, rest));
    }
    // A word that is no noun may be a verb whose noun was left out: `ps web` is `service ps web`.
    Some((verb(root, words.first()?)?, &words[1..]))
}

/// The mean likeness of the words with a path, when every one is like enough.
fn likeness(words: &[String], path: &[String]) -> Option<f64> {
    if words.len() < path.len() {
        return None;
    }
    let each: Vec<f64> = words.iter().zip(path).map(|(word, part)| alike(word, part)).collect();
    let all = each.iter().all(|likeness| *likeness >= LIKE);
    #[expect(clippy::cast_precision_loss, reason = "a path has a few words")]
    let mean = each.iter().sum::<f64>() / each.len() as f64;
    all.then_some(mean)
}

fn verb(root: &Command, word: &str) -> Option<Vec<String>> {
    let nested = paths(root).into_iter().filter(|path| path.len() == 2);
    let mut found: Vec<(f64, Vec<String>)> = nested.map(|path| (alike(word, &path[1]), path)).collect();
    found.retain(|(likeness, _)| *likeness >= LIKE);
    // Of nouns that have the verb, the service is what most mean.
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1[0] != "service").cmp(&(b.1[0] != "service"))));
    found.into_iter().next().map(|(_, path)| path)
}

/// Every command as its words, one and two levels deep.
fn paths(root: &Command) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for noun in root.get_subcommands().filter(|noun| noun.get_name() != "help") {
        let name = noun.get_name().to_owned();
        paths.extend(
            noun.get_subcommands().filter(|verb| verb.get_name() != "help").map(|verb| vec![name.clone(), verb.get_name().to_owned()]),
        );
        paths.push(vec![name]);
    }
    paths
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::arguments::Arguments;

    fn said(line: &str) -> (String, String) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let failure = command(&Arguments::command(), &words);
        (failure.what, failure.fixes.join("\n"))
    }

    #[test]
    fn commands_are_suggested_across_levels() {
        let all = ["servce sacle web=5", "service sacle web=5", "nodes ls", "ps web", "inti", "swarm join-token worker", "frobnicate now"]
            .map(said);
        insta::assert_debug_snapshot!(all, @r#"
        [
            (
                "no command \"servce\". Did you mean \"service scale\"?",
                "cluster service scale web=5",
            ),
            (
                "no command \"service sacle\". Did you mean \"service scale\"?",
                "cluster service scale web=5",
            ),
            (
                "no command \"nodes\". Did you mean \"node ls\"?",
                "cluster node ls",
            ),
            (
                "no command \"ps\". Did you mean \"service ps\"?",
                "cluster service ps web",
            ),
            (
                "no command \"inti\". Did you mean \"init\"?",
                "cluster init",
            ),
            (
                "no command \"swarm\". Did you mean \"join-token\"?",
                "cluster join-token worker",
            ),
            (
                "no command \"frobnicate\"",
                "see all commands: cluster --help",
            ),
        ]
        "#);
    }

    #[test]
    fn names_are_suggested_when_they_are_close() {
        assert_eq!(like("wbe", ["web", "api", "web2"]), ["web", "web2"]);
        assert!(like("ls", ["ps"]).is_empty());
    }
}
