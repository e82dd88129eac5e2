//! `cargo xtask asvs`: every test that the security map names has to exist, and its sums have to be right.

use std::collections::HashSet;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

const MAP: &str = "docs/security/asvs.md";
const STATES: [&str; 12] =
    ["met", "in part", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0", "application", "not applicable"];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join(MAP);
    let text = fs::read_to_string(&path).with_context(|| format!("{MAP} cannot be read"))?;
    let rows = rows(&text);
    let mut problems = problems(&rows, |file| fs::read_to_string(workspace.root.join(file)).ok());
    problems.extend(wrong_sums(&text, &rows));
    ensure!(problems.is_empty(), "{MAP} is not true:\n{}", problems.join("\n"));

    let counts = STATES.map(|state| (state, rows.iter().filter(|row| row.state == state).count()));
    let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(state, count)| format!("{count} {state}"));
    println!("{} rows: {}", rows.len(), counts.collect::<Vec<_>>().join(", "));
    Ok(())
}

/// One line of the table.
struct Row<'t> {
    id: &'t str,
    level: &'t str,
    state: &'t str,
    proof: &'t str,
}

/// The lines of five cells whose first is the id of a requirement, such as `V6.2.1`.
fn rows(text: &str) -> Vec<Row<'_>> {
    text.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").map(str::trim).collect();
    match cells.as_slice() {
        [id, level, _, state, proof] if is_id(id) => Some(Row { id, level, state, proof }),
        [id, ..] if is_id(id) => Some(Row { id, level: "", state: "a line of other than five cells", proof: "" }),
        _ => None,
    }
}

fn is_id(cell: &str) -> bool {
    let numbers = cell.strip_prefix('V').map(|rest| rest.split('.').collect::<Vec<_>>());
    numbers.is_some_and(|parts| parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok()))
}

/// What is wrong with the rows; `read` gives the text of a file of the workspace.
fn problems(rows: &[Row<'_>], read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    if rows.is_empty() {
        problems.push("there is no row".to_owned());
    }
    for row in rows {
        let mut problem = |text: String| problems.push(format!("- {}: {text}", row.id));
        if !seen.insert(row.id) {
            problem("stands twice".to_owned());
        }
        if !STATES.contains(&row.state) {
            problem(format!("the state `{}` is not one of: {}", row.state, STATES.join(", ")));
        }
        let references = references(row.proof);
        if row.state == "met" && !references.iter().any(|(_, test)| test.is_some()) {
            problem("is met, but no test is named".to_owned());
        }
        if row.state == "in part" && references.is_empty() {
            problem("is met in part, but nothing is named".to_owned());
        }
        for (file, test) in references {
            match (read(file), test) {
                (None, _) => problem(format!("{file} is not there")),
                (Some(text), Some(test)) if !has_function(&text, test) => {
                    problem(format!("{file} has no function {test}"));
                }
                _ => {}
            }
        }
    }
    problems
}

/// Lines of sums, such as `| met | 1 | 2 | 3 | 6 |`, that the rows do not add up to.
fn wrong_sums(text: &str, rows: &[Row<'_>]) -> Vec<String> {
    let mut problems = Vec::new();
    for state in STATES {
        let of_level = |level: &str| rows.iter().filter(|row| row.state == state && row.level == level).count();
        let [l1, l2, l3] = ["L1", "L2", "L3"].map(of_level);
        let all = l1 + l2 + l3;
        let sums = format!("| {state} | {l1} | {l2} | {l3} | {all} |");
        if all > 0 && !text.lines().any(|line| line == sums) {
            problems.push(format!("- the sums have to be: {sums}"));
        }
    }
    problems
}

/// What stands in backticks and is a file, or a file and a function of it: `tests/a.rs::name`.
fn references(proof: &str) -> Vec<(&str, Option<&str>)> {
    proof.split('`').skip(1).step_by(2).filter_map(reference).collect()
}

fn reference(text: &str) -> Option<(&str, Option<&str>)> {
    match text.split_once("::") {
        Some((file, test)) => is_file(file).then_some((file, Some(test))),
        None => is_file(text).then_some((text, None)),
    }
}

fn is_file(text: &str) -> bool {
    text.contains('/') && [".md", ".rs", ".yml"].iter().any(|end| text.ends_with(end))
}

fn has_function(text: &str, name: &str) -> bool {
    let follows = |rest: &str| rest.starts_with(['(', '<']);
    text.split("fn ").skip(1).any(|rest| rest.strip_prefix(name).is_some_and(follows))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems of a table of these lines, where only `tests/a.rs` is there.
    fn check(lines: &str) -> Vec<String> {
        let read = |file: &str| (file == "tests/a.rs").then(|| "async fn holds(backend) {}".to_owned());
        problems(&rows(&format!("| id | level | requirement | state | proof |\n|---|---|---|---|---|\n{lines}")), read)
    }

    #[test]
    fn a_true_map_has_no_problem() {
        let lines = "| V6.2.1 | L1 | a | met | `tests/a.rs::holds` |\n\
                     | V6.2.2 | L1 | b | 0.6 | factors of their own |\n\
                     | V6.2.3 | L1 | c | application | `tests/a.rs` and `Strict-Transport-Security` |";
        assert_eq!(check(lines), [""; 0]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (proof, problem) in [
            ("`tests/b.rs::holds`", "tests/b.rs is not there"),
            ("`tests/a.rs::hold`", "tests/a.rs has no function hold"),
            ("`tests/a.rs::holds_not`", "tests/a.rs has no function holds_not"),
            ("`tests/a.rs`", "is met, but no test is named"),
        ] {
            assert_eq!(check(&format!("| V6.2.1 | L1 | a | met | {proof} |")), [format!("- V6.2.1: {problem}")]);
        }
    }

    #[test]
    fn wrong_sums_are_named() {
        let row = "| V6.2.1 | L2 | a | met | `tests/a.rs::holds` |";
        let sums = |line: &str| wrong_sums(&format!("{line}\n{row}"), &rows(row));
        assert_eq!(sums("| met | 0 | 1 | 0 | 1 |"), [""; 0]);
        assert_eq!(sums("| met | 1 | 0 | 0 | 1 |"), ["- the sums have to be: | met | 0 | 1 | 0 | 1 |"]);
    }

    #[test]
    fn an_id_stands_once_and_its_state_is_known() {
        let twice = check("| V6.2.1 | L1 | a | 0.3 | x |\n| V6.2.1 | L1 | a | 0.3 | x |");
        assert_eq!(twice, ["- V6.2.1: stands twice"]);
        let unknown = check("| V6.2.1 | L1 | a | done | x |");
        assert!(unknown.len() == 1 && unknown[0].contains("`done`"), "{unknown:?}");
        assert!(check("| V6.2.1 | L1 | met |")[0].contains("five cells"));
        assert_eq!(check(""), ["there is no row"]);
    }
}
