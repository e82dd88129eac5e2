//! Each way to deliver tokens: to a browser as cookies, to a program as text, to a page as a mixture of the two.

use std::time::Duration;

use authkit_core::ReuseEnds;
use authkit_session::Sessions;
use end_to_end::{Answer, PASSWORD, World, on_each_store};
use serde_json::{Value as JsonValue, json};

use crate::{
    client::{Tokens, assert_alive, get, log_out, opened, send, sign_in},
    setup::{ADA, BOB, recorded, sessions, with, with_ada, world},
};

const OWN: (&str, &str) = ("origin", "http://localhost:3000");
const SPLIT: (&str, &str) = ("authkit-delivery", "split");

fn login() -> Option<JsonValue> {
    Some(json!({ "identifier": ADA, "password": PASSWORD }))
}

/// The value of the cookie that a response sets, and whether scripts and other sites are kept from it.
fn cookie(answer: &Answer, name: &str) -> Option<(String, bool)> {
    let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    let mut values = lines.filter_map(|line| {
        let (value, attributes) = line.strip_prefix(name)?.strip_prefix('=')?.split_once(';')?;
        let guarded = attributes.contains("HttpOnly") && attributes.contains("SameSite=Strict");
        Some((value.to_owned(), guarded))
    });
    let value = values.next();
    assert!(values.next().is_none(), "{name} twice");
    value
}

/// What a page keeps: the access token, which it can read, and the refresh token, which it cannot.
struct Page {
    access: String,
    cookie: String,
}

impl Page {
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let (refresh, guarded) = cookie(answer, "authkit_refresh").expect("a refresh cookie");
        assert!(guarded && refresh.starts_with("akr_"));
        let body = answer.json();
        assert!(body.get("refresh_token").is_none() && !String::from_utf8_lossy(&answer.body).contains("akr_"));
        Self {
            access: body["access_token"].as_str().expect("an access token").to_owned(),
            cookie: format!("authkit_refresh={refresh}"),
        }
    }

    async fn refresh(&self, world: &World, headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("cookie", self.cookie.as_str())], headers].concat();
        send(world, "POST", "/v1/auth/refresh", &headers, Some(json!({}))).await
    }
}

async fn page(world: &World) -> Page {
    Page::of(&send(world, "POST", "/v1/auth/login", &[OWN, SPLIT], login()).await)
}

on_each_store! {
    async fn a_page_that_signs_in_anew_ends_what_its_refresh_cookie_shows(backend) {
        let world = world(backend).await;
        let before = page(&world).await;
        let headers = [OWN, SPLIT, ("cookie", before.cookie.as_str())];
        let after = Page::of(&send(&world, "POST", "/v1/auth/login", &headers, login()).await);
        assert_eq!(sessions(&world).await.len(), 1);
        assert_eq!(before.refresh(&world, &[OWN, SPLIT]).await.status, 401);
        assert_eq!(after.refresh(&world, &[OWN, SPLIT]).await.status, 200);
    }

    async fn a_page_that_signs_in_with_an_old_refresh_cookie_goes_on_and_all_other_sessions_end(backend) {
        let world = with_ada(with(backend, Sessions::jwt().reuse_ends(ReuseEnds::Account))).await;
        let old = page(&world).await;
        let mut newest = Page::of(&old.refresh(&world, &[OWN, SPLIT]).await);
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(10));
            newest = Page::of(&newest.refresh(&world, &[OWN, SPLIT]).await);
        }
        world.clock.advance(Duration::from_secs(10));
        let other = sign_in(&world, ADA).await;
        let headers = [OWN, SPLIT, ("cookie", old.cookie.as_str())];
        let after = Page::of(&send(&world, "POST", "/v1/auth/login", &headers, login()).await);
        assert_eq!((sessions(&world).await.len(), recorded(&world, "refresh_token_reused").await), (1, 1));
        assert_alive(opened(&world, &after.access).await);
        assert_eq!(get(&world, "/app/confirmed", &after.access).await.status, 200);
        Page::of(&after.refresh(&world, &[OWN, SPLIT]).await);
        for dead in [&newest.access, &other.access] {
            assert_eq!(get(&world, "/app/confirmed", dead).await.status, 401);
        }
    }

    async fn a_browser_with_two_sessions_leaves_both(backend) {
        for path in ["/v1/auth/login", "/v1/auth/logout"] {
            let world = world(backend).await;
            world.sign_up(BOB).await;
            let (page, browser) = (page(&world).await, world.signed_in(BOB).await);
            let both = format!("authkit_session={}; {}", browser.cookies["authkit_session"], page.cookie);
            let before = sessions(&world).await;
            let body = if path.ends_with("login") { login() } else { Some(json!({})) };
            let answer = send(&world, "POST", path, &[OWN, ("cookie", both.as_str())], body).await;
            assert!([200, 204].contains(&answer.status), "{answer:?}");
            assert_eq!(cookie(&answer, "authkit_refresh").map(|(value, _)| value), Some(String::new()));
            let after = sessions(&world).await;
            assert!(after.iter().all(|new| before.iter().all(|old| old["id"] != new["id"])), "{path}");
            assert_eq!(page.refresh(&world, &[OWN, SPLIT]).await.status, 401, "{path}");
            assert_eq!(browser.tab().get("/app").await.status, 401, "{path}");
        }
    }

    async fn a_page_that_shows_both_tokens_of_one_session_is_not_turned_away(backend) {
        let world = world(backend).await;
        let page = page(&world).await;
        let bearer = format!("Bearer {}", page.access);
        let headers = [OWN, SPLIT, ("cookie", page.cookie.as_str()), ("authorization", bearer.as_str())];
        assert_eq!(send(&world, "POST", "/v1/auth/logout", &headers, Some(json!({}))).await.status, 204);
        world.auth.run_due_jobs().await;
        assert_eq!((recorded(&world, "logout").await, recorded(&world, "rate_limited").await), (1, 0));
        assert!(sessions(&world).await.is_empty());
    }

    async fn a_browser_gets_an_opaque_cookie_that_dies_at_once(backend) {
        let world = world(backend).await;
        let mut browser = world.browser();
        let answer = browser.post("/v1/auth/login", login().unwrap()).await;
        assert!(answer.json().get("access_token").is_none() && answer.json().get("refresh_token").is_none());
        let token = browser.cookies["authkit_session"].clone();
        assert!(token.starts_with("aks_") && !browser.cookies.contains_key("authkit_refresh"));
        let mut stolen = browser.tab();
        assert_eq!(stolen.get("/app").await.status, 200);
        assert_eq!(browser.post("/v1/auth/logout", json!({})).await.status, 204);
        for path in ["/app", "/app/confirmed", "/v1/auth/me"] {
            assert_eq!(stolen.get(path).await.status, 401, "{path}");
        }
        assert!(sessions(&world).await.is_empty());
    }

    async fn the_cookie_of_a_browser_is_no_refresh_token_and_becomes_none(backend) {
        let world = world(backend).await;
        let browser = world.signed_in(ADA).await;
        let token = browser.cookies["authkit_session"].clone();
        let mut tab = browser.tab();
        assert_eq!(tab.post("/v1/auth/refresh", json!({ "refresh_token": token })).await.status, 401);
        assert_eq!(tab.post("/v1/auth/refresh", json!({})).await.status, 401);
        for delivery in ["token", "split"] {
            let living = format!("authkit_session={}", world.signed_in(ADA).await.cookies["authkit_session"]);
            let headers = [OWN, ("cookie", living.as_str()), ("authkit-delivery", delivery)];
            let again = send(&world, "POST", "/v1/auth/login", &headers, login()).await;
            assert_eq!(again.status, 200);
            assert!(!String::from_utf8_lossy(&again.body).contains("token"), "{again:?}");
        }
    }

    async fn a_program_gets_both_tokens_to_keep_and_no_cookie(backend) {
        let world = world(backend).await;
        let tokens = sign_in(&world, ADA).await;
        assert!(tokens.refresh.starts_with("akr_") && tokens.access.split('.').count() == 3);
        assert_alive(opened(&world, &tokens.access).await);
    }

    async fn a_page_refreshes_by_its_cookie_alone(backend) {
        let world = world(backend).await;
        let first = page(&world).await;
        assert_alive(opened(&world, &first.access).await);
        let second = Page::of(&first.refresh(&world, &[OWN, SPLIT]).await);
        assert_ne!(first.cookie, second.cookie);
        // It need not say how it wants its tokens: it never gets to read the refresh token.
        for asked in [&[OWN][..], &[OWN, ("authkit-delivery", "token")]] {
            Page::of(&second.refresh(&world, asked).await);
        }
        assert_alive(opened(&world, &second.access).await);
        assert_eq!(sessions(&world).await.len(), 1);
    }

    async fn another_site_refreshes_and_ends_nothing(backend) {
        let world = world(backend).await;
        let page = page(&world).await;
        let before = (sessions(&world).await, world.store.calls());
        for from in [&[][..], &[("origin", "https://evil.example")], &[("sec-fetch-site", "cross-site")]] {
            for asked in ["split", "token", "cookie"] {
                let headers = [from, &[("authkit-delivery", asked)]].concat();
                let refused = page.refresh(&world, &headers).await;
                assert_eq!((refused.status, refused.code().as_str()), (403, "core.cross_site"), "{headers:?}");
                let headers = [&[("cookie", page.cookie.as_str())], &*headers].concat();
                let refused = send(&world, "POST", "/v1/auth/logout", &headers, Some(json!({}))).await;
                assert_eq!((refused.status, refused.code().as_str()), (403, "core.cross_site"), "{headers:?}");
            }
        }
        let after = (sessions(&world).await, world.store.calls());
        assert_eq!(before, after);
        Page::of(&page.refresh(&world, &[OWN, SPLIT]).await);
    }

    async fn two_refresh_tokens_in_one_request_are_nobodys_intention(backend) {
        let world = world(backend).await;
        let (page, other) = (page(&world).await, sign_in(&world, ADA).await);
        let headers = [OWN, SPLIT, ("cookie", page.cookie.as_str())];
        let body = json!({ "refresh_token": other.refresh });
        for path in ["/v1/auth/refresh", "/v1/auth/logout"] {
            let refused = send(&world, "POST", path, &headers, Some(body.clone())).await;
            assert_eq!((refused.status, refused.code().as_str()), (400, "core.invalid_input"), "{path}");
        }
        assert_eq!((sessions(&world).await.len(), recorded(&world, "token_refreshed").await), (2, 0));
    }

    async fn a_page_logs_out_by_its_cookie_alone(backend) {
        let world = world(backend).await;
        let page = page(&world).await;
        let headers = [OWN, SPLIT, ("cookie", page.cookie.as_str())];
        let answer = send(&world, "POST", "/v1/auth/logout", &headers, Some(json!({}))).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(cookie(&answer, "authkit_refresh").map(|(value, _)| value), Some(String::new()));
        assert_eq!(page.refresh(&world, &[OWN, SPLIT]).await.status, 401);
        assert_eq!(get(&world, "/app/confirmed", &page.access).await.status, 401);
        assert!(sessions(&world).await.is_empty());
    }

    async fn a_token_is_used_only_for_what_it_is(backend) {
        let world = world(backend).await;
        let Tokens { access, refresh } = sign_in(&world, ADA).await;
        let cookie = world.signed_in(ADA).await.cookies["authkit_session"].clone();
        for path in ["/app", "/app/confirmed", "/v1/auth/me"] {
            assert_eq!(get(&world, path, &refresh).await.status, 401, "{path}");
        }
        for wrong in [&access, &cookie] {
            assert_eq!(crate::client::refresh(&world, wrong).await.status, 401);
            assert_eq!(log_out(&world, wrong).await.status, 204);
        }
        let mut browser = world.browser();
        browser.cookies.insert("authkit_session".to_owned(), refresh.clone());
        assert!(!browser.is_signed_in().await);
        assert_eq!(sessions(&world).await.len(), 2);
    }
}
