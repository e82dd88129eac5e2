//! What a page of Markdown links to, and what on it can be linked to.

use std::collections::{BTreeMap, BTreeSet};

/// The links and headings of one page; what stands in code is neither.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Where its links and images lead, as written.
    pub(crate) links: Vec<String>,
    /// Names of its headings, as GitHub makes them.
    pub(crate) anchors: BTreeSet<String>,
}

impl Page {
    /// Reads inline links, definitions of links, `href` and `src`, and headings that begin with `#`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut slugs = BTreeMap::new();
        for block in blocks(text) {
            for line in block.lines() {
                if let Some(heading) = heading(line) {
                    let slug = slug(heading);
                    let earlier: &mut usize = slugs.entry(slug.clone()).or_default();
                    page.anchors.insert(if *earlier == 0 { slug } else { format!("{slug}-{earlier}") });
                    *earlier += 1;
                }
            }
            page.links.extend(links(&without_code(&block)));
        }
        page
    }
}

/// Runs of lines between empty lines and fenced code, which is left out.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    let mut fence: Option<&str> = None;
    for line in text.lines() {
        let mark = fence_mark(line);
        match (fence, mark) {
            // A fence ends with one of the same kind that is as long, and nothing after it.
            (Some(open), Some(mark)) if mark.starts_with(open) && line.trim() == mark => fence = None,
            (Some(_), _) => continue,
            (None, Some(mark)) => fence = Some(mark),
            (None, None) if line.trim().is_empty() => {}
            (None, None) => {
                if let Some(block) = blocks.last_mut() {
                    block.push_str(line);
                    block.push('\n');
                }
                continue;
            }
        }
        blocks.push(String::new());
    }
    blocks
}

/// The three or more backticks or tildes with which a line begins.
fn fence_mark(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let kind = line.chars().next().filter(|kind| matches!(kind, '`' | '~'))?;
    let length = line.len() - line.trim_start_matches(kind).len();
    line.get(..length).filter(|mark| mark.len() >= 3)
}

fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    (1..=6).contains(&level).then(|| text.strip_prefix(' ')).flatten().map(str::trim)
}

/// The name that GitHub gives a heading: lower case, hyphens for spaces, no punctuation.
fn slug(heading: &str) -> String {
    let mut text = heading.to_owned();
    while let Some(range) = link_target(&text) {
        text.replace_range(range, "");
    }
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    text.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The `(target)` of the first inline link.
fn link_target(text: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find("](")? + 1;
    let length = text.get(start..)?.find(')')? + 1;
    Some(start..start + length)
}

/// The block with an empty text for each code span: from some backticks to the next run of as many.
fn without_code(block: &str) -> String {
    let mut text = String::new();
    let mut rest = block;
    while let Some(at) = rest.find('`') {
        let (before, from) = rest.split_at(at);
        let after = from.trim_start_matches('`');
        let length = from.len() - after.len();
        text.push_str(before);
        rest = code_end(after, length).and_then(|end| after.get(end..)).unwrap_or(after);
    }
    text.push_str(rest);
    text
}

/// Where a run of exactly so many backticks ends.
fn code_end(text: &str, length: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        let start = at + text.get(at..)?.find('`')?;
        let run = text.get(start..)?.chars().take_while(|c| *c == '`').count();
        at = start + run;
        if run == length {
            return Some(at);
        }
    }
}

fn links(text: &str) -> Vec<String> {
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split([' ', '\n', ')']).next());
    let definitions = text.lines().filter_map(|line| line.trim_start().strip_prefix('[')?.split_once("]: "));
    let definitions = definitions.filter_map(|(_, rest)| rest.split_whitespace().next());
    let attributes = ["href=\"", "src=\""].into_iter().flat_map(|name| text.split(name).skip(1));
    let attributes = attributes.filter_map(|rest| rest.split('"').next());
    inline.chain(definitions).chain(attributes).map(|link| link.trim_matches(['<', '>']).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links_of(text: &str) -> Vec<String> {
        Page::parse(text).links
    }

    fn anchors_of(text: &str) -> Vec<String> {
        Page::parse(text).anchors.into_iter().collect()
    }

    #[test]
    fn links_and_images_are_found_in_every_spelling() {
        for text in [
            "See [this](a.md).",
            "See [`this`](a.md), [that\nand more](<a.md>)",
            "![a picture](a.md \"title\")",
            "- | [cell](a.md) |",
            "See [this][it].\n\n[it]: a.md",
            "<a href=\"a.md\">x</a>",
            "<img src=\"a.md\">",
        ] {
            assert!(links_of(text).iter().all(|link| link == "a.md" || link.is_empty()), "{text}");
            assert!(links_of(text).contains(&"a.md".to_owned()), "{text}");
        }
        assert_eq!(links_of("[a](b.md)[c](d.md#e)"), ["b.md", "d.md#e"]);
    }

    #[test]
    fn code_is_no_link_and_no_heading() {
        for text in [
            "```sh\n[a](b.md)\n# c\n```",
            "~~~\n```\n[a](b.md)\n~~~",
            "````md\n```\n[a](b.md)\n```\n````",
            "* a list\n  ```rust\n  #[a](b.md)\n  ```",
            "Write `[a](b.md)` or ``[a`](b.md)``.",
            "`over\nlines [a](b.md)`",
        ] {
            assert_eq!(links_of(text), [""; 0], "{text}");
            assert_eq!(anchors_of(text), [""; 0], "{text}");
        }
        assert_eq!(links_of("a lone ` and [a](b.md)\n\nanother `"), ["b.md"]);
        assert_eq!(links_of("```\ncode\n```\n[a](b.md)"), ["b.md"]);
    }

    #[test]
    fn headings_have_the_names_that_github_gives_them() {
        for (heading, anchor) in [
            ("# Five minutes", "five-minutes"),
            ("## 1. What's in `Cargo.toml`, and why?", "1-whats-in-cargotoml-and-why"),
            ("### From [Django](django.md) on", "from-django-on"),
            ("#### snake_case and a-hyphen", "snake_case-and-a-hyphen"),
            ("# [0.2.0] - 2026-11-21", "020---2026-11-21"),
            ("# Größe", "größe"),
        ] {
            assert_eq!(anchors_of(heading), [anchor], "{heading}");
        }
        assert_eq!(anchors_of("# Same\n## Same\n# same"), ["same", "same-1", "same-2"]);
        assert_eq!(anchors_of("#no heading\n####### seven"), [""; 0]);
    }
}
