//! `docs/reference.md` is what the binary says of itself. `UPDATE_DOCS=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use cluster_cli_tests::run;

const HEAD: &str = "# Reference\n\nEvery command with its flags, as `--help` prints them. Made by `UPDATE_DOCS=1 cargo test -p cluster-cli-tests --test reference`.\n\n\
    Settings of the daemon are its flags; the file `/etc/cluster/config.toml` takes the same names (`listen-addr = \"0.0.0.0:4740\"`), and a flag \
    or its environment variable wins over the file.\n";

/// The commands below one, as its help lists them.
fn below(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names =
        commands.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(ToOwned::to_owned).collect()
}

fn describe(words: &[String], into: &mut String) {
    let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    let help = run(&arguments).stdout;
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(
        into,
        "\n## {}\n\n```text\n{}\n```\n",
        ["cluster"].iter().copied().chain(words.iter().map(String::as_str)).collect::<Vec<_>>().join(" "),
        lines.join("\n").trim()
    );
    for name in below(&help) {
        describe(&[words, &[name]].concat(), into);
    }
}

#[test]
fn the_reference_is_what_the_binary_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference.md");
    let mut text = HEAD.to_owned();
    describe(&[], &mut text);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/reference.md is old: UPDATE_DOCS=1 cargo test -p cluster-cli-tests --test reference");
}
