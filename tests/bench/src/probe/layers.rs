//! Where the processor time of a request goes when a database is under it.

use anyhow::{Context as _, Result};
use authkit_core::{Client, Scope, TenantId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    apps::{self, Pooling, authkit, authkit::Population, by_hand::Rows, session_cookie},
    backend::Backend,
    effort::Effort,
    probe::call::processor_microseconds,
    serve::{Variant, log_as_usual},
    stats,
};

/// Microseconds of one call, each with what stands before it inside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Layers {
    /// By hand on connections of its own: the statement, of which the row is left as it came.
    pub(crate) statement: f64,
    /// By hand on connections of its own: the statement, and the row decoded.
    pub(crate) decoded: f64,
    /// The same in the driver's pool.
    pub(crate) pooled: f64,
    /// By hand on connections of its own: the whole request, without a network.
    pub(crate) by_hand: f64,
    /// `Store::get`.
    pub(crate) store: f64,
    /// `cx.authenticate(token)`.
    pub(crate) authenticate: f64,
    /// authkit: the whole request, without a network.
    pub(crate) authkit: f64,
}

const REPEATS: u32 = 400;

pub(super) fn run(backend: Backend, effort: Effort) -> Result<Layers> {
    log_as_usual();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let population = runtime.block_on(Population::new(backend))?;
    let own = runtime.block_on(Rows::of(&population, backend, Pooling::Own))?;
    let pooled = runtime.block_on(Rows::of(&population, backend, Pooling::Driver))?;
    let by_hand = runtime.block_on(apps::build(Variant::ByHand(backend, Pooling::Own)))?;
    let router = authkit::router(&population.auth);

    let cookie = population.cookies.first().context("nobody")?;
    let (_, token) = session_cookie(cookie)?;
    let cx = population.auth.request(Client::default());
    let scope = Scope::Tenant(TenantId::DEFAULT);
    let session = population.session(cookie)?;
    let (id, now) = (Uuid::from_bytes(*session.as_bytes()), cx.now().millis());
    let own_credential = format!("cookie: {cookie}");
    let hand_credential = by_hand.credentials.first().context("nobody")?;

    let statement = async || own.ask(id, now).await.unwrap_or(false);
    let decoded = async || own.find(id, now).await.is_ok_and(|caller| caller.is_some());
    let in_pool = async || pooled.find(id, now).await.is_ok_and(|caller| caller.is_some());
    let hand = async || apps::get(&by_hand.router, "/me", hand_credential).await.is_ok_and(|a| a.status.is_success());
    let store = async || {
        let get = population.read_of(session, cx.now());
        population.store.get(&scope, &get).await.is_ok_and(|row| row.is_some())
    };
    let authenticate = async || cx.authenticate(token).await.is_ok_and(|session| session.is_some());
    let whole = async || apps::get(&router, "/me", &own_credential).await.is_ok_and(|a| a.status.is_success());

    let mut times = [const { Vec::new() }; 7];
    for _ in 0..effort.layer_rounds() {
        let round = [
            processor_microseconds(&runtime, REPEATS, &statement)?,
            processor_microseconds(&runtime, REPEATS, &decoded)?,
            processor_microseconds(&runtime, REPEATS, &in_pool)?,
            processor_microseconds(&runtime, REPEATS, &hand)?,
            processor_microseconds(&runtime, REPEATS, &store)?,
            processor_microseconds(&runtime, REPEATS, &authenticate)?,
            processor_microseconds(&runtime, REPEATS, &whole)?,
        ];
        times.iter_mut().zip(round).for_each(|(times, time)| times.push(time));
    }
    let [statement, decoded, pooled, by_hand, store, authenticate, authkit] = times.map(stats::median);
    Ok(Layers { statement, decoded, pooled, by_hand, store, authenticate, authkit })
}
