//! A copy of a refresh token in the hands of a thief. Neither the thief nor the owner knows of the other.

use std::{ops::Range, time::Duration};

use authkit_core::{AuthManager, Clock as _, Rng as _};
use authkit_testkit::SeededRng;

use crate::{
    acts::{goes_on, installation, is_refused, jwt, refresh, refresh_token, signed_in},
    world::World,
};

/// A token that was made so long ago is followed by another.
const GRACE: Duration = Duration::from_secs(10);

/// One of the two who hold copies.
struct Holder {
    token: String,
    /// How often the newest token was followed by another since this one came.
    behind: u32,
}

/// Lets both refresh at random until the session ends; whether it did.
async fn ends(world: &World, auth: &AuthManager, seed: u64) -> bool {
    let rng = SeededRng::new(seed);
    let draw = |below: u64| {
        let mut bytes = [0; 8];
        rng.fill(&mut bytes);
        u64::from_be_bytes(bytes) % below
    };
    let mut newest = refresh_token(&signed_in(auth).await.tokens).to_owned();
    let mut followed_at = world.clock.now();
    let mut holders = [0, 0].map(|behind| Holder { token: newest.clone(), behind });
    for _ in 0..200 {
        world.clock.advance(Duration::from_millis(draw(30_000)));
        let now = world.clock.now();
        let [one, other] = &mut holders;
        let (holder, other) = if draw(2) == 0 { (one, other) } else { (other, one) };
        let graced = holder.behind == 2 && now.since(followed_at) < GRACE;
        let Ok(next) = refresh(auth, &holder.token).await else {
            assert!(holder.behind >= 2 && !graced, "ended too early in history {seed}");
            for token in [&holder.token, &other.token, &newest] {
                assert!(is_refused(auth, token).await, "goes on in history {seed}");
            }
            return true;
        };
        assert!(holder.behind < 2 || graced, "ended too late in history {seed}");
        if next != newest {
            other.behind += 1;
            followed_at = now;
            newest.clone_from(&next);
        }
        *holder = Holder { token: next, behind: 0 };
    }
    false
}

async fn check_histories(seeds: Range<u64>) {
    let world = World::new();
    let auth = world.node(jwt()).await;
    for seed in seeds {
        assert!(ends(&world, &auth, seed).await, "nobody fell behind in history {seed}");
    }
}

#[tokio::test]
async fn whoever_falls_two_tokens_behind_ends_the_session_of_both() {
    check_histories(0..500).await;
}

/// The weakness that is stated.
#[tokio::test]
async fn a_thief_who_never_falls_two_tokens_behind_is_taken_for_a_second_tab() {
    let (world, auth, first) = installation().await;
    let mut owner = refresh_token(&first.tokens).to_owned();
    let mut thief = owner.clone();
    for _ in 0..100 {
        world.clock.advance(GRACE);
        owner = refresh(&auth, &owner).await.unwrap();
        world.clock.advance(GRACE);
        thief = refresh(&auth, &thief).await.unwrap();
    }
    assert!(goes_on(&auth, &owner).await && goes_on(&auth, &thief).await);
}
