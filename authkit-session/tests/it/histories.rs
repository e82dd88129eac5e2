//! Two tabs share what the browser keeps, and the network loses and delays what it likes.

use std::{ops::Range, time::Duration};

use authkit_core::{AuthManager, Clock as _, Rng as _, Timestamp};
use authkit_testkit::SeededRng;

use crate::{
    acts::{goes_on, jwt, refresh_token, signed_in},
    world::{World, bearer},
};

/// What becomes of one request.
enum Message {
    /// It is on its way to the server, with this refresh token.
    Request(String),
    /// The answer is on its way back: the next refresh token, and when the access token expires.
    Answer(String, Timestamp),
    /// It was lost, on the way there or back; the tab has not noticed yet.
    Lost,
}

/// What a tab waits for, and when it comes.
struct Flight {
    at: Timestamp,
    message: Message,
}

/// One browser whose two tabs refresh on their own.
struct Browser {
    auth: AuthManager,
    /// What both tabs read and write: refresh token, and when the access token expires.
    kept: (String, Timestamp),
    tabs: [Option<Flight>; 2],
    rng: SeededRng,
}

/// How long a tab waits for an answer; no message is on its way for longer.
const PATIENCE: u64 = 5_000;
/// A tab refreshes so long before the access token expires.
const AHEAD: Duration = Duration::from_secs(60);

impl Browser {
    fn draw(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.rng.fill(&mut bytes);
        u64::from_be_bytes(bytes) % below
    }

    /// On its way for up to half of what a tab waits, or lost.
    fn send(&self, now: Timestamp, message: Message) -> Flight {
        if self.draw(4) == 0 {
            return Flight { at: now.plus(Duration::from_millis(PATIENCE)), message: Message::Lost };
        }
        Flight { at: now.plus(Duration::from_millis(self.draw(PATIENCE / 2))), message }
    }

    /// Lets a tab do what it has to do now.
    async fn turn(&mut self, tab: usize, now: Timestamp) {
        let Some(flight) = self.tabs[tab].take() else {
            if now >= self.kept.1.minus(AHEAD) {
                self.tabs[tab] = Some(self.send(now, Message::Request(self.kept.0.clone())));
            }
            return;
        };
        self.tabs[tab] = match flight.message {
            message if flight.at > now => Some(Flight { at: flight.at, message }),
            Message::Lost => None,
            Message::Answer(token, expires_at) => {
                self.kept = (token, expires_at);
                None
            }
            Message::Request(token) => {
                let next = bearer(&self.auth).refresh(&token).await.expect("nobody is signed out");
                let answer = Message::Answer(refresh_token(&next.tokens).to_owned(), next.tokens.expires_at);
                Some(self.send(now, answer))
            }
        };
    }
}

async fn check_history(seed: u64, world: &World, auth: &AuthManager) {
    let first = signed_in(auth).await;
    let kept = (refresh_token(&first.tokens).to_owned(), first.tokens.expires_at);
    let mut browser = Browser { auth: auth.clone(), kept, tabs: [None, None], rng: SeededRng::new(seed) };
    for _ in 0..60 {
        let idle = browser.tabs.iter().all(Option::is_none);
        let wait = if idle { 1_000 * browser.draw(900) } else { browser.draw(1_000) };
        world.clock.advance(Duration::from_millis(wait));
        let now = world.clock.now();
        let start = browser.draw(2) as usize;
        for tab in [start, 1 - start] {
            browser.turn(tab, now).await;
        }
    }
    assert!(goes_on(auth, &browser.kept.0).await, "seed {seed}");
}

async fn check_histories(seeds: Range<u64>) {
    let world = World::new();
    let auth = world.node(jwt()).await;
    for seed in seeds {
        check_history(seed, &world, &auth).await;
    }
}

#[tokio::test]
async fn two_tabs_that_lose_answers_are_never_signed_out() {
    check_histories(0..5_000).await;
}

#[tokio::test]
async fn two_tabs_that_lose_answers_are_never_signed_out_in_other_histories() {
    check_histories(5_000..10_000).await;
}
