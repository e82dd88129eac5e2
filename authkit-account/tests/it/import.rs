//! Moving in: hostile files first, then accidents, then what an operator expects.

use std::sync::Arc;

use authkit_core::{PrincipalKind, Status, TenantId, Timestamp};
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
            (
                r#"{"id":"2","identifiers":["a@example.com"],"created_at":"2999-01-01T00:00:00Z"}"#,
                "created_at: It is in",
            ),
            (
                r#"{"id":"2","identifiers":["a@example.com"],"credentials":{"fob":"secret"}}"#,
                "credentials: That of fob",
            ),
            (
                r#"{"id":"2","identifiers":["a@example.com"],"credentials":{"fob":{"serial":"secret secret"}}}"#,
                "fob: The s",
            ),
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
        let other: TenantId = world.cx().new_id();
        let mut run = world.imports().begin();
        run.feed(&world.cx_of(other), record(1).as_bytes()).await.unwrap();
        assert!(run.finish(&world.cx()).await.is_err(), "what was read for one tenant is not written to another");
        run.finish(&world.cx_of(other)).await.unwrap();
        assert_eq!(world.find("u1@example.com").await, None);
        assert_eq!(world.imports().find(&world.cx(), "1").await.unwrap(), None);
        assert!(world.imports().find(&world.cx_of(other), "1").await.unwrap().is_some());
        assert_eq!(world.import(record(1).as_bytes()).await.unwrap().numbers(), [1, 0, 0]);
    }
}

mod accidents {
    use super::*;

    /// Everybody of 250 is there, each with the one fob that belongs to them.
    async fn check_whole(world: &World) {
        for n in 1..=250 {
            let principal = world.find(&format!("u{n}@example.com")).await.unwrap();
            assert_eq!(world.imports().find(&world.cx(), &n.to_string()).await.unwrap(), Some(principal.id));
            assert_eq!(world.fob(principal.id).await, Some(format!("s{n}")));
        }
    }

    async fn sum(report: &Report) -> u64 {
        report.numbers().iter().sum()
    }

    #[tokio::test]
    async fn import_that_a_store_ends_is_begun_again() {
        let file = records(1..=250);
        for commit in 1..=3 {
            for fault in [Fault::Fails, Fault::UnknownBefore, Fault::UnknownAfter] {
                let world = World::new().await;
                world.store.inject(Counted::Commits, commit, fault);
                let first = world.import(file.as_bytes()).await;
                // A commit whose answer was lost is looked up by its record.
                assert_eq!(first.is_ok(), fault == Fault::UnknownAfter, "{commit} {fault:?}");
                let again = world.import(file.as_bytes()).await.unwrap();
                assert_eq!((again.codes(), sum(&again).await), (vec![], 250));
                check_whole(&world).await;
            }
        }
    }

    #[tokio::test]
    async fn read_that_fails_ends_an_import_that_was_begun_again() {
        let file = records(1..=250);
        for call in [2, 5, 50, 400] {
            let world = World::new().await;
            world.import(records(1..=120).as_bytes()).await.unwrap();
            world.store.inject(Counted::Calls, call, Fault::Fails);
            assert_eq!(world.import(file.as_bytes()).await.unwrap_err().code().code, "core.unavailable");
            assert_eq!(world.import(file.as_bytes()).await.unwrap().codes(), []);
            check_whole(&world).await;
        }
    }

    #[tokio::test]
    async fn commit_that_a_network_repeats_makes_nobody_twice() {
        for answer in [Answer::First, Answer::Second] {
            let world = World::new().await;
            world.store.inject(Counted::Commits, 2, Fault::Duplicated(answer));
            assert_eq!(world.import(records(1..=250).as_bytes()).await.unwrap().numbers(), [250, 0, 0]);
            check_whole(&world).await;
        }
    }

    #[tokio::test]
    async fn import_dropped_anywhere_is_begun_again() {
        let file = records(1..=250);
        drop_at_every_await(
            async || {
                let world = World::new().await;
                for commit in 1..=3 {
                    world.store.inject(Counted::Commits, commit, Fault::Delayed(1));
                }
                world
            },
            async |world: &World| world.import(file.as_bytes()).await.unwrap().numbers(),
            async |world: &World, output| {
                assert!(output.is_none_or(|numbers| numbers == [250, 0, 0]));
                assert_eq!(world.import(file.as_bytes()).await.unwrap().codes(), []);
                check_whole(world).await;
            },
        )
        .await;
    }

    /// Otherwise what waited in it would be left out without a word.
    #[tokio::test]
    async fn run_does_not_go_on_after_a_call_that_failed() {
        let world = World::new().await;
        let mut run = world.imports().begin();
        world.store.inject(Counted::Commits, 1, Fault::Fails);
        assert!(run.feed(&world.cx(), records(1..=150).as_bytes()).await.is_err());
        assert_eq!(run.feed(&world.cx(), b"\n").await.unwrap_err().code().code, "core.internal");
        assert_eq!(run.finish(&world.cx()).await.unwrap_err().code().code, "core.internal");
        assert_eq!(run.totals().imported, 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn imports_at_once_make_everybody_once() {
        let world = Arc::new(World::new().await);
        let file: Arc<str> = records(1..=250).into();
        let imports: Vec<_> = (0..4)
            .map(|_| {
                let (world, file) = (world.clone(), file.clone());
                tokio::spawn(async move { world.import(file.as_bytes()).await.unwrap() })
            })
            .collect();
        let mut imported = 0;
        for import in imports {
            let report = import.await.unwrap();
            assert_eq!((report.codes(), sum(&report).await), (vec![], 250));
            imported += report.totals.imported;
        }
        assert_eq!(imported, 250);
        check_whole(&world).await;
    }
}

mod moving_in {
    use super::*;

    #[tokio::test]
    async fn record_becomes_an_account_as_it_was() {
        let world = World::new().await;
        let line = r#"{"id":"legacy:7","kind":"service","created_at":"2019-03-01T12:00:00+02:00","disabled":true,
            "identifiers":[{"value":" Ada@Example.com ","verified":true},"ada@example.org","ADA@example.com"],
            "credentials":{"fob":{"serial":"s7"}}}"#
            .replace('\n', " ");
        assert_eq!(world.import(line.as_bytes()).await.unwrap().numbers(), [1, 0, 0]);
        let ada = world.find("ada@example.com").await.unwrap();
        assert_eq!((ada.kind, ada.status), (PrincipalKind::Service, Status::Disabled));
        let identifiers = world.accounts().identifiers(&world.cx(), ada.id).await.unwrap();
        let shown: Vec<_> = identifiers.iter().map(|one| (one.value.as_str(), one.verified_at.is_some())).collect();
        assert_eq!(shown, [("Ada@Example.com", true), ("ada@example.org", false)]);
        assert_eq!(world.imports().find(&world.cx(), "legacy:7").await.unwrap(), Some(ada.id));
        assert_eq!(world.created_at(ada.id).await, Timestamp::from_millis(1_551_434_400_000));
        assert_eq!(world.records_of(ada.id).await, ["account_imported"]);
    }

    #[tokio::test]
    async fn every_account_is_recorded_and_a_hundred_are_one_commit() {
        let world = World::new().await;
        let before = world.store.commits();
        world.import(records(1..=250).as_bytes()).await.unwrap();
        assert_eq!(world.store.commits() - before, 3);
        for n in [1, 100, 101, 250] {
            let principal = world.find(&format!("u{n}@example.com")).await.unwrap();
            assert_eq!(world.records_of(principal.id).await, ["account_imported"]);
        }
    }

    #[tokio::test]
    async fn file_comes_in_pieces_with_any_line_ends() {
        let file = format!("\u{feff}{}\r\n\r\n  \t\n{}\r\n{}", record(1), record(2), record(3));
        for size in [1, 7, 64, 1000] {
            let world = World::new().await;
            let mut run = world.imports().begin();
            for piece in file.as_bytes().chunks(size) {
                assert_eq!(run.feed(&world.cx(), piece).await.unwrap(), []);
            }
            assert_eq!(run.finish(&world.cx()).await.unwrap(), []);
            assert_eq!((run.totals().imported, run.lines()), (3, 5));
            assert_eq!(run.finish(&world.cx()).await.unwrap(), [], "there is nothing left");
        }
    }

    #[tokio::test]
    async fn dry_run_writes_nothing_and_says_what_an_import_would() {
        let world = World::over(Arc::new(MemoryStore::new())).await;
        world.import(records(1..=10).as_bytes()).await.unwrap();
        let mut file = records(5..=120);
        file += &records([11, 12]);
        file += "{\"id\":\"999\",\"identifiers\":[\"u50@example.com\"]}\nnothing\n";
        let commits = world.store.commits();
        let dry = world.dry_run(file.as_bytes()).await.unwrap();
        assert_eq!(world.store.commits(), commits);
        assert_eq!(dry.numbers(), [110, 8, 2]);
        assert_eq!(world.import(file.as_bytes()).await.unwrap(), dry);
        assert_eq!(world.import(file.as_bytes()).await.unwrap().numbers(), [0, 118, 2]);
    }

    #[tokio::test]
    async fn refused_rows_are_told_in_the_order_of_the_file() {
        let world = World::new().await;
        let lines: Vec<String> = (1..=300)
            .map(|n| match n % 3 {
                0 => "nothing".to_owned(),
                1 => record(n),
                _ => record(1).replace("\"1\"", &format!("\"{n}\"")),
            })
            .collect();
        let report = world.import(lines.join("\n").as_bytes()).await.unwrap();
        assert!(report.refused.is_sorted_by_key(|row| row.line));
        assert_eq!(report.numbers(), [100, 0, 200]);
    }

    #[tokio::test]
    async fn account_that_was_purged_is_mapped_no_more() {
        let world = World::new().await;
        world.import(record(1).as_bytes()).await.unwrap();
        let ada = world.find("u1@example.com").await.unwrap();
        world.remove(&ada).await;
        assert_eq!(world.imports().find(&world.cx(), "1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn nothing_is_imported_from_nothing() {
        let world = World::new().await;
        assert_eq!(world.import(b"").await.unwrap().numbers(), [0, 0, 0]);
        assert_eq!(world.import(b"\r\n\n ").await.unwrap().numbers(), [0, 0, 0]);
    }
}
