//! The flags of every command that lists: format, ids only, filters. What they print goes to stdout.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};

use super::plain::plain;
use super::row::Row;
use super::table::table;
use crate::failure::Failure;

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// One JSON object a line, with docker's keys
    Json,
}

/// Flags of a list.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ListFlags {
    /// How to print
    #[arg(long, value_enum, default_value_t, hide_default_value = true, env = "CLUSTER_FORMAT")]
    pub(crate) format: Format,
    /// Only ids
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Whole ids and texts
    #[arg(long)]
    pub(crate) no_trunc: bool,
    /// Only what has this, such as name=web; the same key again: either
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = super::super::spec::value::pair)]
    pub(crate) filter: Vec<(String, String)>,
}

impl ListFlags {
    /// Values by key; a key that the list does not know is an error of usage.
    pub(crate) fn filters(&self, known: &[&str]) -> Result<BTreeMap<&str, Vec<&str>>, Failure> {
        let mut filters: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in &self.filter {
            if !known.contains(&key.as_str()) {
                return Err(Failure::usage(format!("there is no filter `{key}` here")).fix(format!("use one of: {}", known.join(", "))));
            }
            filters.entry(key).or_default().push(value);
        }
        Ok(filters)
    }

    /// The whole list as text.
    pub(crate) fn print<R: Row>(&self, rows: &[R]) -> String {
        if self.quiet {
            return rows.iter().map(|row| format!("{}\n", row.id())).collect();
        }
        match self.format {
            Format::Json => rows.iter().map(|row| format!("{}\n", row.json())).collect(),
            Format::Table => self.table(rows),
        }
    }

    fn table<R: Row>(&self, rows: &[R]) -> String {
        let cells: Vec<Vec<String>> = rows.iter().map(|row| row.cells(self.no_trunc)).collect();
        let shown = |(column, heading): &(usize, &&str)| {
            !R::OPTIONAL.contains(heading) || cells.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty()))
        };
        let columns: Vec<usize> = R::HEADINGS.iter().enumerate().filter(shown).map(|(column, _)| column).collect();
        let headings: Vec<&str> = columns.iter().filter_map(|column| R::HEADINGS.get(*column).copied()).collect();
        let pick = |row: Vec<String>| columns.iter().filter_map(|column| row.get(*column).cloned()).collect();
        let text = table(&headings, &cells.into_iter().map(pick).collect::<Vec<_>>());
        // Each row is one line, so what stands below it goes behind that line.
        let below = std::iter::once(Vec::new()).chain(rows.iter().map(|row| row.below(self.no_trunc)));
        let mut all = String::new();
        for (line, below) in text.lines().zip(below) {
            all.push_str(&format!("{line}\n"));
            below.iter().for_each(|line| all.push_str(&format!("{}\n", plain(line))));
        }
        all
    }
}
