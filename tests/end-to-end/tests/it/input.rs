//! Hostile input: every column in every body, odd types, odd sizes, odd paths.

use axum::{body::Body, http::Request};
use end_to_end::{OTHER_PASSWORD, PASSWORD, World, on_each_store};
use serde_json::{Map, Value as JsonValue, json};

/// Every column of every table, with values that would do harm.
fn every_column(world: &World) -> Map<String, JsonValue> {
    let columns = world.auth.entities().iter().flat_map(|def| def.columns.iter().map(|column| column.name));
    let harmful = |name: &str| match name {
        "status" => json!("active"),
        "epoch" | "sessions_from" => json!(0),
        "kind" | "principal_kind" => json!("service"),
        name if name.ends_with("_at") => json!("2020-01-01T00:00:00Z"),
        name if name.ends_with("id") => json!("00000000-0000-7000-8000-000000000001"),
        _ => json!("planted"),
    };
    let mut all: Map<String, JsonValue> = columns.map(|name| (name.to_owned(), harmful(name))).collect();
    for extra in ["verified", "is_admin", "roles", "owner", "tenant", "tenant_id", "user_id", "principal", "amr", "aal"]
    {
        all.insert(extra.to_owned(), json!("planted"));
    }
    all
}

on_each_store! {
    async fn no_column_can_be_set_from_a_body(backend) {
        let world = World::new(backend).await;
        let mut planted = every_column(&world);
        planted.remove("method");
        planted.insert("identifier".into(), json!("ada@example.com"));
        planted.insert("password".into(), json!(PASSWORD));
        let mut browser = world.browser();
        let answer = browser.post("/v1/auth/signup", JsonValue::Object(planted.clone())).await;
        assert!([201, 400].contains(&answer.status), "{answer:?}");
        if answer.status == 400 {
            world.sign_up("ada@example.com").await;
        }
        let principal = &world.rows("auth_principals", "id").await[0];
        assert_eq!(principal["kind"], "human");
        assert_eq!(principal["epoch"], 0);
        assert_ne!(principal["id"], "00000000-0000-7000-8000-000000000001");
        let identifier = &world.rows("auth_identifiers", "by_principal").await[0];
        assert_eq!(identifier["verified_at"], JsonValue::Null);

        let answer = browser.post("/v1/auth/login", JsonValue::Object(planted.clone())).await;
        assert!([200, 400].contains(&answer.status), "{answer:?}");
        if answer.status == 400 {
            browser.login("ada@example.com", PASSWORD).await;
        }
        let session = &world.rows("auth_sessions", "by_principal").await[0];
        assert_eq!((&session["aal"], &session["amr"]), (&json!("aal1"), &json!("pwd")));

        planted.insert("current_password".into(), json!(PASSWORD));
        planted.insert("new_password".into(), json!(OTHER_PASSWORD));
        let answer = browser.post("/v1/account/change-password", JsonValue::Object(planted)).await;
        assert!([204, 400].contains(&answer.status), "{answer:?}");
        assert_eq!(world.rows("auth_passwords", "by_principal").await.len(), 1);
        let text = format!("{:?}", world.rows("auth_principals", "id").await);
        assert!(!text.contains("planted"), "{text}");
    }

    async fn odd_bodies_are_a_clear_error_and_change_nothing(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let before = world.rows("auth_principals", "id").await;
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let bodies: Vec<(String, &[u16])> = vec![
            (String::new(), &[400]),
            ("{".into(), &[400]),
            ("null".into(), &[400]),
            ("[]".into(), &[400]),
            ("\"text\"".into(), &[400]),
            ("{\"identifier\":\"a@example.com\",\"identifier\":\"b@example.com\",\"password\":\"x\"}".into(), &[400]),
            (format!("{{\"identifier\":\"a@example.com\",\"password\":{deep}}}"), &[400]),
            ("{\"identifier\":{\"a\":1},\"password\":\"x\"}".into(), &[400]),
            ("{\"identifier\":\"a\\u0000@example.com\",\"password\":\"x\"}".into(), &[400, 401]),
            ("{\"identifier\":\"a@example.com\",\"password\":\"a\\u0000b\"}".into(), &[400, 401]),
            (format!("{{\"identifier\":\"{}\",\"password\":\"x\"}}", "a".repeat(5000)), &[400, 401]),
            (format!("{{\"identifier\":\"a@example.com\",\"password\":\"{}\"}}", "p".repeat(5000)), &[400, 401]),
            (format!("{{\"identifier\":\"a@example.com\",\"password\":\"{}\"}}", "p".repeat(1 << 20)), &[413]),
            ("{\"method\":\"nothing\",\"identifier\":\"a@example.com\",\"password\":\"x\"}".into(), &[400]),
        ];
        for path in ["/v1/auth/login", "/v1/auth/signup"] {
            for (body, statuses) in &bodies {
                let request = Request::post(path)
                    .header("content-type", "application/json")
                    .header("origin", "http://localhost:3000")
                    .body(Body::from(body.clone()))
                    .unwrap();
                let answer = world.browser().raw(request).await;
                let shown = &body[..body.len().min(80)];
                assert!(statuses.contains(&answer.status) || answer.status == 400, "{path} {shown}: {answer:?}");
                assert_eq!(answer.headers["content-type"], "application/problem+json", "{path} {shown}");
                assert!(answer.code().contains('.'), "{path} {shown}: {answer:?}");
            }
        }
        assert_eq!(world.rows("auth_principals", "id").await, before);
    }

    async fn passwords_of_every_length_are_judged_whole(backend) {
        let world = World::new(backend).await;
        for (n, length) in [15, 64, 72, 73, 1000, 4096].into_iter().enumerate() {
            let password: String = "Zürich lamp 4 boat ".chars().cycle().take(length).collect();
            let password: String = password.bytes().map(|b| if b.is_ascii() { b as char } else { 'u' }).take(length).collect();
            let identifier = format!("user{n}@example.com");
            let body = json!({ "identifier": identifier, "password": password });
            let made = world.browser().post("/v1/auth/signup", body).await;
            assert_eq!(made.status, 201, "{length}: {made:?}");
            let (all, but_one) = (password.as_str(), &password[..length - 1]);
            assert_eq!(world.browser().login(&identifier, all).await.status, 200, "{length}");
            assert_eq!(world.browser().login(&identifier, but_one).await.status, 401, "{length}");
            assert_eq!(world.browser().login(&identifier, &format!("{all} ")).await.status, 401, "{length}");
        }
    }

    async fn odd_paths_reach_nothing(backend) {
        let world = World::new(backend).await;
        world.sign_up("ada@example.com").await;
        let mut browser = world.signed_in("ada@example.com").await;
        for path in ["/v1//auth/me", "/v1/auth/me/", "/v1/AUTH/me", "/v1/auth/%6de/..", "/v1/sessions/../auth/me", "/v1/auth/me;x"] {
            let answer = browser.get(path).await;
            assert!([404, 405].contains(&answer.status), "{path}: {answer:?}");
        }
        let head = Request::head("/v1/auth/me").body(Body::empty()).unwrap();
        assert_eq!(browser.raw(head).await.status, 401, "HEAD passes the same gate");
    }
}
