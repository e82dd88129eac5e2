//! `cargo xtask documents`: runs every command that a page shows, as `tests/documents/README.md` says.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::services::Services;
use crate::test;
use crate::workspace::Workspace;

/// What the blocks of a page need beside them is here, under the name of the page.
const SCRIPTS: &str = "tests/documents/pages";

/// Runs the blocks of these pages, or of all, each page in a folder of `target/documents` that stays until the next run.
///
/// # Errors
///
/// If a command fails, or a block does not do what is said about it.
pub(crate) fn run(workspace: &Workspace, services: &Services, names: &[&str]) -> Result<()> {
    test::build(workspace)?;
    let home = workspace.target.join("documents");
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }

    let files = workspace.files()?;
    let pages: Vec<&str> = files.iter().filter_map(|file| file.strip_suffix(".md")).collect();
    for script in files.iter().filter_map(|file| file.strip_prefix(SCRIPTS)?.strip_prefix('/')?.strip_suffix(".sh")) {
        ensure!(pages.contains(&script), "{SCRIPTS}/{script}.sh is about no page");
    }
    if let Some(name) = names.iter().find(|name| !files.contains(**name)) {
        bail!("there is no page {name}");
    }
    for page in pages {
        let name = format!("{page}.md");
        if names.is_empty() || names.contains(&name.as_str()) {
            run_page(workspace, services, &name, &home.join(page))?;
        }
    }
    Ok(())
}

fn run_page(workspace: &Workspace, services: &Services, page: &str, folder: &Path) -> Result<()> {
    let text = fs::read_to_string(workspace.root.join(page)).with_context(|| format!("{page} cannot be read"))?;
    let blocks = blocks(&text).with_context(|| page.to_owned())?;
    if blocks.is_empty() {
        let script = workspace.root.join(SCRIPTS).join(page).with_extension("sh");
        ensure!(!script.exists(), "{} is about a page without a block", script.display());
        return Ok(());
    }

    let (kept, scratch) = (folder.join("blocks"), folder.join("scratch"));
    fs::create_dir_all(&kept)?;
    fs::create_dir_all(&scratch)?;
    for (number, block) in (1..).zip(blocks) {
        fs::write(kept.join(number.to_string()), block)?;
    }
    println!("{page}");
    let steps = workspace.root.join("tests/documents/steps.sh");
    let mut bash = Command::new("bash");
    bash.arg(steps).arg(&workspace.root).arg(workspace.target.join("debug")).arg(page).arg(kept);
    bash.current_dir(scratch).envs(services.variables());
    let status = bash.status().context("`bash` cannot be started")?;
    ensure!(
        status.success(),
        "the commands of {page} do not work; the output is above, the files are in {}",
        folder.display()
    );
    Ok(())
}

/// The `sh` blocks of a page. Empty lines before each keep the numbers that its lines have on the page.
fn blocks(text: &str) -> Result<Vec<String>> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, &str)> = None;
    for (number, line) in text.lines().enumerate() {
        let (fence, language) = line.trim_start().split_at(line.trim_start().chars().take_while(|c| *c == '`').count());
        match open {
            Some((opened, _)) if fence == opened && language.is_empty() => open = None,
            Some((_, "sh")) => {
                if let Some(block) = blocks.last_mut() {
                    *block = format!("{block}{line}\n");
                }
            }
            Some(_) => {}
            None if fence.len() >= 3 => {
                ensure!(!matches!(language, "bash" | "console" | "shell"), "line {}: write `sh`", number + 1);
                open = Some((fence, language));
                if language == "sh" {
                    blocks.push("\n".repeat(number + 1));
                }
            }
            None => {}
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn blocks_keep_the_numbers_of_their_lines() {
        let page = "# Page\n```sh\nfirst\n\n# still first\n```\n```json\n{}\n```\n````md\n```sh\n```\n````\n```sh\nlast\n```\n";
        let lines = |empty: usize, text: &str| format!("{}{text}\n", "\n".repeat(empty));
        assert_eq!(blocks(page).unwrap(), [lines(2, "first\n\n# still first"), lines(14, "last")]);
    }

    #[test]
    fn other_names_of_a_shell_are_refused() {
        for language in ["bash", "console", "shell"] {
            assert!(blocks(&format!("text\n```{language}\ncommand\n```\n")).is_err(), "{language}");
        }
    }
}
