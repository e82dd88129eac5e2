//! `cargo xtask links`: every link within the repository leads to a file, a folder or a heading that is there.

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::links::page::Page;
use crate::workspace::Workspace;

/// Checks every page and names all links that lead nowhere.
///
/// # Errors
///
/// If there is one, or a page cannot be read.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut pages = BTreeMap::new();
    let files = workspace.files()?;
    for file in files.iter().filter(|file| file.ends_with(".md")) {
        let text = fs::read_to_string(workspace.root.join(file)).with_context(|| format!("{file} cannot be read"))?;
        pages.insert(file.clone(), Page::parse(&text));
    }
    let published = workspace.published().filter_map(|package| package.folder.strip_prefix(&workspace.root).ok());
    let abroad = published.map(|folder| format!("{}/README.md", folder.display())).collect();
    let site = Site { files, pages, abroad };

    let problems = site.problems();
    ensure!(problems.is_empty(), "links that lead nowhere:\n{}", problems.join("\n"));
    let links: usize = site.pages.values().map(|page| page.links.len()).sum();
    println!("{links} links on {} pages", site.pages.len());
    Ok(())
}

/// All files by their paths from the root, with what the pages among them hold.
struct Site {
    files: BTreeSet<String>,
    pages: BTreeMap<String, Page>,
    /// Pages that are also read where no file stands beside them: the READMEs that go to crates.io and docs.rs.
    abroad: BTreeSet<String>,
}

impl Site {
    fn problems(&self) -> Vec<String> {
        let links = self.pages.iter().flat_map(|(from, page)| page.links.iter().map(move |link| (from, link)));
        links.filter_map(|(from, link)| self.problem(from, link).map(|it| format!("- {from}: `{link}` {it}"))).collect()
    }

    fn problem(&self, from: &str, link: &str) -> Option<String> {
        let (path, anchor) = match link.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor)),
            None => (link, None),
        };
        let to = if path.is_empty() {
            from.to_owned()
        } else if let Some(path) = FRONTS.iter().find_map(|front| path.strip_prefix(front)) {
            path.trim_end_matches('/').to_owned()
        } else if path.contains("://") || path.starts_with("mailto:") {
            return None;
        } else if self.abroad.contains(from) {
            return Some(format!("breaks on crates.io and docs.rs; write {}…", FRONTS[0]));
        } else {
            match resolved(from, path) {
                Some(to) => to,
                None => return Some("leads out of the repository".to_owned()),
            }
        };
        if !self.files.contains(&to) && !self.is_folder(&to) {
            return Some(format!("leads to {to}, which is not there"));
        }
        let anchor = anchor?;
        let page = self.pages.get(&to).or_else(|| self.pages.get(&format!("{to}/README.md")));
        match page {
            Some(page) if page.anchors.contains(anchor) => None,
            _ => Some(format!("leads to a heading that {to} does not have")),
        }
    }

    fn is_folder(&self, path: &str) -> bool {
        let inside = format!("{path}/");
        path.is_empty() || self.files.range(inside.clone()..).next().is_some_and(|file| file.starts_with(&inside))
    }
}

/// Where a relative link leads, from the root; nothing if that is above the root, or the link begins at a host's root.
fn resolved(from: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// How addresses of files and folders of this repository begin.
const FRONTS: [&str; 2] =
    ["https://github.com/authkit-rs/authkit/blob/main/", "https://github.com/authkit-rs/authkit/tree/main/"];

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with this link on this page, among a few files.
    fn check(from: &str, link: &str) -> Option<String> {
        let texts = [
            ("README.md", "# Start\n"),
            ("docs/guide/a.md", "## One\n## One\n"),
            ("authkit-a/README.md", "# authkit-a\n"),
        ];
        let files = texts.iter().map(|(file, _)| *file).chain(["docs/b.txt", "docs-old/c.txt"]);
        let site = Site {
            files: files.map(str::to_owned).collect(),
            pages: texts.iter().map(|(file, text)| ((*file).to_owned(), Page::parse(text))).collect(),
            abroad: BTreeSet::from(["authkit-a/README.md".to_owned()]),
        };
        site.problem(from, link)
    }

    #[test]
    fn what_is_there_is_found() {
        for (from, link) in [
            ("README.md", "docs/guide/a.md"),
            ("README.md", "./docs/"),
            ("README.md", "#start"),
            ("README.md", "docs/guide/a.md#one-1"),
            ("README.md", "authkit-a#authkit-a"),
            ("docs/guide/a.md", "../../README.md#start"),
            ("docs/guide/a.md", "../b.txt"),
            ("docs/guide/a.md", "https://docs.rs/axum#anything"),
            ("docs/guide/a.md", "mailto:somebody@example.com"),
            ("authkit-a/README.md", "#authkit-a"),
            ("authkit-a/README.md", "https://github.com/authkit-rs/authkit/blob/main/docs/guide/a.md#one"),
        ] {
            assert_eq!(check(from, link), None, "{from}: {link}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        for (from, link, problem) in [
            ("README.md", "docs/a.md", "not there"),
            ("README.md", "Docs/guide/a.md", "not there"),
            ("README.md", "doc", "not there"),
            ("README.md", "#end", "a heading"),
            ("README.md", "docs/guide/a.md#two", "a heading"),
            ("README.md", "docs/b.txt#L1", "a heading"),
            ("docs/guide/a.md", "../../../README.md", "out of the repository"),
            ("docs/guide/a.md", "/README.md", "out of the repository"),
            ("authkit-a/README.md", "../README.md", "crates.io"),
            ("authkit-a/README.md", "https://github.com/authkit-rs/authkit/tree/main/gone", "not there"),
        ] {
            let said = check(from, link).unwrap_or_default();
            assert!(said.contains(problem), "{from}: {link}: {said}");
        }
    }
}
