//! What core adds to the read of the store when it authenticates a request.

use anyhow::{Context as _, Result};
use authkit_core::{Client, Scope, TenantId};
use serde::{Deserialize, Serialize};

use crate::{
    apps::{authkit::Population, session_cookie},
    backend::Backend,
    effort::Effort,
    probe::call::{allocations, nanoseconds},
    serve::log_as_usual,
    stats,
};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CoreShare {
    /// `cx.authenticate(token)`.
    pub(crate) authenticate: Cost,
    /// The context of the request, made and dropped.
    pub(crate) context: Cost,
    /// `Store::get` with the read that `authenticate` makes.
    pub(crate) read: Cost,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) nanoseconds: f64,
    pub(crate) allocations: f64,
}

impl CoreShare {
    /// What is left of `authenticate` without the read.
    pub(crate) fn own(&self) -> Cost {
        Cost {
            nanoseconds: self.authenticate.nanoseconds - self.read.nanoseconds,
            allocations: self.authenticate.allocations - self.read.allocations,
        }
    }
}

const REPEATS: u32 = 2_000;

pub(super) fn run(effort: Effort) -> Result<CoreShare> {
    log_as_usual();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let population = runtime.block_on(Population::new(Backend::Memory))?;
    let cookie = population.cookies.first().context("nobody")?;
    let (_, token) = session_cookie(cookie)?;
    let cx = population.auth.request(Client::default());
    let scope = Scope::Tenant(TenantId::DEFAULT);
    let session = population.session(cookie)?;

    let authenticate = async || cx.authenticate(token).await.is_ok_and(|session| session.is_some());
    let context = async || population.auth.request(Client::default()).client().ip.is_none();
    let read = async || {
        let get = population.read_of(session, cx.now());
        population.store.get(&scope, &get).await.is_ok_and(|row| row.is_some())
    };

    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let [of_authenticate, of_context, of_read] = &mut times;
    for _ in 0..effort.core_rounds() {
        of_authenticate.push(nanoseconds(&runtime, REPEATS, &authenticate)?);
        of_context.push(nanoseconds(&runtime, REPEATS, &context)?);
        of_read.push(nanoseconds(&runtime, REPEATS, &read)?);
    }
    let [of_authenticate, of_context, of_read] = times.map(stats::median);
    Ok(CoreShare {
        authenticate: Cost { nanoseconds: of_authenticate, allocations: allocations(&runtime, REPEATS, &authenticate) },
        context: Cost { nanoseconds: of_context, allocations: allocations(&runtime, REPEATS, &context) },
        read: Cost { nanoseconds: of_read, allocations: allocations(&runtime, REPEATS, &read) },
    })
}
