//! Canaries: no secret is in a log, an error, the audit log, debug output or the database.

use end_to_end::{Log, World, change, on_each_store};
use serde_json::json;

const PASSWORD: &str = "canary-first-7f3b9c-password";
const NEW_PASSWORD: &str = "canary-second-81ad42-password";
const WRONG_PASSWORD: &str = "canary-wrong-5e60f1-password";
/// Typed into the wrong field.
const MISPLACED: &str = "canary-misplaced-c0ffee-password";

on_each_store! {
    async fn no_secret_leaves(backend) {
        let (log, guard) = Log::keep();
        let world = World::new(backend).await;
        let mut browser = world.browser();
        let mut answers = Vec::new();
        let body = |password: &str| json!({ "identifier": "ada@example.com", "password": password });
        answers.push(browser.post("/v1/auth/signup", body(PASSWORD)).await);
        answers.push(browser.post("/v1/auth/login", body(WRONG_PASSWORD)).await);
        answers.push(browser.post("/v1/auth/login", json!({ "identifier": MISPLACED, "password": "x" })).await);
        answers.push(browser.post("/v1/auth/login", json!({ "identifier": "ada@example.com", "password": [MISPLACED] })).await);
        answers.push(browser.post("/v1/auth/signup", json!({ "identifier": MISPLACED, "password": MISPLACED })).await);
        answers.push(browser.post("/v1/auth/login", body(PASSWORD)).await);
        let first = browser.cookies["authkit_session"].clone();
        answers.push(browser.post("/v1/account/change-password", change(WRONG_PASSWORD, NEW_PASSWORD)).await);
        answers.push(browser.post("/v1/account/change-password", change(PASSWORD, NEW_PASSWORD)).await);
        for path in ["/v1/auth/me", "/v1/sessions", "/v1/account/audit-events"] {
            answers.push(browser.get(path).await);
        }
        world.store.inject(authkit_testkit::Counted::Calls, 2, authkit_testkit::Fault::Fails);
        answers.push(browser.post("/v1/auth/login", body(NEW_PASSWORD)).await);
        world.auth.run_due_jobs().await;
        drop(guard);

        let secret = first.strip_prefix("aks_").unwrap().to_owned();
        let canaries = [PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, MISPLACED, secret.as_str(), &secret[22..70]];
        let mut sinks = vec![("log", log.text()), ("store", world.everything().await)];
        for answer in answers {
            sinks.push(("body", String::from_utf8_lossy(&answer.body).into_owned()));
        }
        let debug = format!("{:?} {:?} {:?} {:?}", world.auth, world.cx(), world.mailbox, world.audit().await);
        sinks.push(("debug and audit", debug));
        for (name, content) in sinks {
            for canary in canaries {
                assert!(!content.contains(canary), "{canary} is in the {name}");
            }
        }
    }
}
