use std::time::Duration;

use serde_json::json;

use crate::app::{App, SESSION, bare, request};

#[tokio::test]
async fn a_browser_gets_cookies_and_no_token() {
    let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", &[])).await;
    assert_eq!(answer.json(), json!({ "state": "signed_in" }));
    let attributes = "Path=/; Secure; HttpOnly; SameSite=Lax";
    let expected = [
        format!("{SESSION}=aks_new; Max-Age=2592000; {attributes}"),
        format!("__Host-authkit_device=akd_new; Max-Age=3600; {attributes}"),
    ];
    assert_eq!(answer.cookies(), expected);
}

#[tokio::test]
async fn a_client_that_asks_gets_tokens_and_no_cookie() {
    let app = App::new();
    for header in [("authkit-delivery", "token"), ("authorization", "Bearer alive")] {
        let answer = app.send(bare("POST", "/v1/tiny/start", "{}", &[header])).await;
        let expected = json!({
            "state": "signed_in",
            "access_token": "aks_new",
            "token_type": "Bearer",
            "expires_at": "2027-01-15T08:01:00Z",
            "device_mark": "akd_new",
        });
        assert_eq!(answer.json(), expected, "{header:?}");
        assert!(answer.cookies().is_empty());
    }
}

#[tokio::test]
async fn whoever_shows_a_cookie_gets_no_token() {
    let cookie = format!("{SESSION}=alive");
    for other in [("authkit-delivery", "token"), ("authorization", "Bearer alive")] {
        let answer = App::new().send(request("POST", "/v1/tiny/start", "{}", &[("cookie", &cookie), other])).await;
        assert_eq!(answer.json(), json!({ "state": "signed_in" }), "{other:?}");
        assert_eq!(answer.cookies().len(), 2);
    }
}

#[tokio::test]
async fn the_end_of_a_session_clears_its_cookie() {
    let app = App::new();
    let cookie = format!("{SESSION}=alive");
    let ended = app.send(request("DELETE", "/v1/tiny/end", "", &[("cookie", &cookie)])).await;
    assert_eq!((ended.status, ended.body.len()), (204, 0));
    assert_eq!(ended.cookies(), [format!("{SESSION}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax")]);
    let ended = app.send(bare("DELETE", "/v1/tiny/end", "", &[("authorization", "Bearer alive")])).await;
    assert_eq!(ended.status, 204);
    assert!(ended.cookies().is_empty() && ended.body.is_empty());
}

#[tokio::test]
async fn a_token_counts_only_where_it_belongs() {
    let app = App::new();
    let (alive, two) = (format!("{SESSION}=alive"), format!("{SESSION}=alive; {SESSION}=alive"));
    let cases: &[(&[(&str, &str)], u16)] = &[
        (&[], 401),
        (&[("cookie", &alive)], 200),
        (&[("cookie", "authkit_session=alive")], 401),
        (&[("cookie", &two)], 401),
        (&[("authorization", "bearer alive")], 200),
        (&[("authorization", "Bearer dead")], 401),
        (&[("authorization", "Bearer")], 401),
        (&[("authorization", "alive")], 401),
        (&[("cookie", &alive), ("authorization", "Bearer alive")], 200),
        (&[("cookie", &alive), ("authorization", "Bearer dead")], 400),
        (&[("cookie", &two), ("authorization", "Bearer alive")], 400),
        (&[("authorization", "Bearer alive"), ("authorization", "Bearer alive")], 400),
    ];
    for (headers, status) in cases {
        for path in ["/me", "/v1/tiny/parts/0"] {
            assert_eq!(app.send(bare("GET", path, "", headers)).await.status, *status, "{path} {headers:?}");
        }
    }
    for path in ["/me?access_token=alive", "/v1/tiny/parts/0?access_token=alive&token=alive"] {
        assert_eq!(app.send(bare("GET", path, "", &[])).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn the_life_of_the_session_cookie_can_be_chosen_but_covers_the_token() {
    for (chosen, expected) in [(86_400, "Max-Age=86400"), (1, "Max-Age=60")] {
        let app = App::with(|edge| edge.session_cookie_life(Duration::from_secs(chosen)));
        let answer = app.send(request("POST", "/v1/tiny/start", "{}", &[])).await;
        assert!(answer.cookies()[0].contains(expected), "{answer:?}");
    }
}
