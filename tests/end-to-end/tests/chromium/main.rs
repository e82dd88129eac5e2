//! A person at the quickstart's page: real program, real SQLite file, real headless Chromium.

#![expect(clippy::expect_used, reason = "a test ends where something is not as expected")]

mod driver;
mod quickstart;
mod token_api;

use std::time::Duration;

use driver::Driver;
use end_to_end::{OTHER_PASSWORD, PASSWORD};
use quickstart::Quickstart;

/// How long the page may take for one step.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_person_uses_the_whole_page() {
    let site = Quickstart::start();
    let page = Driver::start();

    page.open(site.url());
    page.wait_for("sign-in form", "!document.querySelector('#signed-out').hidden");
    page.click("#show-signup");
    page.fill("#signup-identifier", "ada@example.com");
    page.fill("#signup-password", "too short");
    page.click("#signup-form button[type=submit]");
    page.wait_for("an error beside the field", "!document.querySelector('#signup-password-error').hidden");
    page.fill("#signup-password", PASSWORD);
    page.click("#signup-form button[type=submit]");
    page.wait_for("the account", "!document.querySelector('#account').hidden");
    page.wait_for("who", "document.querySelector('#who').textContent.includes('ada@example.com')");
    page.wait_for("one session", "document.querySelectorAll('#sessions li').length === 1");
    page.wait_for("the events", "document.querySelector('#events [data-kind=login_success]') !== null");
    assert_eq!(page.read("document.cookie"), "", "no script sees the session");

    site.sign_in_elsewhere("ada@example.com", PASSWORD);
    page.open(site.url());
    page.wait_for("two sessions", "document.querySelectorAll('#sessions li').length === 2");
    page.click("#sessions .end-session");
    page.wait_for("one session again", "document.querySelectorAll('#sessions li').length === 1");

    site.sign_in_elsewhere("ada@example.com", PASSWORD);
    site.sign_in_elsewhere("ada@example.com", PASSWORD);
    page.open(site.url());
    page.wait_for("three sessions", "document.querySelectorAll('#sessions li').length === 3");
    page.click("#end-others");
    page.wait_for("only this session", "document.querySelectorAll('#sessions li').length === 1");

    page.fill("#current-password", "not the password at all");
    page.fill("#new-password", OTHER_PASSWORD);
    page.click("#password-form button[type=submit]");
    page.wait_for("a refusal in the form", "document.querySelector('#password-form .form-error')?.textContent !== ''");
    page.fill("#current-password", PASSWORD);
    page.fill("#new-password", OTHER_PASSWORD);
    page.click("#password-form button[type=submit]");
    page.wait_for(
        "the change in the events",
        "document.querySelector('#events [data-kind=password_changed]') !== null",
    );

    page.click("#logout");
    page.wait_for("the sign-in form again", "!document.querySelector('#signed-out').hidden");
    page.click("#show-login");
    page.fill("#login-identifier", "ada@example.com");
    page.fill("#login-password", PASSWORD);
    page.click("#login-form button[type=submit]");
    page.wait_for("the old password refused", "document.querySelector('#login-form .form-error')?.textContent !== ''");
    page.fill("#login-password", OTHER_PASSWORD);
    page.click("#login-form button[type=submit]");
    page.wait_for("the account again", "!document.querySelector('#account').hidden");
    page.wait_for("the logout in the events", "document.querySelector('#events [data-kind=logout]') !== null");

    assert_eq!(page.console_errors(), Vec::<String>::new());
}
