//! Sessions in a Redis that dies and comes back, and what they cost there.

use std::{collections::BTreeMap, time::Duration};

use authkit_account::AccountAdmin;
use authkit_core::Plugin;
use authkit_session::Sessions;
use authkit_session_redis::{RedisConfig, RedisStore};
use authkit_testkit::Faulty;
use axum::{body::Body, http::Request};
use end_to_end::{Answer, Backend, Browser, PASSWORD, Place, World};
use serde_json::{Value as JsonValue, json};
use servers::{Database, Durability, Server};

use crate::{
    setup::{complete, problems},
    stores::{SESSIONS, errands, go_on, settlements},
};

type Cookies = BTreeMap<String, String>;

/// An application on SQLite with its sessions in a Redis of its own.
struct Setup {
    redis: Server,
    sessions: Faulty<RedisStore>,
    _place: Place,
    world: World,
}

impl Setup {
    /// None where Redis is not installed.
    async fn new(sessions: impl Plugin) -> Option<Self> {
        Backend::Redis.is_here().then_some(())?;
        let redis = Server::start(Database::Redis, Durability::Durable).unwrap();
        let store = Faulty::new(RedisStore::connect(&redis.url()).await.unwrap());
        let place = Place::new(Backend::Sqlite).await;
        let builder = World::builder(Backend::Sqlite).store(place.store().await).sessions(sessions);
        let world = builder.route([SESSIONS], store.clone()).build().await;
        Some(Self { redis, sessions: store, _place: place, world })
    }

    /// The cookies of a new session.
    async fn cookies(&self) -> Cookies {
        self.world.signed_in("ada@example.com").await.cookies.clone()
    }

    fn browser(&self, cookies: &Cookies) -> Browser<'_> {
        let mut browser = self.world.browser();
        browser.cookies.clone_from(cookies);
        browser
    }

    /// What a client is answered that keeps its tokens itself.
    async fn tokens(&self, operation: &str, body: JsonValue) -> Answer {
        let request = Request::post(format!("/v1/auth/{operation}"))
            .header("authkit-delivery", "token")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        self.world.browser().raw(request.unwrap()).await
    }

    /// Brings the server back, and waits until it is found.
    async fn restart(&mut self) {
        self.redis.restart().unwrap();
        while self.world.cx().authenticate("nonsense").await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "core.unavailable"), "{answer:?}");
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_redis_is_killed_and_nobody_signs_in_without_it() {
    let Some(mut setup) = Setup::new(Sessions::opaque()).await else { return };
    let id = setup.world.sign_up("ada@example.com").await;
    let [ended, here, there] = [setup.cookies().await, setup.cookies().await, setup.cookies().await];
    assert_eq!(setup.browser(&ended).post("/v1/auth/logout", json!({})).await.status, 204);

    for _ in 0..3 {
        setup.redis.kill().unwrap();
        assert_unavailable(&setup.world.browser().login("ada@example.com", PASSWORD).await);
        assert_unavailable(&setup.browser(&here).get("/v1/auth/me").await);
        setup.restart().await;
        for (cookies, alive) in [(&ended, false), (&here, true), (&there, true)] {
            assert_eq!(setup.browser(cookies).is_signed_in().await, alive);
        }
        let list = setup.browser(&here).get("/v1/sessions").await.json();
        assert_eq!(list["sessions"].as_array().unwrap().len(), 2);
    }

    go_on(&setup.world).await;
    assert!(errands(&setup.world).await.is_empty());
    assert_eq!(settlements(&setup.world, "login_success").await, ["committed"; 6], "three of them late");
    setup.redis.kill().unwrap();
    assert_unavailable(&setup.browser(&here).post("/v1/auth/logout", json!({})).await);
    setup.restart().await;
    assert!(setup.browser(&here).is_signed_in().await, "it was not said to be gone");
    assert_eq!(setup.browser(&here).delete("/v1/sessions/all").await.status, 204);
    assert!(setup.browser(&here).is_signed_in().await);
    assert!(!setup.browser(&there).is_signed_in().await);

    let admin = setup.world.auth.capability::<AccountAdmin>().unwrap();
    admin.disable(&setup.world.cx(), id).await.unwrap();
    assert!(!setup.browser(&here).is_signed_in().await, "a disabled account is out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_tokens_outlive_a_kill_of_redis() {
    let Some(mut setup) = Setup::new(Sessions::jwt()).await else { return };
    setup.world.sign_up("ada@example.com").await;
    let login = json!({ "identifier": "ada@example.com", "password": PASSWORD });
    let mut tokens = setup.tokens("login", login).await.json();
    for _ in 0..3 {
        setup.world.clock.advance(Duration::from_secs(60));
        let refresh = json!({ "refresh_token": tokens["refresh_token"] });
        setup.redis.kill().unwrap();
        assert_unavailable(&setup.tokens("refresh", refresh.clone()).await);
        setup.restart().await;
        let answer = setup.tokens("refresh", refresh.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_ne!(answer.json()["refresh_token"], refresh["refresh_token"]);
        tokens = answer.json();
    }
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let mut browser = setup.world.signed_in("ada@example.com").await;
    assert_eq!(browser.delete("/v1/sessions/all?include_current=true").await.status, 204);
    assert_eq!(setup.tokens("refresh", refresh).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_costs_one_round_trip_to_read_and_one_to_write() {
    let Some(setup) = Setup::new(Sessions::opaque()).await else { return };
    setup.world.sign_up("ada@example.com").await;
    let calls = || setup.sessions.calls();
    let before = calls();
    let mut browser = setup.world.signed_in("ada@example.com").await;
    assert_eq!(calls() - before, 1, "a sign-in");
    let before = calls();
    assert_eq!(browser.get("/v1/auth/me").await.status, 200);
    assert_eq!(calls() - before, 1, "/me");
    let before = calls();
    assert_eq!(browser.post("/v1/auth/logout", json!({})).await.status, 204);
    assert_eq!(calls() - before, 2, "a logout");
}

#[tokio::test]
async fn a_redis_that_may_lose_writes_takes_no_sessions() {
    if !Backend::Redis.is_here() {
        return;
    }
    let url = servers::test_url(Database::Redis).unwrap().unwrap();
    let store = RedisStore::connect_with(RedisConfig::new(url).may_lose_writes()).await.unwrap();
    let said = problems(complete().route([SESSIONS], store));
    let expected = "authkit: the store of auth_sessions may lose acknowledged writes, which auth_sessions cannot bear";
    assert_eq!(said, [expected]);
}
