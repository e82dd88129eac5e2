//! A database server dies by `kill -9` while many write, comes back, and everything has to be as it was answered.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where something is not as expected")]

mod house;
mod vouchers;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use authkit_core::{AuthError, codes};
use servers::{Database, Durability, Server};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    house::{Family, House, WRITERS},
    vouchers::VoucherId,
};

/// At how many points of the load each server is killed.
const POINTS: usize = 50;
/// How many vouchers are spent in the load of one point, each by every spender.
const VOUCHERS: usize = 32;
/// How many of them are left when the server is about to be killed, at least.
const LEFT: usize = 8;
const SPENDERS: usize = 4;
const FAMILIES: usize = 2;
/// How often a client asks that hears that it may try again: once more than the application has connections that write.
const MOST_TRIES: usize = WRITERS + 1;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgresql_loses_nothing_that_was_answered() {
    survives(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mariadb_loses_nothing_that_was_answered() {
    survives(Database::MariaDb).await;
}

async fn survives(database: Database) {
    let Some(_) = servers::test_url(database).expect("run by cargo xtask test") else { return };
    let mut server = Server::start(database, Durability::Durable).expect("a server");
    let house = Arc::new(House::new(&server.url()).await);
    let mut cut_short = 0;
    let mut everything: (Vec<VoucherId>, Vec<usize>) = Default::default();
    let mut all_families = Vec::new();
    for point in 0..POINTS {
        let vouchers = house.make_vouchers(VOUCHERS).await;
        let mut families = Vec::new();
        for _ in 0..FAMILIES {
            families.push(house.sign_in().await);
        }

        let spent = Arc::new(vouchers.iter().map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
        let (answered, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut spenders = JoinSet::new();
        for _ in 0..SPENDERS {
            let (house, vouchers, spent, answered) = (house.clone(), vouchers.clone(), spent.clone(), answered.clone());
            spenders.spawn(async move {
                for (voucher, count) in vouchers.iter().zip(spent.iter()) {
                    if house.spend(*voucher).await.is_ok() {
                        count.fetch_add(1, Ordering::SeqCst);
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let mut refreshers = JoinSet::new();
        for family in families {
            let (house, over) = (house.clone(), over.clone());
            refreshers.spawn(async move { refresh_until(&house, family, &over).await });
        }

        // Points are spread over the load, and over what a server does for one commit.
        while answered.load(Ordering::SeqCst) < point % (VOUCHERS - LEFT) && !spenders.is_empty() {
            tokio::task::yield_now().await;
        }
        let until = tokio::time::Instant::now() + Duration::from_micros(37 * point as u64);
        while tokio::time::Instant::now() < until {
            tokio::task::yield_now().await;
        }
        server.kill().expect("killed");
        cut_short += usize::from(answered.load(Ordering::SeqCst) < VOUCHERS);
        over.store(true, Ordering::SeqCst);
        finish(spenders).await;
        let families = finish(refreshers).await;
        server.restart().expect("the server comes back");

        house.revived().await;
        let spent: Vec<_> = spent.iter().map(|count| count.load(Ordering::SeqCst)).collect();
        house.check_vouchers(&vouchers, &spent).await;
        house.check_families(&families).await;
        for family in &families {
            let next = refreshed(&house, &family.token).await;
            assert!(next.is_ok(), "point {point}: a client that lost a response was logged out: {next:?}");
        }
        everything.0.extend(vouchers.iter());
        everything.1.extend(spent);
        all_families.extend(families);
    }
    // Nor did a later kill take anything.
    house.check_vouchers(&everything.0, &everything.1).await;
    house.check_families(&all_families).await;
    assert!(cut_short >= POINTS * 3 / 4, "the server was killed in the middle of only {cut_short} loads");
}

/// Refreshes as a client does that keeps its token until it has the next one.
async fn refresh_until(house: &House, mut family: Family, over: &AtomicBool) -> Family {
    while !over.load(Ordering::SeqCst) {
        if let Ok(token) = house.refresh(&family.token).await {
            family.answered += 1;
            family.token = token;
        }
    }
    family
}

/// Refreshes as a client does that repeats what a server could not answer, which a connection of before may still cause.
async fn refreshed(house: &House, token: &str) -> Outcome<String> {
    let mut tries = 1;
    loop {
        match house.refresh(token).await {
            Err(error) if tries < MOST_TRIES && error.code() == &codes::UNAVAILABLE => tries += 1,
            result => return result,
        }
    }
}

async fn finish<T: 'static>(tasks: JoinSet<T>) -> Vec<T> {
    timeout(Duration::from_secs(60), tasks.join_all()).await.expect("no call waits for a dead server for ever")
}

/// What a call came to.
type Outcome<T> = Result<T, AuthError>;
