//! A client that refreshes as often as it likes: four tabs share one jar, and what is on its way overtakes.

use std::{cmp::Reverse, ops::Range, time::Duration};

use authkit_core::{AuthManager, Clock as _, Rng as _, Timestamp};
use authkit_testkit::SeededRng;

use crate::{
    acts::{goes_on, is_refused, jwt, refresh, refresh_token, signed_in},
    world::World,
};

/// A request with this refresh token, or an answer with it, and when it arrives.
struct Flight {
    at: Timestamp,
    token: String,
    leg: Leg,
}

#[derive(Clone, Copy)]
enum Leg {
    There,
    Back,
}

struct Browser<'w> {
    world: &'w World,
    auth: &'w AuthManager,
    seed: u64,
    rng: SeededRng,
    /// The token that all tabs read and write.
    jar: String,
    /// When each tab refreshes next, whatever is still on its way. They are alike, so they are kept in order.
    tabs: [Timestamp; 4],
    /// A tab refreshes every so many milliseconds at most.
    pace: u64,
    flights: Vec<Flight>,
    /// What the application gave out, each token once.
    given: Vec<String>,
}

/// The most requests and answers that are on their way at once.
const IN_FLIGHT: usize = 6;
/// How long a way takes at most, there as well as back, in milliseconds. Two make the ten seconds that are granted.
const LONGEST_WAY: u64 = 5_000;

impl<'w> Browser<'w> {
    /// A browser in which somebody has just signed in.
    async fn open(world: &'w World, auth: &'w AuthManager, seed: u64) -> Self {
        let jar = refresh_token(&signed_in(auth).await.tokens).to_owned();
        let given = vec![jar.clone()];
        let (tabs, flights, rng) = ([world.clock.now(); 4], Vec::new(), SeededRng::new(seed));
        let mut browser = Self { world, auth, seed, rng, jar, tabs, pace: 0, flights, given };
        browser.pace = [500, 3_000, 20_000][browser.draw(3) as usize];
        browser
    }

    fn draw(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.rng.fill(&mut bytes);
        u64::from_be_bytes(bytes) % below
    }

    fn later(&self, within: u64) -> Timestamp {
        self.world.clock.now().plus(Duration::from_millis(self.draw(within)))
    }

    /// Lets the next thing happen, at its time.
    async fn step(&mut self) {
        self.tabs.sort();
        self.flights.sort_by_key(|flight| Reverse(flight.at));
        match self.flights.pop_if(|flight| flight.at <= self.tabs[0]) {
            Some(flight) => {
                self.world.clock.set(flight.at);
                self.arrive(flight).await;
            }
            None => {
                self.world.clock.set(self.tabs[0]);
                self.tabs[0] = self.later(self.pace);
                if self.flights.len() < IN_FLIGHT {
                    self.send(Leg::There, self.jar.clone());
                }
            }
        }
    }

    async fn arrive(&mut self, flight: Flight) {
        match flight.leg {
            Leg::There => {
                let Ok(next) = refresh(self.auth, &flight.token).await else {
                    panic!("signed out in history {}", self.seed);
                };
                if self.given.last() != Some(&next) {
                    self.given.push(next.clone());
                }
                self.send(Leg::Back, next);
            }
            // As a late `Set-Cookie` does: it takes the place of whatever came in the meantime.
            Leg::Back => self.jar = flight.token,
        }
    }

    /// Sends a message, which may be lost.
    fn send(&mut self, leg: Leg, token: String) {
        if self.draw(8) != 0 {
            self.flights.push(Flight { at: self.later(LONGEST_WAY), token, leg });
        }
    }
}

async fn check_histories(seeds: Range<u64>, steps: u32) {
    let world = World::new();
    let auth = world.node(jwt()).await;
    for seed in seeds {
        let mut browser = Browser::open(&world, &auth, seed).await;
        for _ in 0..steps {
            browser.step().await;
        }
        assert!(goes_on(&auth, &browser.jar).await, "signed out in history {seed}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_answers_is_never_signed_out() {
    check_histories(0..5_000, 60).await;
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_answers_is_never_signed_out_in_other_histories() {
    check_histories(5_000..10_000, 60).await;
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_answers_is_never_signed_out_in_long_histories() {
    check_histories(10_000..10_012, 3_000).await;
}

#[tokio::test]
async fn a_copy_that_such_a_client_left_behind_ends_the_session_of_both() {
    let world = World::new();
    let auth = world.node(jwt()).await;
    for seed in 0..100 {
        let mut browser = Browser::open(&world, &auth, seed).await;
        for _ in 0..20 {
            browser.step().await;
        }
        let (copy, given) = (browser.jar.clone(), browser.given.len());
        while browser.given.len() < given + 3 {
            browser.step().await;
        }
        assert!(is_refused(&auth, &copy).await, "the copy works in history {seed}");
        for token in &browser.given {
            assert!(is_refused(&auth, token).await, "the session goes on in history {seed}");
        }
    }
}
