//! A single-page application in two tabs: real program, real cookies, answers that get lost.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use end_to_end::PASSWORD;
use tempfile::TempDir;

use crate::driver::Driver;

/// How many storms there are, one after the other.
const STORMS: usize = 4;

/// How long a storm lasts, in milliseconds. Within all of them the refresh token is followed by another at least twice.
const STORM_LASTS: u32 = 8000;

/// Runs in the first tab: both tabs refresh at nearly the same moments, and any answer may get lost.
///
/// That is four times a second, since all storms together have to stay below 300 refreshes, the limit of a minute.
/// A request is aborted after a time in which some are not yet sent, some are being served, and some are answered. What
/// `seen.tokens` has are the times at which the refresh tokens expire: another time is another token.
const STORM: &str = "(async (lasts) => {
    const tabs = [window, window.second];
    const seen = { lost: 0, refreshed: 0, signedOut: 0, tokens: [] };
    for (const tab of tabs) {
        const real = tab.fetch.bind(tab);
        tab.fetch = async (path, request) => {
            const aborter = new tab.AbortController();
            if (Math.random() < 0.5) setTimeout(() => aborter.abort(), Math.random() * 12);
            try {
                const response = await real(path, { ...request, signal: aborter.signal });
                if (response.status === 401) seen.signedOut += 1;
                if (response.status === 200) {
                    const token = (await response.clone().json()).refresh_expires_at;
                    if (!seen.tokens.includes(token)) seen.tokens.push(token);
                    seen.refreshed += 1;
                }
                return response;
            } catch (error) {
                seen.lost += 1;
                throw error;
            }
        };
        tab.restore = () => { tab.fetch = real; };
    }
    const refresh = (tab) => new Promise((resolve) => {
        const button = tab.document.querySelector('#refresh');
        const look = new MutationObserver(() => { if (!button.disabled) { look.disconnect(); resolve(); } });
        look.observe(button, { attributes: true });
        button.click();
    });
    const rest = () => new Promise((resolve) => setTimeout(resolve, 250 - performance.now() % 250 + Math.random() * 15));
    const end = performance.now() + lasts;
    await Promise.all(tabs.map(async (tab) => {
        while (performance.now() < end && seen.signedOut === 0) {
            await refresh(tab);
            await rest();
        }
    }));
    for (const tab of tabs) tab.restore();
    return seen;
})";

#[test]
fn two_tabs_that_refresh_together_and_lose_answers_stay_signed_in() {
    let site = TokenApi::start();
    let page = Driver::start();
    sign_up(&page, &site.url);

    page.read("void (window.second = window.open('/'))");
    page.wait_for("the second tab", "second.document.querySelector('#signed-in')?.hidden === false");
    let mut tokens = BTreeSet::new();
    for _ in 0..STORMS {
        let seen = page.read(&format!("{STORM}({STORM_LASTS})"));
        assert_eq!(seen["signedOut"], 0, "{seen}");
        assert!(seen["lost"].as_u64() > Some(0) && seen["refreshed"].as_u64() > Some(0), "no storm: {seen}");
        tokens.extend(seen["tokens"].as_array().expect("a list").iter().map(ToString::to_string));
    }
    assert!(tokens.len() > 2, "tokens that are not followed by others: {tokens:?}");

    page.click("#refresh");
    page.wait_for("the first tab at rest", "!document.querySelector('#refresh').disabled");
    for tab in ["document", "second.document"] {
        page.wait_for("a tab that is signed in", &format!("!{tab}.querySelector('#signed-in').hidden"));
    }
    page.open(&site.url);
    page.wait_for("a tab that starts anew", "!document.querySelector('#signed-in').hidden");
    assert_eq!(page.console_errors(), Vec::<String>::new());
}

#[test]
fn a_person_uses_the_page() {
    let site = TokenApi::start();
    let page = Driver::start();
    sign_up(&page, &site.url);
    assert_eq!(page.read("document.cookie"), "", "no script sees the refresh token");
    assert_eq!(page.read("localStorage.length + sessionStorage.length"), 0, "nor can any find the access token");

    page.fill("#add input", "Buy lamps");
    page.click("#add button");
    page.wait_for("the note", "document.querySelector('#notes').textContent === 'Buy lamps'");
    assert_eq!(page.read("document.querySelector('#refreshes').value"), "0");

    // As if the access token had expired: its next use is refused, and the page gets another.
    page.read(
        "void (() => { const real = fetch; window.fetch = (path, request) => { window.fetch = real; \
         return real(path, { ...request, headers: { ...request.headers, authorization: 'Bearer expired' } }); } })()",
    );
    page.fill("#add input", "Feed the cat");
    page.click("#add button");
    page.wait_for("the next note", "document.querySelectorAll('#notes li').length === 2");
    assert_eq!(page.read("document.querySelector('#refreshes').value"), "1");

    page.click("#clear");
    page.wait_for("no notes", "document.querySelectorAll('#notes li').length === 0");
    page.click("#sign-out");
    page.wait_for("the form", "!document.querySelector('#signed-out').hidden");
    page.open(&site.url);
    page.wait_for("the form again", "!document.querySelector('#signed-out').hidden");
    assert_eq!(page.console_errors(), Vec::<String>::new());
}

fn sign_up(page: &Driver, url: &str) {
    page.open(url);
    page.wait_for("the form", "!document.querySelector('#signed-out').hidden");
    page.fill("[name=identifier]", "ada@example.com");
    page.fill("[name=password]", PASSWORD);
    page.click("#sign-up");
    page.wait_for("the notes", "!document.querySelector('#signed-in').hidden");
}

/// The token API as its user starts it, in a directory and on a port of its own.
struct TokenApi {
    process: Child,
    url: String,
    _directory: TempDir,
}

impl TokenApi {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut process = Command::new(program())
            .arg("127.0.0.1:0")
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("target/debug/token-api, which `cargo xtask test` builds");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let (_, url) = line.trim_end().split_once(" at ").expect("an address");
        Self { process, url: url.to_owned(), _directory: directory }
    }
}

impl Drop for TokenApi {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// `target/debug/token-api`, beside the folder that this test was built into.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.ancestors().nth(2).expect("target/debug");
    folder.join("token-api")
}
