use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use authkit_axum::{Edge, rate_limit, require_session};
use authkit_store_memory::MemoryStore;
use authkit_testkit::{Counted, Fault, Faulty, TestClock};
use axum::{Router, body::Body, routing::get};
use http::Request;

use crate::app::{Answer, bare, build_on, from, send};

const MINUTE: Duration = Duration::from_secs(60);
const HERE: [u8; 4] = [203, 0, 113, 9];

/// An application with limits, on one or more nodes.
struct Shop {
    store: Faulty<MemoryStore>,
    clock: TestClock,
    searches: Arc<AtomicUsize>,
    node: Router,
}

impl Shop {
    async fn open() -> Self {
        let (store, clock) = (Faulty::new(MemoryStore::new()), TestClock::default());
        let searches = Arc::<AtomicUsize>::default();
        let node = Self::node(&store, &clock, &searches).await;
        Self { store, clock, searches, node }
    }

    /// Five searches a minute, below two paths; two letters an hour; and a list for members.
    async fn node(store: &Faulty<MemoryStore>, clock: &TestClock, searches: &Arc<AtomicUsize>) -> Router {
        let (auth, _) = build_on(Arc::new(store.clone()), clock.clone());
        auth.migrate().await.unwrap();
        let searches = searches.clone();
        let search = get(async move || {
            searches.fetch_add(1, Ordering::SeqCst);
            "found"
        });
        let routes = |paths: &[&str]| paths.iter().fold(Router::new(), |all, path| all.route(path, search.clone()));
        let limit = |most| rate_limit("shop.search", most, MINUTE);
        let edge = Edge::new(&auth).trusted_hops(1);
        Router::new()
            .merge(routes(&["/search", "/find"]).route_layer(limit(5)))
            .merge(routes(&["/letter"]).route_layer(rate_limit("shop.letter", 2, 60 * MINUTE)))
            .merge(routes(&["/list"]).route_layer(limit(5)).route_layer(require_session()))
            .merge(routes(&["/blink"]).route_layer(rate_limit("shop.blink", 1, Duration::from_micros(1))))
            .merge(routes(&["/none"]).route_layer(rate_limit("shop.none", 0, MINUTE)))
            .layer(edge.layer())
    }

    async fn search(&self, headers: &[(&str, &str)]) -> Answer {
        self.send(from(bare("GET", "/search", "", headers), HERE)).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        send(self.node.clone(), request).await
    }

    /// How many of so many requests are let through.
    async fn passed(&self, requests: usize, request: impl Fn(usize) -> Request<Body>) -> usize {
        let mut passed = 0;
        for number in 0..requests {
            let answer = self.send(request(number)).await;
            match answer.status {
                200 => passed += 1,
                _ => assert_eq!(answer.problem(), (429, "core.limited".into())),
            }
        }
        passed
    }
}

fn at(path: &str, ip: impl Into<IpAddr>) -> Request<Body> {
    from(bare("GET", path, "", &[]), ip)
}

fn with_token(token: &str, ip: impl Into<IpAddr>) -> Request<Body> {
    from(bare("GET", "/search", "", &[("authorization", &format!("Bearer {token}"))]), ip)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_parallel_requests_to_two_nodes_pass_no_more_than_the_cap() {
    let shop = Shop::open().await;
    let other = Shop::node(&shop.store, &shop.clock, &shop.searches).await;
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let node = [&shop.node, &other][number % 2].clone();
        let spelling = ["203.0.113.9", "::ffff:203.0.113.9", "203.0.113.9:4711"][number % 3];
        let path = ["/search", "/find"][number % 2];
        let request = from(bare("GET", path, "", &[("x-forwarded-for", spelling)]), [10, 0, 0, 1]);
        requests.spawn(async move { send(node, request).await.status });
    }
    let statuses = requests.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 5, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert_eq!(shop.searches.load(Ordering::SeqCst), 5, "the handler did not run for the others");
}

#[tokio::test]
async fn no_spelling_of_an_address_gives_further_requests() {
    let shop = Shop::open().await;
    assert_eq!(shop.passed(6, |_| at("/search", HERE)).await, 5);
    let forwarded = |address: &str| from(bare("GET", "/search", "", &[("x-forwarded-for", address)]), [10, 0, 0, 1]);
    for address in [
        "203.0.113.9",
        "203.0.113.9:4711",
        "::ffff:203.0.113.9",
        "[::ffff:cb00:7109]:80",
        "198.51.100.7, 203.0.113.9",
        "\", x, 203.0.113.9",
    ] {
        assert_eq!(shop.send(forwarded(address)).await.status, 429, "{address}");
    }
    assert_eq!(shop.passed(6, |n| forwarded(&format!("2001:db8:1:2:{n}::{n}"))).await, 5);
    assert_eq!(shop.send(forwarded("[2001:DB8:1:2::98]:443")).await.status, 429);
    assert_eq!(shop.send(forwarded("2001:db8:1:3::1")).await.status, 200, "another network");
    assert_eq!(shop.send(forwarded("203.0.113.10")).await.status, 200, "another address");
}

#[tokio::test]
async fn no_spelling_of_a_path_gives_further_requests() {
    let shop = Shop::open().await;
    assert_eq!(shop.passed(6, |_| at("/search", HERE)).await, 5);
    for path in [
        "//search",
        "/search/",
        "/Search",
        "/%73earch",
        "/./search",
        "/x/../search",
        "/search;a",
        "/search%00",
        "/search?",
        "/search?a=b",
        "http://example.com/search",
    ] {
        let status = shop.send(at(path, HERE)).await.status;
        assert!([404, 429].contains(&status), "{path}: {status}");
    }
    assert_eq!(shop.send(from(bare("HEAD", "/search", "", &[]), HERE)).await.status, 429);
    assert_eq!(shop.searches.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn whoever_has_a_session_is_limited_as_a_principal_wherever_he_comes_from() {
    let shop = Shop::open().await;
    let everywhere = |n: usize| [100, 64, 0, u8::try_from(n).unwrap()];
    let tokens = ["alive", "stale", "ey_alive"];
    assert_eq!(shop.passed(12, |n| with_token(tokens[n % 3], everywhere(n))).await, 5);
    assert_eq!(shop.passed(6, |_| with_token("grace", HERE)).await, 5, "another principal");
    assert_eq!(shop.passed(6, |_| at("/search", HERE)).await, 5, "who shows no session counts by address");
}

#[tokio::test]
async fn a_token_that_is_no_good_gives_no_further_requests() {
    let shop = Shop::open().await;
    assert_eq!(shop.passed(10, |n| with_token(&format!("dead{n}"), HERE)).await, 5);
    let cookies = "__Host-authkit_session=alive; __Host-authkit_session=grace";
    assert_eq!(shop.search(&[("cookie", cookies)]).await.status, 429);
    let two = [("cookie", "__Host-authkit_session=alive"), ("authorization", "Bearer grace")];
    assert_eq!(shop.search(&two).await.status, 400);
    assert_eq!(shop.searches.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn the_signed_token_of_a_session_that_ended_uses_up_nothing_of_its_owner() {
    for dead in ["ey_ended", "ey_raised"] {
        let shop = Shop::open().await;
        assert_eq!(shop.passed(10, |_| with_token(dead, HERE)).await, 5, "{dead} counts by address");
        assert_eq!(shop.passed(1, |_| at("/search", HERE)).await, 0, "{dead}");
        assert_eq!(shop.passed(6, |_| with_token("alive", [198, 51, 100, 7])).await, 5, "{dead}");
    }
}

#[tokio::test]
async fn a_span_of_less_than_a_millisecond_is_one() {
    let shop = Shop::open().await;
    assert_eq!(shop.passed(3, |_| at("/blink", HERE)).await, 1);
    shop.clock.advance(Duration::from_millis(1));
    assert_eq!(shop.passed(3, |_| at("/blink", HERE)).await, 1);
}

#[tokio::test]
async fn routes_of_one_name_share_and_others_do_not() {
    let shop = Shop::open().await;
    assert_eq!(shop.passed(8, |n| at(["/search", "/find"][n % 2], HERE)).await, 5);
    assert_eq!(shop.passed(8, |_| at("/letter", HERE)).await, 2);
    assert_eq!(shop.passed(2, |_| at("/none", HERE)).await, 0);
}

#[tokio::test]
async fn who_is_refused_for_want_of_a_session_is_not_counted() {
    let shop = Shop::open().await;
    for _ in 0..10 {
        assert_eq!(shop.send(at("/list", HERE)).await.status, 401);
    }
    assert_eq!(shop.passed(6, |_| at("/search", HERE)).await, 5);
}

#[tokio::test]
async fn all_whose_address_is_not_known_share_one_budget() {
    let shop = Shop::open().await;
    assert_eq!(shop.passed(6, |_| bare("GET", "/search", "", &[])).await, 5);
    assert_eq!(shop.search(&[]).await.status, 200);
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back_and_then_there_is_room() {
    let shop = Shop::open().await;
    for round in 0..20_u32 {
        shop.clock.advance(Duration::from_millis(u64::from(round) * 3_701));
        let mut waits = Vec::new();
        while waits.is_empty() {
            let answer = shop.search(&[]).await;
            waits.extend(answer.headers.get("retry-after").map(|wait| wait.to_str().unwrap().parse::<u64>().unwrap()));
        }
        let [wait] = waits[..] else { panic!("one wait") };
        assert!((1..=60).contains(&wait), "{wait}");
        shop.clock.advance(Duration::from_secs(wait));
        assert_eq!(shop.search(&[]).await.status, 200, "round {round}, after {wait} s");
    }
}

#[tokio::test]
async fn nobody_gets_in_while_the_store_does_not_answer() {
    for fault in [Fault::Fails, Fault::UnknownBefore, Fault::UnknownAfter] {
        let shop = Shop::open().await;
        shop.store.inject(Counted::Commits, 1, fault);
        assert_eq!(shop.search(&[]).await.problem(), (503, "core.unavailable".into()), "{fault:?}");
        assert_eq!(shop.searches.load(Ordering::SeqCst), 0);
        assert_eq!(shop.search(&[]).await.status, 200, "{fault:?}");
    }
}

#[tokio::test]
async fn nobody_gets_in_without_the_layer() {
    let route = Router::new().route("/", get(|| async { "in" })).route_layer(rate_limit("shop.search", 5, MINUTE));
    assert_eq!(send(route, at("/", HERE)).await.problem(), (500, "core.internal".into()));
}
