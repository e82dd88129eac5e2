use serde_json::json;

use crate::app::{App, REFRESH, SESSION, bare, request};

const PATH: &str = "/v1/tiny/refresh";

/// Path, body, headers and status.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], u16);

fn cookie() -> String {
    format!("{REFRESH}=akr_alive")
}

#[tokio::test]
async fn another_site_cannot_refresh_or_sign_out_with_the_cookie() {
    let app = App::new();
    let (one, two) = (cookie(), format!("{REFRESH}=akr_alive; {REFRESH}=akr_alive"));
    let evil: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "https://sub.example.com"), ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site")],
        &[("authkit-delivery", "split"), ("origin", "https://evil.example")],
        &[("authkit-delivery", "token"), ("authorization", "Bearer alive")],
    ];
    for headers in evil {
        for cookie in [&one, &two] {
            for path in [PATH, "/v1/auth/logout", "/v1/auth/login", "/maybe"] {
                let headers = [&[("cookie", cookie.as_str())], headers].concat();
                let answer = app.send(bare("POST", path, "{}", &headers)).await;
                assert_eq!(answer.problem(), (403, "core.cross_site".into()), "{path} {headers:?}");
                assert!(answer.cookies().is_empty());
            }
        }
    }
    assert_eq!(app.lookups(), 0, "refused before anything is looked at");
}

#[tokio::test]
async fn a_form_of_another_site_cannot_ask_for_a_split_sign_in() {
    let app = App::new();
    for headers in [&[("authkit-delivery", "split")][..], &[("authkit-delivery", "split"), ("origin", "null")]] {
        let answer = app.send(bare("POST", "/v1/tiny/start", "{}", headers)).await;
        assert_eq!(answer.problem(), (403, "core.cross_site".into()), "{headers:?}");
    }
}

#[tokio::test]
async fn a_refresh_cookie_becomes_an_access_token_and_the_next_cookie() {
    let cookie = cookie();
    let others: [&[(&str, &str)]; 4] = [
        &[("authkit-delivery", "split")],
        &[("authkit-delivery", "split"), ("authorization", "Bearer ey_expired")],
        &[("authkit-delivery", "token")],
        &[],
    ];
    for headers in others {
        let headers = [&[("cookie", cookie.as_str())], headers].concat();
        let answer = App::new().send(request("POST", PATH, "{}", &headers)).await;
        let expected = json!({
            "access_token": "ey_next",
            "token_type": "Bearer",
            "expires_in": 60,
            "expires_at": "2027-01-15T08:01:00Z",
            "refresh_expires_at": "2027-01-15T09:00:00Z",
        });
        assert_eq!(answer.json(), expected, "{headers:?}");
        let expected = format!("{REFRESH}=akr_next; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(answer.cookies(), [expected], "{headers:?}");
    }
}

#[tokio::test]
async fn a_program_refreshes_in_the_body() {
    let body = json!({ "refresh_token": "akr_alive" }).to_string();
    for headers in [
        &[("authkit-delivery", "token")][..],
        &[("authorization", "Bearer ey_expired")],
        &[("authkit-delivery", "token"), ("authorization", "Bearer ey_expired")],
    ] {
        let answer = App::new().send(bare("POST", PATH, &body, headers)).await;
        assert_eq!((answer.status, answer.json()["refresh_token"].as_str()), (200, Some("akr_next")), "{headers:?}");
        assert!(answer.cookies().is_empty());
    }
}

#[tokio::test]
async fn a_page_that_does_not_say_how_gets_no_signed_token_into_its_session_cookie() {
    let body = json!({ "refresh_token": "akr_alive" }).to_string();
    let session = format!("{SESSION}=alive");
    let answer = App::new().send(request("POST", PATH, &body, &[("cookie", &session)])).await;
    assert!(!answer.text().contains("akr_"), "{answer:?}");
    let cookies = answer.cookies();
    assert!(cookies[0].starts_with(&format!("{REFRESH}=akr_next;")), "{cookies:?}");
    assert!(cookies[1].starts_with(&format!("{SESSION}=; Max-Age=0;")), "{cookies:?}");
    assert_eq!(cookies.len(), 2);
}

#[tokio::test]
async fn a_refresh_token_counts_only_where_it_belongs() {
    let app = App::new();
    let (alive, two) = (cookie(), format!("{REFRESH}=akr_alive; {REFRESH}=akr_alive"));
    let planted = "authkit_refresh=akr_alive".to_owned();
    let session = format!("{SESSION}=akr_alive");
    let (none, told, other) = ("{}", "{\"refresh_token\":\"akr_alive\"}", "{\"refresh_token\":\"akr_other\"}");
    let access = "{\"refresh_token\":\"ey_alive\"}";
    let query = "/v1/tiny/refresh?refresh_token=akr_alive";
    let token = ("authkit-delivery", "token");
    let cases: [Case<'_>; 16] = [
        (PATH, none, &[token], 401),
        (PATH, told, &[token], 200),
        (PATH, other, &[token], 401),
        (PATH, access, &[token], 401),
        (PATH, none, &[token, ("authorization", "Bearer akr_alive")], 401),
        (PATH, none, &[("cookie", &alive)], 200),
        (PATH, told, &[("cookie", &alive)], 200),
        (PATH, other, &[("cookie", &alive)], 400),
        (PATH, access, &[("cookie", &alive)], 400),
        (PATH, "{\"refresh_token\":null}", &[("cookie", &alive)], 200),
        (PATH, none, &[("cookie", &two)], 401),
        (PATH, told, &[("cookie", &two)], 400),
        (PATH, none, &[("cookie", &planted)], 401),
        (PATH, none, &[("cookie", &session)], 401),
        (query, none, &[token], 401),
        (query, "", &[token], 401),
    ];
    for (path, body, headers, status) in cases {
        let answer = app.send(request("POST", path, body, headers)).await;
        assert_eq!(answer.status, status, "{path} {body} {headers:?}");
    }
    assert_eq!(app.send(request("GET", query, "", &[token])).await.status, 405);
}

#[tokio::test]
async fn signing_out_with_the_refresh_cookie_alone_clears_the_cookies() {
    let app = App::new();
    let cookie = cookie();
    let answer = app.send(request("POST", "/v1/auth/logout", "{}", &[("cookie", &cookie)])).await;
    assert_eq!((answer.status, answer.cookies().len()), (204, 2), "{answer:?}");
    assert!(answer.cookies().iter().all(|cookie| cookie.contains("=; Max-Age=0;")), "{answer:?}");
    let answer = app.send(request("POST", "/v1/auth/logout", "{}", &[])).await;
    assert_eq!((answer.status, answer.cookies().len()), (401, 0));
}

#[tokio::test]
async fn a_refresh_cookie_that_shows_nothing_is_cleared() {
    let app = App::new();
    let cleared = format!("{REFRESH}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict");
    let (dead, alive) = (format!("{REFRESH}=akr_dead"), cookie());
    let two = format!("{alive}; {alive}");
    for (path, cookie, body, cookies) in [
        (PATH, &dead, "{}", vec![cleared.as_str()]),
        (PATH, &dead, "{\"refresh_token\":\"akr_dead\"}", vec![&cleared]),
        (PATH, &two, "{}", vec![&cleared]),
        // Refused for another reason: it may be alive.
        (PATH, &alive, "{\"refresh_token\":\"akr_other\"}", vec![]),
        (PATH, &alive, "{", vec![]),
        ("/v1/tiny/fail", &dead, "{}", vec![]),
        ("/v1/auth/step-up", &dead, "{}", vec![]),
    ] {
        let answer = app.send(request("POST", path, body, &[("cookie", cookie)])).await;
        assert!(answer.status >= 400, "{path} {body}: {answer:?}");
        assert_eq!(answer.cookies(), cookies, "{path} {body}");
    }
    let evil = bare("POST", PATH, "{}", &[("cookie", &dead), ("origin", "https://evil.example")]);
    assert!(app.send(evil).await.cookies().is_empty(), "another site clears nothing");
    let token = bare("POST", PATH, "{\"refresh_token\":\"akr_dead\"}", &[("authkit-delivery", "token")]);
    assert!(app.send(token).await.cookies().is_empty(), "there is none");
}
