//! `docs/security/events.md` lists every record that can be made, with what it says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    time::Duration,
};

use authkit_account::{AccountAdmin, AccountImport, Accounts, SignUpPolicy};
use authkit_core::{Aal, Act, MethodId, PrincipalKind, Progress, RequestContext, SecretText, Session};
use authkit_password::PasswordAdmin;
use authkit_risk::{LockoutAdmin, Throttle};
use authkit_session::Sessions;
use axum::{body::Body, http::Request};
use end_to_end::{Answer, Backend, OTHER_PASSWORD, PASSWORD, World, change};
use serde_json::{Value as JsonValue, json};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/security/events.md");
const ADA: &str = "ada@example.com";
const PLUGINS: [&str; 5] = ["authkit", "account", "password", "session", "throttle"];
const ACTION: &str = "notes.erase";

/// Kind, what happened, and the fields of its `data`.
const EVENTS: [(&str, &str, &[&str]); 28] = [
    ("account_created", "The application made an account", &["principal_kind"]),
    ("account_deleted", "An account was deleted; until its grace is over it can be restored", &[]),
    ("account_disabled", "An account was shut out", &[]),
    ("account_enabled", "An account that was shut out was let in again", &[]),
    ("account_imported", "An account of another system was taken over", &["credentials", "principal_kind"]),
    ("account_locked", "An account was locked after failures", &["failures", "scope", "until"]),
    ("account_purged", "A deleted account was removed for good", &[]),
    ("account_restored", "A deleted account was brought back, still shut out", &[]),
    ("account_unlocked", "The locks of an account were lifted before their time", &["by", "locks"]),
    ("action_granted", "One action was permitted, once", &["action"]),
    ("action_redeemed", "A permission for one action was used", &["action"]),
    ("challenge_issued", "More was demanded", &["offers", "reason"]),
    ("invitation_created", "An invitation was made", &["invitation"]),
    ("invitation_redeemed", "An invitation was used up by a sign-up", &["invitation"]),
    ("login_failure", "A credential was judged and refused", &["error", "identifier", "purpose"]),
    ("login_success", "A session was issued", &["amr", "assurance", "signals"]),
    ("logout", "A session was ended by its own client", &[]),
    ("password_changed", "Somebody changed the own password, which ended the other sessions", &[]),
    ("password_set", "The application set a password, which ended all sessions", &[]),
    (
        "rate_limited",
        "Requests were turned away before anything was judged, counted together",
        &["client_prefix", "count", "reason"],
    ),
    (
        "refresh_token_reused",
        "A refresh token came that was replaced long ago, so its session ended, or all did",
        &["ends"],
    ),
    ("session_raised", "A session took over fresh proofs, and has a new token", &["amr", "assurance"]),
    ("session_revoked", "A session was ended from another one", &["ended"]),
    ("sessions_revoked_all", "All sessions, or all but one, were ended", &["kept"]),
    ("signing_key_created", "A key that signs access tokens was made", &["algorithm", "kid", "replaces", "signs_from"]),
    ("signup", "An account was made by its owner", &["method", "principal_kind"]),
    ("signup_refused", "A sign-up was refused because an identifier is taken", &["identifier", "reason"]),
    ("token_refreshed", "A session got its next tokens", &["again"]),
];

const HEAD: &str = "# What is recorded

Every event of core and of the plugins that come with authkit. Each is a row of `auth_audit_log`, written in the commit of
its act, so there is no act without its record and no record without its act; what is turned away before it is judged is
recorded in sum. A record never holds a password, a token or a code, nor what was typed as an identifier and led to nobody:
that is an HMAC. Where a logger of yours is required, acts that give something wait for it, and acts that take something
away never do.

Rows are kept until you remove them; who can read the database can read them, and `GET /account/audit-events` shows
everybody the own ones. To have them elsewhere, such as in a collector of logs, register an `AuditLogger`.

This page is written from what the plugins declare, and its fields are compared with records of each kind. After a change,
write it anew with `AUTHKIT_WRITE=1 cargo test -p end-to-end the_page_of_events`.
";

/// Signed tokens, limits, and whoever wants to may sign up.
async fn world(accounts: Accounts) -> World {
    let builder = World::builder(Backend::Memory).accounts(accounts).throttle(Throttle::default());
    builder.sessions(Sessions::jwt()).build().await
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a switch for whoever writes the page, not configuration")]
async fn the_page_of_events_is_what_the_plugins_declare() {
    let world = world(Accounts::default()).await;
    let mut page = HEAD.to_owned();
    let log = world.auth.entities().iter().find(|def| def.table == "auth_audit_log").unwrap();
    let columns: Vec<String> = log.columns.iter().map(|column| format!("`{}`", column.name)).collect();
    writeln!(page, "\nThe columns of a row: {}.", columns.join(", ")).unwrap();
    let mut described: BTreeSet<&str> = EVENTS.iter().map(|(kind, ..)| *kind).collect();
    for plugin in PLUGINS {
        let title = if plugin == "authkit" { "Core" } else { plugin };
        writeln!(page, "\n## {title}\n\n| kind | what happened | fields of `data` | waits |\n|---|---|---|---|")
            .unwrap();
        for event in world.auth.events().iter().filter(|event| event.plugin == plugin) {
            let kind = event.kind;
            let (_, about, fields) = EVENTS.iter().find(|(known, ..)| *known == kind).expect("a line of EVENTS");
            let fields: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
            let fields = if fields.is_empty() { "–".to_owned() } else { fields.join(", ") };
            let waits = if event.act == Act::Grants { "yes" } else { "never" };
            writeln!(page, "| `{kind}` | {about} | {fields} | {waits} |").unwrap();
            described.remove(kind);
        }
    }
    assert!(described.is_empty(), "no plugin declares {described:?}");
    if std::env::var_os("AUTHKIT_WRITE").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let written = fs::read_to_string(Path::new(PAGE)).unwrap_or_default();
    assert!(written == page, "docs/security/events.md is not what the plugins declare; it says how to mend it");
}

#[tokio::test]
async fn records_of_every_kind_have_the_fields_of_the_page_and_no_others() {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let worlds = [everyday().await, guessing().await, administered().await, proving().await, invited().await];
    for world in worlds {
        for record in world.audit().await {
            let kind = record["kind"].as_str().unwrap().to_owned();
            let fields: BTreeSet<String> = record["data"].as_object().unwrap().keys().cloned().collect();
            let earlier = seen.entry(kind).or_insert_with(|| fields.clone());
            assert_eq!(*earlier, fields, "{record}");
        }
    }
    let listed = EVENTS.iter().map(|(kind, _, fields)| {
        let fields: BTreeSet<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        ((*kind).to_owned(), fields)
    });
    assert_eq!(seen, listed.collect());
}

/// Signs up and in and out, changes a password, ends sessions, refreshes too late.
async fn everyday() -> World {
    let world = world(Accounts::default()).await;
    world.sign_up(ADA).await;
    let taken = world.browser().post("/v1/auth/signup", json!({ "identifier": ADA, "password": PASSWORD })).await;
    assert_eq!(taken.status, 409, "{taken:?}");
    let mut browser = world.signed_in(ADA).await;
    world.signed_in(ADA).await;
    let sessions = browser.get("/v1/sessions").await.json();
    let of_other = sessions["sessions"].as_array().unwrap().iter().find(|session| session["current"] == json!(false));
    let id = of_other.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(browser.delete(&format!("/v1/sessions/{id}")).await.status, 204);
    assert_eq!(browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await.status, 204);
    assert_eq!(browser.delete("/v1/sessions/all").await.status, 204);
    let first = refresh_token(&world, "login", json!({ "identifier": ADA, "password": OTHER_PASSWORD })).await;
    let mut newest = first.clone();
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60));
        newest = refresh_token(&world, "refresh", json!({ "refresh_token": newest })).await;
    }
    assert_eq!(program(&world, "refresh", json!({ "refresh_token": first })).await.status, 401);
    let mut last = world.browser();
    assert_eq!(last.login(ADA, OTHER_PASSWORD).await.status, 200);
    assert_eq!(last.post("/v1/auth/logout", json!({})).await.status, 204);
    world
}

/// Calls as a program does that keeps its tokens itself.
async fn program(world: &World, operation: &str, body: JsonValue) -> Answer {
    let request = Request::post(format!("/v1/auth/{operation}")).header("authkit-delivery", "token");
    let request = request.header("content-type", "application/json").body(Body::from(body.to_string()));
    world.browser().raw(request.unwrap()).await
}

async fn refresh_token(world: &World, operation: &str, body: JsonValue) -> String {
    let answer = program(world, operation, body).await;
    answer.json()["refresh_token"].as_str().unwrap().to_owned()
}

/// Guesses until the account is locked, and further.
async fn guessing() -> World {
    let world = world(Accounts::default()).await;
    let ada = world.sign_up(ADA).await;
    let mut attacker = world.browser();
    for _ in 0..5 {
        world.clock.advance(Duration::from_secs(15));
        assert_eq!(attacker.login(ADA, "a guess that is wrong").await.status, 401);
    }
    for _ in 0..20 {
        attacker.login(ADA, "a guess that is wrong").await;
    }
    world.clock.advance(Duration::from_secs(61));
    world.auth.run_due_jobs().await;
    let locks = world.auth.capability::<LockoutAdmin>().unwrap();
    assert_eq!(locks.unlock(&world.cx(), ada, None).await.unwrap(), 1);
    world
}

/// What an application does to accounts.
async fn administered() -> World {
    let world = world(Accounts::default()).await;
    let (accounts, cx) = (world.auth.capability::<AccountAdmin>().unwrap(), world.cx());
    let ada = accounts.create(&cx, PrincipalKind::Human, &[ADA]).await.unwrap();
    let passwords = world.auth.capability::<PasswordAdmin>().unwrap();
    passwords.set(&cx, &ada, SecretText::new(PASSWORD.to_owned())).await.unwrap();
    accounts.disable(&cx, ada.id).await.unwrap();
    accounts.enable(&cx, ada.id).await.unwrap();
    accounts.delete(&cx, ada.id).await.unwrap();
    accounts.restore(&cx, ada.id).await.unwrap();
    accounts.delete(&cx, ada.id).await.unwrap();
    world.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(accounts.purge(&world.cx()).await.unwrap(), 1);
    let import = world.auth.capability::<AccountImport>().unwrap();
    let mut run = import.begin();
    let row = json!({ "id": "1", "identifiers": [{ "value": "bob@example.com" }] }).to_string() + "\n";
    assert!(run.feed(&world.cx(), row.as_bytes()).await.unwrap().is_empty());
    assert!(run.finish(&world.cx()).await.unwrap().is_empty());
    world
}

/// Permits an action by fresh proofs, uses the permission, and raises the session.
async fn proving() -> World {
    let world = world(Accounts::default()).await;
    world.sign_up(ADA).await;
    let browser = world.signed_in(ADA).await;
    let token = browser.cookies["authkit_session"].clone();
    let shown = async |cx: &RequestContext| cx.authenticate(&token).await.unwrap().unwrap();
    world.clock.advance(Duration::from_secs(6 * 60));
    let cx = world.cx();
    let session = shown(&cx).await;
    let granted = proved(&cx, cx.step_up(&session, ACTION).await.unwrap()).await;
    let Progress::Granted(grant) = granted else { panic!("{granted:?}") };
    cx.redeem(&session, ACTION, grant.expose()).await.unwrap();
    let raised = raise(&cx, &session).await;
    assert!(matches!(raised, Progress::SignedIn(_)), "{raised:?}");
    world
}

async fn raise(cx: &RequestContext, session: &Session) -> Progress {
    proved(cx, cx.raise(session, Aal::Aal1).await.unwrap()).await
}

/// Answers a challenge with the password.
async fn proved(cx: &RequestContext, progress: Progress) -> Progress {
    let Progress::Challenged(challenge) = progress else { panic!("{progress:?}") };
    let answer: JsonValue = json!({ "password": PASSWORD });
    cx.answer(challenge.flow.expose(), &MethodId::from_static("password"), answer).await.unwrap()
}

/// Signs up by an invitation.
async fn invited() -> World {
    let world = world(Accounts::default().sign_up(SignUpPolicy::Invite)).await;
    let accounts = world.auth.capability::<AccountAdmin>().unwrap();
    let invitation = accounts.invite(&world.cx(), None, Duration::from_secs(60)).await.unwrap();
    let body = json!({ "identifier": ADA, "password": PASSWORD, "invitation": invitation.expose() });
    assert_eq!(world.browser().post("/v1/auth/signup", body).await.status, 201);
    world
}
