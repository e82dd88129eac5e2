//! Where the system gives no randomness, nothing is made without it: the act stops, and nothing of it is left.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use authkit_core::Rng;
use authkit_testkit::SeededRng;
use end_to_end::{Answer, OTHER_PASSWORD, PASSWORD, World, change, on_each_store};
use serde_json::{Value as JsonValue, json};
use tokio::task::JoinError;

const ADA: &str = "ada@example.com";
/// So many draws that no act ends before.
const ENOUGH: usize = usize::MAX;

/// Randomness that fails after some draws, as the operating system's does: it panics.
#[derive(Clone)]
struct Dry {
    seeded: SeededRng,
    left: Arc<AtomicUsize>,
}

impl Dry {
    fn new() -> Self {
        Self { seeded: SeededRng::new(7), left: Arc::new(AtomicUsize::new(ENOUGH)) }
    }

    /// Gives so much more and then no more.
    fn after(&self, draws: usize) {
        self.left.store(draws, Ordering::Relaxed);
    }
}

impl Rng for Dry {
    fn fill(&self, buffer: &mut [u8]) {
        let less = |left: usize| left.checked_sub(1);
        let drawn = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        assert!(drawn.is_ok(), "there is no randomness");
        self.seeded.fill(buffer);
    }
}

/// What an act could leave behind.
async fn traces(world: &World) -> Vec<Vec<JsonValue>> {
    let mut traces = Vec::new();
    for table in ["auth_principals", "auth_passwords", "auth_sessions", "auth_audit_log"] {
        traces.push(world.rows(table, "id").await);
    }
    traces
}

/// The act fails at each of its draws, one after the other, leaves nothing, and then is done.
async fn stops(world: &Arc<World>, rng: &Dry, act: impl AsyncFn(Arc<World>) -> Result<Answer, JoinError>) -> usize {
    for draws in 0..100 {
        let before = traces(world).await;
        rng.after(draws);
        let answer = act(world.clone()).await;
        rng.after(ENOUGH);
        match answer {
            Ok(answer) if answer.status < 300 => return draws,
            Ok(answer) => {
                assert_eq!((answer.status, answer.code()), (500, "core.internal".to_owned()), "draw {draws}");
                assert!(!answer.headers.contains_key("set-cookie"), "draw {draws}");
            }
            // Outside of an operation the server drops the connection.
            Err(error) => assert!(error.is_panic(), "draw {draws}"),
        }
        assert_eq!(traces(world).await, before, "draw {draws}");
    }
    panic!("the act is never done");
}

on_each_store! {
    async fn without_randomness_nobody_signs_up_in_or_changes_a_password(backend) {
        let rng = Dry::new();
        let world = Arc::new(World::builder(backend).rng(rng.clone()).build().await);
        let body = json!({ "identifier": ADA, "password": PASSWORD });
        let sign_up = async |world: Arc<World>| {
            let body = body.clone();
            tokio::spawn(async move { world.browser().post("/v1/auth/signup", body).await }).await
        };
        assert!(stops(&world, &rng, sign_up).await >= 3, "a salt, a session, a token");
        let login = async |world: Arc<World>| {
            tokio::spawn(async move { world.browser().login(ADA, PASSWORD).await }).await
        };
        assert!(stops(&world, &rng, login).await >= 2, "a session, a token");
        let cookies = world.signed_in(ADA).await.cookies.clone();
        let changing = async |world: Arc<World>| {
            let cookies = cookies.clone();
            let act = async move {
                let mut browser = world.browser();
                browser.cookies = cookies;
                browser.post("/v1/account/change-password", change(PASSWORD, OTHER_PASSWORD)).await
            };
            tokio::spawn(act).await
        };
        assert!(stops(&world, &rng, changing).await >= 1, "a salt");
        assert_eq!(world.browser().login(ADA, OTHER_PASSWORD).await.status, 200);
    }
}
