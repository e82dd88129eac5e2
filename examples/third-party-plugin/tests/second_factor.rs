//! Somebody sets up an authenticator app while signing in, signs in with its codes, and removes it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod doors;

use std::time::Duration;

use authkit_core::{
    Aal, AuthError, AuthManager, Batch, Call, Challenge, Client, KeyRing, MethodId, OfferAction, Principal,
    PrincipalKind, Progress, Reply, RequestContext, SignedIn, Timestamp, codes,
};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{NoSessions, TestClock};
use serde_json::{Value, json};
use third_party_plugin::Totp;
use totp_rs::{Builder, Secret};

const TOTP: MethodId = MethodId::from_static("totp");
const STEP: Duration = Duration::from_secs(30);

struct Setup {
    auth: AuthManager,
    clock: TestClock,
    ann: Principal,
}

impl Setup {
    async fn new() -> Self {
        let clock = TestClock::new(Timestamp::from_millis(1_234_567_890_000));
        let auth = AuthManager::builder()
            .public_url("https://example.com")
            .keys(KeyRing::new([*b"thirty-two bytes that are a key."]).unwrap())
            .store(MemoryStore::new())
            .clock(clock.clone())
            .plugin(NoSessions::default())
            .plugin(doors::Doors)
            .plugin(Totp::new("Example"))
            .build()
            .unwrap();
        auth.migrate().await.unwrap();
        let cx = auth.request(Client::default());
        let ann = Principal::new(&cx, PrincipalKind::Human);
        let mut batch = Batch::new(&cx);
        batch.add_principal(&cx, &ann);
        cx.commit(doors::Added {}, batch).await.unwrap();
        Self { auth, clock, ann }
    }

    fn cx(&self) -> RequestContext {
        self.auth.request(Client::default())
    }

    /// Says who signs in, and is told what else has to be proved.
    async fn challenge(&self) -> Challenge {
        match self.cx().sign_in(&doors::METHOD, json!({ "principal": self.ann.id })).await.unwrap() {
            Progress::Challenged(challenge) => challenge,
            _ => panic!("one factor was enough"),
        }
    }

    async fn answer(&self, challenge: &Challenge, code: &str) -> Result<SignedIn, AuthError> {
        match self.cx().answer(challenge.flow.expose(), &TOTP, json!({ "code": code })).await? {
            Progress::SignedIn(signed_in) => Ok(*signed_in),
            _ => panic!("two factors were not enough"),
        }
    }

    /// Sets up an app while signing in; returns its secret.
    async fn enrol(&self) -> (SignedIn, String) {
        let challenge = self.challenge().await;
        assert_eq!(offers(&challenge), [(TOTP, OfferAction::Enrol)]);
        let begun = self.cx().begin(&TOTP, Value::Null, Some(challenge.flow.expose())).await.unwrap();
        let prompt = &begun.offers.first().unwrap().prompt;
        let secret = prompt["secret"].as_str().unwrap().to_owned();
        assert!(prompt["url"].as_str().unwrap().starts_with("otpauth://totp/Example:"));
        let code = self.code(&secret);
        // A mistyped code costs nothing: the same flow goes on with the same secret.
        assert_eq!(refused(self.answer(&begun, &another(&code)).await), "totp.wrong_code");
        (self.answer(&begun, &code).await.unwrap(), secret)
    }

    async fn remove(&self, by: &SignedIn) -> Result<Reply, AuthError> {
        let operation = self.auth.operations().iter().find(|operation| operation.path == "/account/totp").unwrap();
        let session = Some(by.session.clone());
        operation.call(Call { cx: self.cx(), session, input: json!({}), path: Vec::new() }).await
    }

    /// What the app shows now.
    fn code(&self, secret: &str) -> String {
        code_at(Secret::try_from_base32(secret).unwrap(), self.cx().now().millis() / 1000)
    }
}

fn offers(challenge: &Challenge) -> Vec<(MethodId, OfferAction)> {
    challenge.offers.iter().map(|offer| (offer.method.clone(), offer.action)).collect()
}

fn code_at(secret: impl Into<Secret>, seconds: i64) -> String {
    let app = Builder::new().with_secret(secret).build().unwrap();
    app.generate(seconds.try_into().unwrap()).to_string()
}

/// A code that differs in its last digit.
fn another(code: &str) -> String {
    let (start, last) = code.split_at(5);
    format!("{start}{}", if last == "0" { "1" } else { "0" })
}

fn refused(answer: Result<SignedIn, AuthError>) -> &'static str {
    answer.err().unwrap().code().code
}

#[test]
fn codes_are_those_of_rfc_6238() {
    let vectors = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];
    for (seconds, code) in vectors {
        assert_eq!(code_at(*b"12345678901234567890", seconds), code);
    }
}

#[tokio::test]
async fn an_app_is_set_up_in_a_flow_and_signs_in_from_then_on() {
    let setup = Setup::new().await;
    let (first, secret) = setup.enrol().await;
    assert_eq!(first.session.aal, Aal::Aal2);

    let challenge = setup.challenge().await;
    assert_eq!(offers(&challenge), [(TOTP, OfferAction::Verify)]);
    // The code that confirmed the app is used up.
    assert_eq!(refused(setup.answer(&challenge, &setup.code(&secret)).await), codes::REJECTED.code);

    setup.clock.advance(STEP);
    let code = setup.code(&secret);
    let second = setup.answer(&setup.challenge().await, &code).await.unwrap();
    assert_eq!(second.session.principal.id, setup.ann.id);
    assert_eq!(second.session.aal, Aal::Aal2);
    assert_eq!(second.session.amr, "otp");
    assert_eq!(refused(setup.answer(&setup.challenge().await, &code).await), codes::REJECTED.code);
}

#[tokio::test]
async fn a_clock_may_be_off_by_one_step() {
    let setup = Setup::new().await;
    let (_, secret) = setup.enrol().await;

    setup.clock.advance(3 * STEP);
    let code = setup.code(&secret);
    setup.clock.advance(2 * STEP);
    assert_eq!(refused(setup.answer(&setup.challenge().await, &code).await), codes::REJECTED.code);

    let code = setup.code(&secret);
    setup.clock.advance(STEP);
    setup.answer(&setup.challenge().await, &code).await.unwrap();
}

#[tokio::test]
async fn a_fresh_session_removes_the_app() {
    let setup = Setup::new().await;
    let (_, secret) = setup.enrol().await;
    setup.clock.advance(STEP);
    let signed_in = setup.answer(&setup.challenge().await, &setup.code(&secret)).await.unwrap();
    setup.clock.advance(Duration::from_mins(5));
    assert_eq!(setup.remove(&signed_in).await.unwrap().status, 204);
    assert_eq!(offers(&setup.challenge().await), [(TOTP, OfferAction::Enrol)]);
    assert!(setup.remove(&signed_in).await.is_err());
}

#[tokio::test]
async fn an_older_session_does_not_remove_the_app() {
    let setup = Setup::new().await;
    let (signed_in, _) = setup.enrol().await;
    setup.clock.advance(Duration::from_mins(5) + STEP);
    assert_eq!(*setup.remove(&signed_in).await.unwrap_err().code(), codes::STEP_UP_REQUIRED);
    assert_eq!(offers(&setup.challenge().await), [(TOTP, OfferAction::Verify)]);
}
