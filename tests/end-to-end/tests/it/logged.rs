//! What went wrong inside is in the log, and only there.

use std::{error::Error, fmt, net::IpAddr, str::FromStr as _};

use authkit_core::{Access, AuthError, HttpMethod, Manifest, Operation, Plugin, Problem, Registrar, Reply, codes};
use authkit_testkit::{Counted, Fault};
use end_to_end::{Answer, Log, World, on_each_store};
use serde_json::{Value as JsonValue, json};

const CAUSE: &str = "the innermost cause 4b1d";
const PANIC: &str = "a bug that nobody foresaw 9e27";

/// Operations that go wrong.
struct Broken;

#[derive(Debug)]
struct Outer(std::io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the outer error 77aa")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl Plugin for Broken {
    fn manifest(&self) -> Manifest {
        Manifest::new("broken", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let post = |path, handler: fn() -> Result<Reply<()>, AuthError>| {
            Operation::new(HttpMethod::Post, path, Access::Public, "Goes wrong.", move |_, _: JsonValue| async move {
                handler()
            })
        };
        registrar.operation(post("/broken/fails", || {
            let cause = Outer(std::io::Error::other(CAUSE));
            Err(AuthError::new(&codes::INTERNAL).caused_by(cause))
        }));
        registrar.operation(post("/broken/panics", || panic!("{PANIC}")));
        registrar.operation(post("/broken/panics-plainly", || std::panic::panic_any(PANIC)));
        let fails = |_, _: JsonValue| async {
            let cause = Outer(std::io::Error::other(CAUSE));
            Err::<Reply<()>, _>(AuthError::new(&codes::INTERNAL).caused_by(cause))
        };
        let session = Access::Session;
        registrar.operation(Operation::new(HttpMethod::Post, "/broken/for-somebody", session, "Goes wrong.", fails));
        Ok(())
    }
}

/// The answer, and the lines of the log that are errors.
async fn errors_of(world: &World, path: &str, body: JsonValue) -> (Answer, String) {
    let (log, guard) = Log::keep();
    let answer = world.browser().post(path, body).await;
    drop(guard);
    let errors: Vec<String> = log.text().lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect();
    (answer, errors.join("\n"))
}

on_each_store! {
    async fn the_cause_of_a_fault_is_in_the_log_and_not_in_the_answer(backend) {
        let world = World::builder(backend).plugin(Broken).build().await;
        let (answer, errors) = errors_of(&world, "/v1/broken/fails", json!({})).await;
        assert_eq!((answer.status, answer.code()), (500, "core.internal".to_owned()));
        for part in ["the outer error 77aa", CAUSE, "core.internal"] {
            assert!(errors.contains(part), "{part} is not in: {errors}");
        }
        assert!(!format!("{answer:?}").contains("77aa") && !format!("{answer:?}").contains("4b1d"), "{answer:?}");
    }

    async fn the_cause_of_a_fault_of_the_store_is_in_the_log_and_not_in_the_answer(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        world.store.inject(Counted::Calls, 1, Fault::Fails);
        let body = json!({ "identifier": "ada@example.com", "password": end_to_end::PASSWORD });
        let (answer, errors) = errors_of(&world, "/v1/auth/login", body).await;
        assert_eq!((answer.status, answer.code()), (503, "core.unavailable".to_owned()));
        assert!(errors.contains("the store is unavailable: a fault was injected"), "{errors}");
        assert!(!format!("{answer:?}").contains("injected") && !format!("{answer:?}").contains("store"), "{answer:?}");
    }

    async fn a_line_of_a_request_says_in_json_which_request_whose_and_why(backend) {
        let world = World::builder(backend).plugin(Broken).build().await;
        let ada = world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await.at(IpAddr::from_str("::ffff:203.0.113.9").unwrap());
        let (log, guard) = Log::keep_json();
        let answer = browser.post("/v1/broken/for-somebody", json!({})).await;
        drop(guard);
        assert_eq!(answer.status, 500, "{answer:?}");
        let text = log.text();
        let lines: Vec<JsonValue> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let errors: Vec<&JsonValue> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
        let [line] = errors[..] else { panic!("{text}") };

        let (fields, request) = (&line["fields"], &line["span"]);
        assert_eq!(fields["message"], "a request failed");
        assert_eq!((&fields["code"], &fields["status"]), (&json!("core.internal"), &json!(500)));
        assert_eq!(fields["internal"], format!("the outer error 77aa: {CAUSE}"), "every cause, the innermost last");
        assert_eq!(request["name"], "authkit.request");
        assert_eq!(request["request_id"], answer.headers["x-request-id"].to_str().expect("an id"));
        assert_eq!(request["principal"], ada.to_string());
        assert_eq!(request["tenant"], world.cx().tenant().to_string());
        assert_eq!((&request["method"], &request["path"]), (&json!("POST"), &json!("/v1/broken/for-somebody")));
        assert_eq!(request["client"], "203.0.113.9");
        for secret in [end_to_end::PASSWORD, browser.cookies["authkit_session"].as_str(), "ada@example.com"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    async fn why_a_request_was_refused_is_in_the_log_without_what_was_sent(backend) {
        let world = World::new(backend).await;
        let (log, guard) = Log::keep();
        let answer = world.browser().post("/v1/auth/login", json!({ "identifier": 4_711_829, "password": "tangerine" })).await;
        drop(guard);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.json()["errors"][0]["field"], "identifier", "{answer:?}");
        let text = log.text();
        let line = text.lines().find(|line| line.contains("a request was refused")).expect("a line");
        assert!(line.contains("DEBUG") && line.contains("input of another form"), "{line}");
        assert!(!text.contains("4711829") && !text.contains("tangerine"), "{text}");
    }

    async fn a_panic_is_in_the_log_and_not_in_the_answer(backend) {
        let world = World::builder(backend).plugin(Broken).build().await;
        let (answer, errors) = errors_of(&world, "/v1/broken/panics-plainly", json!({})).await;
        assert_eq!((answer.status, answer.code()), (500, "core.internal".to_owned()));
        assert!(errors.contains(PANIC) && errors.contains("an operation panicked"), "{errors}");
        assert!(!format!("{answer:?}").contains("9e27"), "{answer:?}");

        // A message that was put together may hold what somebody sent, so it is left to the panic hook.
        let (answer, errors) = errors_of(&world, "/v1/broken/panics", json!({})).await;
        assert_eq!(answer.status, 500);
        assert!(errors.contains("an operation panicked") && !errors.contains("9e27"), "{errors}");
    }
}
