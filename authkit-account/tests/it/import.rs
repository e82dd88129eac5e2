//! Moving in: hostile files first, then accidents, then what an operator expects.

use std::sync::Arc;

use authkit_core::{PrincipalId, PrincipalKind, Status, TenantId, Timestamp};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Answer, Counted, Fault, drop_at_every_await};

use crate::home::{Report, World};

fn record(n: usize) -> String {
    format!(r#"{{"id":"{n}","identifiers":["u{n}@example.com"],"credentials":{{"fob":{{"serial":"s{n}"}}}}}}"#)
}

fn records(numbers: impl IntoIterator<Item = usize>) -> String {
    numbers.into_iter().map(|n| record(n) + "\n").collect()
}

/// Checks that a line is refused by a dry run and an import alike, between two that are not; returns the reason.
#[track_caller]
async fn refused(line: &[u8], code: &'static str) -> String {
    let file = [record(1).as_bytes(), b"\n", line, b"\n", record(3).as_bytes()].concat();
    let world = World::new().await;
    let dry = world.dry_run(&file).await.unwrap();
    assert_eq!(world.find("u1@example.com").await, None);
    let report = world.import(&file).await.unwrap();
    assert_eq!(report, dry);
    assert_eq!(report.codes(), [(2, code)]);
    assert_eq!(report.numbers(), [2, 0, 1]);
    assert!(world.find("u3@example.com").await.is_some());
    report.refused.into_iter().next().unwrap().reason
}

mod hostile {
    use super::*;

    #[tokio::test]
    async fn line_of_another_form_is_refused_and_not_quoted() {
        for (line, expected) in [
            (r#"{"identifiers":["a@example.com"]}"#, "record: The field id is needed."),
            (r#"{"id":"2"}"#, "record: The field identifiers is needed."),
            (r#"{"id":2,"identifiers":["a@example.com"]}"#, "record: A field before column 7 is"),
            (r#"{"id":"2","identifiers":["a@example.com"],"hash":"$2y$secret"}"#, "record: A field before column"),
            (r#"{"id":"2","id":"9","identifiers":["a@example.com"]}"#, "record: A field before column"),
            (r#"{"id":"2","identifiers":["a@example.com"],"created_at":"secret"}"#, "record: A field before column"),
            (r#"{"id":"2","identifiers":["a@example.com"]"#, "record: The JSON ends too early, at column"),
            (r#"{"id":"2","identifiers":["a@example.com"]}{}"#, "record: It is no JSON in UTF-8 from column"),
            ("secret", "record: It is no JSON in UTF-8 from column"),
            (r#"["secret"]"#, "record: "),
            (r#"{"id":"","identifiers":["a@example.com"]}"#, "id: Give 1 to 255 characters"),
            (r#"{"id":"a\u0000b","identifiers":["a@example.com"]}"#, "id: Give 1 to 255 characters"),
            (r#"{"id":"2","identifiers":[]}"#, "identifiers: Give 1 to 100 of them."),
            (r#"{"id":"2","identifiers":["secret"]}"#, "identifiers: One of them is no valid e-mail address."),
            (r#"{"id":"2","identifiers":[{"value":"a@example.com","primary":true}]}"#, "record: A field before"),
            (r#"{"id":"2","identifiers":["a@example.com"],"created_at":"2999-01-01T00:00:00Z"}"#, "created_at: It is in"),
            (r#"{"id":"2","identifiers":["a@example.com"],"credentials":{"fob":"secret"}}"#, "credentials: That of fob"),
            (r#"{"id":"2","identifiers":["a@example.com"],"credentials":{"fob":{"serial":"secret secret"}}}"#, "fob: The s"),
        ] {
            let reason = refused(line.as_bytes(), "core.invalid_input").await;
            assert!(reason.starts_with(expected) && !reason.contains("secret"), "{line}: {reason}");
        }
        let unknown = br#"{"id":"2","identifiers":["a@example.com"],"credentials":{"secret":"secret"}}"#;
        let reason = refused(unknown, "core.unknown_method").await;
        assert_eq!(reason, "credentials: One is of a method that no plugin imports.");
    }

    #[tokio::test]
    async fn bytes_that_are_no_utf_8_are_refused() {
        refused(b"{\"id\":\"2\",\"identifiers\":[\"\xff@example.com\"]}", "core.invalid_input").await;
        refused(b"\xff\xfe{\0}\0", "core.invalid_input").await;
    }

    #[tokio::test]
    async fn line_without_end_is_refused_and_not_kept() {
        let reason = refused(&[b'['; 1 << 20], "core.invalid_input").await;
        assert_eq!(reason, "record: The line is longer than 64 KiB.");
        let id = "x".repeat(256);
        let line = format!(r#"{{"id":"{id}","identifiers":["a@example.com"]}}"#);
        refused(line.as_bytes(), "core.invalid_input").await;
        refused("[".repeat(10_000).as_bytes(), "core.invalid_input").await;
        let many: Vec<String> = (0..101).map(|n| format!(r#""{n}@example.com""#)).collect();
        let line = format!(r#"{{"id":"2","identifiers":[{}]}}"#, many.join(","));
        refused(line.as_bytes(), "core.invalid_input").await;
    }

    #[tokio::test]
    async fn text_that_no_store_can_hold_is_refused_alone() {
        let line = br#"{"id":"2","identifiers":["a@example.com"],"credentials":{"fob":{"serial":"s\u0000"}}}"#;
        let file = [record(1).as_bytes(), b"\n", line, b"\n", record(3).as_bytes()].concat();
        let report = World::new().await.import(&file).await.unwrap();
        assert_eq!((report.codes(), report.numbers()), (vec![(2, "core.invalid_input")], [2, 0, 1]));
    }

    #[tokio::test]
    async fn identifier_of_an_account_before_is_refused_in_every_spelling() {
        for taken in ["u1@example.com", " U1@EXAMPLE.com "] {
            let line = format!(r#"{{"id":"2","identifiers":["a@example.com","{taken}"]}}"#);
            refused(line.as_bytes(), "account.identifier_taken").await;
        }
    }

    #[tokio::test]
    async fn id_of_an_account_before_with_other_identifiers_is_refused() {
        for line in [
            r#"{"id":"1","identifiers":["a@example.com"]}"#,
            r#"{"id":"1","identifiers":["u1@example.com","a@example.com"]}"#,
        ] {
            refused(line.as_bytes(), "account.imported_otherwise").await;
        }
    }

    /// Whoever signs up with somebody's address before the import must not be given what was theirs.
    #[tokio::test]
    async fn account_that_is_there_is_neither_changed_nor_mapped() {
        let world = World::new().await;
        let cx = world.cx();
        let squatter = world.accounts().create(&cx, PrincipalKind::Human, &["u2@example.com"]).await.unwrap();
        let file = records(1..=3);
        for report in [world.dry_run(file.as_bytes()).await.unwrap(), world.import(file.as_bytes()).await.unwrap()] {
            assert_eq!((report.codes(), report.numbers()), (vec![(2, "account.identifier_taken")], [2, 0, 1]));
        }
        assert_eq!(world.find("u2@example.com").await, Some(squatter.clone()));
        assert_eq!(world.fob(squatter.id).await, None);
        assert_eq!(world.imports().find(&cx, "2").await.unwrap(), None);
    }

    #[tokio::test]
    async fn account_that_was_imported_keeps_its_credential() {
        let world = World::new().await;
        world.import(record(1).as_bytes()).await.unwrap();
        let again = record(1).replace("\"s1\"", "\"s9\"");
        assert_eq!(world.import(again.as_bytes()).await.unwrap().numbers(), [0, 1, 0]);
        let ada = world.find("u1@example.com").await.unwrap();
        assert_eq!(world.fob(ada.id).await.as_deref(), Some("s1"));
    }

    #[tokio::test]
    async fn credential_that_collides_refuses_its_account_alone() {
        let world = World::new().await;
        let file = [record(1), record(2).replace("\"s2\"", "\"s1\""), record(3)].join("\n");
        let report = world.import(file.as_bytes()).await.unwrap();
        assert_eq!((report.codes(), report.numbers()), (vec![(2, "core.conflict")], [2, 0, 1]));
        assert_eq!(world.find("u2@example.com").await, None);
    }

    #[tokio::test]
    async fn another_tenant_has_accounts_of_its_own() {
        let world = World::new().await;
        let other = TenantId::from_static_for_tests();
        let mut run = world.imports().begin();
        run.feed(&world.cx_of(other), record(1).as_bytes()).await.unwrap();
        // A run goes on in the tenant in which its records were read, or not at all.
        run.finish(&world.cx_of(other)).await.unwrap();
        assert_eq!(world.find("u1@example.com").await, None);
        assert_eq!(world.imports().find(&world.cx(), "1").await.unwrap(), None);
        assert!(world.imports().find(&world.cx_of(other), "1").await.unwrap().is_some());
        assert_eq!(world.import(record(1).as_bytes()).await.unwrap().numbers(), [1, 0, 0]);
    }
}
