//! Sizes and names. What has outgrown a limit is listed with its size and may only shrink.

use cluster_tidy::{functions, sources};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

/// Files over the limit, with the size that they may not exceed.
const LARGE_FILES: &[(&str, usize)] = &[];
/// Functions over the limit: file, name, size.
const LONG_FUNCTIONS: &[(&str, &str, usize)] = &[];

#[test]
fn files_are_rooms_not_halls() {
    for source in sources() {
        let lines = source.text.lines().count();
        let limit = LARGE_FILES.iter().find(|(path, _)| *path == source.path).map_or(FILE_LINES, |(_, lines)| *lines);
        assert!(lines <= limit, "{} has {lines} lines, more than {limit}: split it", source.path);
    }
}

#[test]
fn functions_fit_on_a_screen() {
    for source in sources() {
        for function in functions(&source.text) {
            let known = LONG_FUNCTIONS.iter().find(|(path, name, _)| *path == source.path && *name == function.name);
            let limit = known.map_or(FUNCTION_LINES, |(_, _, lines)| *lines);
            assert!(function.lines <= limit, "{}: {} has {} lines, more than {limit}", source.path, function.name, function.lines);
        }
    }
}

#[test]
fn names_say_what_is_inside() {
    for source in sources() {
        for part in source.path.trim_end_matches(".rs").split('/') {
            assert!(
                !["mod", "util", "utils", "common", "helpers", "helper", "misc"].contains(&part),
                "{}: `{part}` says nothing",
                source.path
            );
        }
    }
}

#[test]
fn every_module_begins_with_its_purpose() {
    for source in sources() {
        assert!(source.text.starts_with("//!"), "{} does not begin with `//!`", source.path);
    }
}
