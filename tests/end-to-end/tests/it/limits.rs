//! Guessing: limits hold over concurrency, spelling, addresses and restarts, and nobody locks the owner out.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use authkit_core::{AuthError, Charge, Client};
use authkit_risk::Throttle;
use end_to_end::{Backend, PASSWORD, World, on_each_store};
use serde_json::json;

async fn guarded(backend: Backend) -> World {
    World::builder(backend).throttle(Throttle::default()).build().await
}

/// How many guesses were evaluated: each one that was leaves a record.
async fn evaluated(world: &World) -> usize {
    world.audit().await.iter().filter(|event| event["kind"] == "login_failure").count()
}

on_each_store! {
    async fn a_thousand_parallel_guesses_evaluate_no_more_than_the_cap(backend) {
        let world = Arc::new(guarded(backend).await);
        world.sign_up("ada@example.com").await;
        let mut guesses = tokio::task::JoinSet::new();
        for n in 0..1000_u32 {
            let world = world.clone();
            guesses.spawn(async move {
                // Ten addresses, several spellings.
                let [_, _, _, last] = (n % 10).to_be_bytes();
                let spelling = ["ada@example.com", "ADA@example.com", " ada@EXAMPLE.com"][n as usize % 3];
                let mut browser = world.browser().at(IpAddr::from([203, 0, 113, last]));
                browser.login(spelling, &format!("guess number {n}")).await.status
            });
        }
        let statuses = guesses.join_all().await;
        assert!(statuses.iter().all(|status| [401, 429, 503].contains(status)), "{statuses:?}");
        assert_eq!(evaluated(&world).await, 5, "five per minute and identifier");
    }

    async fn one_address_gets_ten_attempts_a_minute_whatever_it_tries(backend) {
        let world = guarded(backend).await;
        let mut browser = world.browser().at(IpAddr::from([203, 0, 113, 9]));
        let mut statuses = Vec::new();
        for n in 0..15 {
            statuses.push(browser.login(&format!("user{n}@example.com"), "whatever it may be").await.status);
        }
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
        let limited = browser.login("another@example.com", "whatever it may be").await;
        assert_eq!(limited.status, 429);
        assert!(limited.headers.contains_key("retry-after"), "{limited:?}");
        world.clock.advance(Duration::from_secs(61));
        assert_eq!(browser.login("another@example.com", "whatever it may be").await.status, 401);
    }

    async fn a_limit_of_the_application_holds_however_many_come_at_once(backend) {
        let world = Arc::new(World::builder(backend).build().await);
        let charge = |world: &World, client| {
            let cx = world.auth.request(Client::default().ip(IpAddr::from([203, 0, 113, client])));
            let key = cx.counter_key(&[b"shop.search", &[client]]);
            let charges = Charge::window("shop.search", key, cx.now(), 7, Duration::from_secs(60));
            async move { cx.charge(&charges).await.map(drop) }
        };
        let mut searches = tokio::task::JoinSet::new();
        for _ in 0..200 {
            searches.spawn(charge(&world, 9));
        }
        let outcomes = searches.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 7);
        let told = |error: &AuthError| (error.code().code, error.wait().is_some());
        let refused: BTreeSet<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err().map(told)).collect();
        assert_eq!(refused, BTreeSet::from([("core.limited", true)]));
        assert!(charge(&world, 10).await.is_ok(), "another client");
        world.clock.advance(Duration::from_secs(60));
        assert!(charge(&world, 9).await.is_ok());

        world.auth.run_due_jobs().await;
        let sums: Vec<_> = world.audit().await.into_iter().filter(|event| event["kind"] == "rate_limited").collect();
        assert_eq!(sums.len(), 1, "{sums:?}");
        assert_eq!(sums[0]["data"]["count"], 193);
        assert_eq!(sums[0]["data"]["reason"], "shop.search");
    }

    async fn addresses_of_one_ipv6_network_share_their_attempts(backend) {
        let world = guarded(backend).await;
        let mut evaluated = 0;
        for n in 0..20_u16 {
            let ip: IpAddr = format!("2001:db8:1:2::{n:x}").parse().unwrap();
            let status = world.browser().at(ip).login(&format!("u{n}@example.com"), "whatever").await.status;
            evaluated += usize::from(status == 401);
        }
        assert_eq!(evaluated, 10);
    }

    async fn a_locked_account_looks_like_a_wrong_password_and_opens_by_itself(backend) {
        let world = guarded(backend).await;
        let id = world.sign_up("ada@example.com").await;
        let mut attacker = world.browser();
        let mut wrong = None;
        for _ in 0..5 {
            world.clock.advance(Duration::from_secs(15));
            let answer = attacker.login("ada@example.com", "a guess that is wrong").await;
            assert_eq!(answer.status, 401, "{answer:?}");
            wrong = Some(answer);
        }
        world.clock.advance(Duration::from_secs(61));
        let locked = attacker.login("ada@example.com", PASSWORD).await;
        let wrong = wrong.unwrap();
        assert_eq!(locked.status, wrong.status);
        assert_eq!(locked.body.len(), wrong.body.len());
        assert_eq!(locked.json()["title"], wrong.json()["title"]);
        assert!(!locked.headers.contains_key("retry-after"));
        assert!(world.events_of(id).await.contains(&"account_locked".to_owned()));

        world.clock.advance(Duration::from_secs(5 * 60));
        assert_eq!(attacker.login("ada@example.com", PASSWORD).await.status, 200);
    }

    async fn an_unknown_account_locks_like_a_known_one(backend) {
        let world = guarded(backend).await;
        world.sign_up("known@example.com").await;
        let mut rows = Vec::new();
        for name in ["known@example.com", "nobody@example.com"] {
            let mut attacker = world.browser();
            let mut answers = Vec::new();
            for _ in 0..8 {
                world.clock.advance(Duration::from_secs(15));
                let answer = attacker.login(name, "a guess that is wrong").await;
                answers.push((answer.status, answer.body.len(), answer.headers.contains_key("retry-after")));
            }
            rows.push(answers);
        }
        assert_eq!(rows[0], rows[1]);
    }

    async fn the_owner_on_a_known_device_is_not_locked_out(backend) {
        let world = guarded(backend).await;
        world.sign_up("ada@example.com").await;
        let mut owner = world.signed_in("ada@example.com").await;
        owner.post("/v1/auth/logout", json!({})).await;
        assert!(owner.cookies.contains_key("authkit_device"), "{:?}", owner.cookies);
        for n in 0..120_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            world.clock.advance(Duration::from_secs(13));
            world.browser().at(IpAddr::from([100, b, c, d])).login("ada@example.com", "a wrong guess").await;
        }
        let stranger = world.browser().login("ada@example.com", PASSWORD).await;
        assert_eq!(stranger.status, 401, "the account is locked for others: {stranger:?}");
        world.clock.advance(Duration::from_secs(61));
        assert_eq!(owner.login("ada@example.com", PASSWORD).await.status, 200);
    }

    async fn no_more_than_a_hundred_guesses_are_evaluated_however_spread(backend) {
        let world = guarded(backend).await;
        world.sign_up("ada@example.com").await;
        for n in 0..400_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            world.clock.advance(Duration::from_secs(30 * 60));
            world.browser().at(IpAddr::from([100, b, c, d])).login("ada@example.com", "a wrong guess").await;
        }
        let evaluated = evaluated(&world).await;
        assert!((90..=100).contains(&evaluated), "{evaluated}");
    }

    async fn success_clears_the_count(backend) {
        let world = guarded(backend).await;
        world.sign_up("ada@example.com").await;
        let mut browser = world.browser();
        for _ in 0..4 {
            for _ in 0..4 {
                world.clock.advance(Duration::from_secs(15));
                assert_eq!(browser.login("ada@example.com", "wrong").await.status, 401);
            }
            world.clock.advance(Duration::from_secs(15));
            assert_eq!(browser.login("ada@example.com", PASSWORD).await.status, 200);
        }
    }

    async fn what_is_turned_away_is_recorded_in_sum(backend) {
        let world = guarded(backend).await;
        let mut browser = world.browser();
        for n in 0..50 {
            browser.login(&format!("user{n}@example.com"), "whatever").await;
        }
        let before = world.audit().await.len();
        world.auth.run_due_jobs().await;
        let all = world.audit().await;
        let sums: Vec<_> = all.iter().filter(|event| event["kind"] == "rate_limited").collect();
        assert_eq!(sums.len(), 1, "{sums:?}");
        assert_eq!(all.len(), before + 1);
        assert_eq!(sums[0]["data"]["count"], 40);
    }
}
