//! Values for people: one as a block, several as a table.

use std::collections::BTreeMap;

use authkit_core::Command;
use serde_json::{Map, Value as JsonValue};

use crate::escape;

/// Rows that wait until the widths of their columns are known.
pub(crate) struct Table {
    columns: Vec<String>,
    waiting: Vec<Vec<String>>,
    /// Widths of the columns that are shown; none before the header was written.
    widths: Option<BTreeMap<usize, usize>>,
}

impl Table {
    /// So many rows decide how wide the columns are.
    const SAMPLE: usize = 100;

    pub(crate) fn of(command: &Command) -> Self {
        Self { columns: fields(command.output.as_value()), waiting: Vec::new(), widths: None }
    }

    /// Takes a row; returns what can be written now.
    pub(crate) fn push(&mut self, value: &JsonValue) -> String {
        let cells = match value {
            JsonValue::Object(object) => self.columns.iter().map(|column| cell(object.get(column))).collect(),
            other => vec![cell(Some(other))],
        };
        self.waiting.push(cells);
        if self.waiting.len() < Self::SAMPLE { String::new() } else { self.flush() }
    }

    /// What has not been written yet.
    pub(crate) fn flush(&mut self) -> String {
        if self.waiting.is_empty() {
            return String::new();
        }
        let mut text = String::new();
        let header = self.widths.is_none();
        let widths = self.widths.get_or_insert_with(|| widths(&self.columns, &self.waiting));
        if header && !self.columns.is_empty() {
            let names = self.columns.iter().enumerate();
            let names =
                names.map(|(at, name)| if widths.contains_key(&at) { name.to_uppercase() } else { NOTHING.into() });
            write(&names.collect::<Vec<_>>(), widths, &self.columns, &mut text);
        }
        for row in self.waiting.drain(..) {
            write(&row, widths, &self.columns, &mut text);
        }
        text
    }

    /// Whether there was no row at all.
    pub(crate) const fn is_empty(&self) -> bool {
        self.widths.is_none() && self.waiting.is_empty()
    }
}

/// One line: the columns that are shown, then by name whatever stands in another one.
fn write(row: &[String], widths: &BTreeMap<usize, usize>, columns: &[String], text: &mut String) {
    let shown = widths.iter().filter_map(|(at, width)| Some(format!("{:width$}", row.get(*at)?)));
    let others = row.iter().enumerate().filter(|(at, cell)| !widths.contains_key(at) && *cell != NOTHING);
    let others = others.filter_map(|(at, cell)| Some(format!("{}={cell}", columns.get(at)?)));
    text.push_str(shown.chain(others).collect::<Vec<_>>().join("  ").trim_end());
    text.push('\n');
}

/// The columns in which anything stands, and how wide each has to be.
fn widths(header: &[String], rows: &[Vec<String>]) -> BTreeMap<usize, usize> {
    let mut widths = BTreeMap::new();
    for (at, cell) in rows.iter().flat_map(|row| row.iter().enumerate()).filter(|(_, cell)| *cell != NOTHING) {
        let least = header.get(at).map_or(0, |name| name.chars().count());
        let width = widths.entry(at).or_insert(least);
        *width = cell.chars().count().max(*width);
    }
    widths
}

/// Stands where there is no value.
const NOTHING: &str = "-";
/// Stands where a text is empty.
const EMPTY: &str = "\"\"";

/// One value: a text as it is, a struct with one field a line.
pub(crate) fn block(command: &Command, value: &JsonValue) -> String {
    match value {
        JsonValue::String(text) if text.ends_with('\n') => escape::lines(text),
        JsonValue::String(text) => format!("{}\n", escape::lines(text)),
        JsonValue::Object(object) => rows(&fields(command.output.as_value()), object),
        other => format!("{}\n", cell(Some(other))),
    }
}

fn rows(columns: &[String], object: &Map<String, JsonValue>) -> String {
    let width = object.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let known = columns.iter().filter(|name| object.contains_key(*name));
    let others = object.keys().filter(|name| !columns.contains(name));
    let row = |name: &String| format!("{name:width$}  {}\n", cell(object.get(name)));
    known.chain(others).map(row).collect()
}

fn cell(value: Option<&JsonValue>) -> String {
    match value {
        None | Some(JsonValue::Null) => NOTHING.to_owned(),
        Some(JsonValue::String(text)) => word(text),
        Some(JsonValue::Bool(true)) => "yes".to_owned(),
        Some(JsonValue::Bool(false)) => "no".to_owned(),
        Some(JsonValue::Array(items)) if items.is_empty() => NOTHING.to_owned(),
        Some(JsonValue::Array(items)) if items.iter().all(|item| !item.is_object()) => {
            items.iter().map(item).collect::<Vec<_>>().join(", ")
        }
        Some(other) => escape::json_cell(other),
    }
}

/// One of several in a cell, which a comma ends.
fn item(value: &JsonValue) -> String {
    cell(Some(value)).replace(',', "\\u{2c}")
}

/// A text in a cell, never that of no value.
fn word(text: &str) -> String {
    match text {
        "" => EMPTY.to_owned(),
        NOTHING | EMPTY => text.chars().flat_map(char::escape_unicode).collect(),
        text => escape::cell(text),
    }
}

/// The fields of what a command shows, as they are declared: a schema lists those that are always there in order.
fn fields(schema: &JsonValue) -> Vec<String> {
    let required = schema.get("required").and_then(JsonValue::as_array).into_iter().flatten();
    let mut fields: Vec<String> = required.filter_map(JsonValue::as_str).map(str::to_owned).collect();
    let all = schema.get("properties").and_then(JsonValue::as_object).into_iter().flatten();
    fields.extend(all.map(|(name, _)| name).filter(|name| !fields.contains(name)).cloned().collect::<Vec<_>>());
    fields
}

#[cfg(test)]
mod tests {
    use authkit_core::{AuthError, Run};
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    struct Nothing {}

    #[derive(Serialize, JsonSchema)]
    struct Thing {
        zeta: String,
        alpha: Option<u32>,
        names: Vec<String>,
        more: JsonValue,
    }

    async fn things(_: Run<Thing>, _: Nothing) -> Result<(), AuthError> {
        Ok(())
    }

    fn command() -> Command {
        Command::list("things list", "Lists things.", things)
    }

    #[test]
    fn columns_stand_as_they_are_declared_and_are_as_wide_as_the_first_rows() {
        let mut table = Table::of(&command());
        assert!(table.is_empty());
        assert_eq!(table.push(&json!({ "zeta": "first", "alpha": 7, "names": ["a", "b"], "more": { "x": 1 } })), "");
        assert_eq!(table.push(&json!({ "zeta": "2", "alpha": null, "names": [], "more": true })), "");
        let expected = "ZETA   ALPHA  NAMES  MORE\nfirst  7      a, b   {\"x\":1}\n2      -      -      yes\n";
        assert_eq!(table.flush(), expected);
        assert_eq!(table.push(&json!({ "zeta": "longer than all" })), "");
        assert_eq!(table.flush(), "longer than all  -      -      -\n");
        assert_eq!(table.flush(), "");
    }

    #[test]
    fn columns_without_a_value_are_left_out_and_what_comes_later_is_named() {
        let mut table = Table::of(&command());
        table.push(&json!({ "zeta": "a", "alpha": null, "names": [], "more": "x" }));
        assert_eq!(table.flush(), "ZETA  MORE\na     x\n");
        table.push(&json!({ "zeta": "b", "alpha": 7, "more": "y" }));
        assert_eq!(table.flush(), "b     y     alpha=7\n");
    }

    #[test]
    fn a_long_list_is_written_while_it_grows() {
        let mut table = Table::of(&command());
        let texts: Vec<String> = (0..250).map(|n| table.push(&json!({ "zeta": n.to_string() }))).collect();
        assert_eq!(texts.iter().filter(|text| !text.is_empty()).count(), 2);
    }

    #[test]
    fn no_value_begins_a_line_of_its_own() {
        let hostile =
            json!({ "zeta": "x\nERROR all is lost\u{1b}[1A", "names": ["\r"], "more": { "k\u{202e}": "\u{9b}" } });
        let mut table = Table::of(&command());
        table.push(&hostile);
        assert_eq!(table.flush().lines().count(), 2);
        assert_eq!(block(&command(), &hostile).lines().count(), 3);
        assert!(!block(&command(), &hostile).contains(['\u{1b}', '\r', '\u{202e}', '\u{9b}']));
    }

    #[test]
    fn no_value_imitates_a_column_or_another_value() {
        for hostile in [
            "x  7  admin@example.com  yes",
            "x\u{3000}\u{3000}7",
            "x \u{a0}7",
            "x\t7",
            "x ",
            " x",
            "",
            "-",
            "\"\"",
            "x  alpha=7",
            "x\u{2800}\u{2800}7",
            "x\u{202e}  7",
            "x, y",
        ] {
            let mut table = Table::of(&command());
            table.push(&json!({ "zeta": hostile, "alpha": 7, "names": [hostile, hostile], "more": { "k": hostile } }));
            table.push(&json!({ "zeta": "a", "alpha": null, "names": ["b"], "more": null }));
            let text = table.flush();
            assert_eq!(text.lines().count(), 3, "{hostile:?}");
            let row = text.lines().nth(1).unwrap();
            let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
            let [zeta, "7", names, _] = cells[..] else { panic!("{hostile:?}: {row}") };
            assert_ne!(zeta, NOTHING);
            assert_eq!(names.split(", ").count(), 2, "{hostile:?}: {row}");
            assert!(row.chars().all(|c| c == ' ' || (!c.is_whitespace() && !c.is_control())), "{hostile:?}: {row}");
            assert_eq!(block(&command(), &json!({ "zeta": hostile })).lines().count(), 1, "{hostile:?}");
        }
    }

    #[test]
    fn one_value_is_a_block_and_a_text_is_itself() {
        let thing = json!({ "zeta": "z", "alpha": 7, "extra": false });
        assert_eq!(block(&command(), &thing), "zeta   z\nalpha  7\nextra  no\n");
        assert_eq!(block(&command(), &json!("a\nb\n")), "a\nb\n");
        assert_eq!(block(&command(), &json!("key")), "key\n");
    }
}
