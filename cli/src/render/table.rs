//! Tables as docker prints them: capital headings, columns three spaces apart, no lines. Nothing is cut: wide values make wide columns.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use super::plain::plain;

/// A table with its line ends. Without rows only the headings.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell).into_owned()));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}
