//! A commit that takes one row and inserts two, beside a transaction by hand that does the same.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use authkit_core::{
    Entity, EntityDef, Id, Lookup, Migration, Op, Scope, Step, Store, TenantId, Timestamp, Value, Write, id_type,
};
use authkit_store_sqlx::SqlxStore;
use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, MySqlConnection, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    backend::{Backend, Scratch},
    effort::Effort,
    proxy::Proxy,
    serve::{log_as_usual, runtime},
    stats,
};

/// Of both, as far from the server as they are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Commits {
    pub(crate) authkit: Landing,
    pub(crate) by_hand: Landing,
    /// Median over the pairs of how much longer authkit's takes.
    pub(crate) ratio: f64,
}

/// One commit.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Landing {
    /// Median of how long it takes.
    pub(crate) milliseconds: f64,
    /// Round trips.
    pub(crate) trips: f64,
}

/// How far the server is in each direction: not at all, and a millisecond.
const DELAYS: [Duration; 2] = [Duration::ZERO, Duration::from_millis(1)];

/// Beside each other, and apart.
pub(super) fn run(backend: Backend, effort: Effort) -> Result<[Commits; 2]> {
    log_as_usual();
    runtime()?.block_on(async {
        let scratch = Scratch::new(backend).await?;
        let mut found = Vec::new();
        for delay in DELAYS {
            found.push(compare(&scratch.url, backend, delay, effort.commits()).await?);
        }
        found.try_into().ok().context("one for each distance")
    })
}

async fn compare(url: &str, backend: Backend, delay: Duration, pairs: usize) -> Result<Commits> {
    let counting = Proxy::before(url, delay)?;
    // A server on the same machine is reached without a proxy when time is taken.
    let near = if delay.is_zero() { url } else { counting.url.as_str() };
    let trips = measure(&counting.url, backend, &|| counting.trips(), TRIALS).await?;
    let times = measure(near, backend, &|| 0, pairs).await?;
    let ratios = times.iter().map(|[own, hand]| own.milliseconds / hand.milliseconds);
    let landing = |which: fn(&[Landing; 2]) -> Landing| Landing {
        milliseconds: stats::median(times.iter().map(|pair| which(pair).milliseconds)),
        trips: stats::median(trips.iter().map(|pair| which(pair).trips)),
    };
    Ok(Commits { authkit: landing(|[own, _]| *own), by_hand: landing(|[_, hand]| *hand), ratio: stats::median(ratios) })
}

/// Commits of which round trips are counted.
const TRIALS: usize = 20;

/// Makes pairs of commits, by turns.
async fn measure(url: &str, backend: Backend, trips: &impl Fn() -> usize, pairs: usize) -> Result<Vec<[Landing; 2]>> {
    let mut own = Authkit::new(url).await?;
    let mut hand = ByHand::new(url, backend).await?;
    let mut found = Vec::with_capacity(pairs);
    for pair in 0..WARM_UP + pairs {
        let own = landing(own.commit(), trips).await?;
        let hand = landing(hand.commit(), trips).await?;
        if pair >= WARM_UP {
            found.push([own, hand]);
        }
    }
    Ok(found)
}

/// Pairs in which connections are opened and statements prepared.
const WARM_UP: usize = 10;

async fn landing(commit: impl Future<Output = Result<()>>, trips: &impl Fn() -> usize) -> Result<Landing> {
    let (before, begun) = (trips(), Instant::now());
    commit.await?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
    Ok(Landing { milliseconds, trips: (trips() - before) as f64 })
}

id_type! {
    /// One ticket or mark.
    pub(crate) struct TicketId;
}

/// What a commit takes; it leaves another for the next.
#[derive(Debug, Entity)]
#[entity(table = "bench_tickets", ephemeral)]
struct Ticket {
    id: TicketId,
    label: String,
}

/// What a commit leaves behind.
#[derive(Debug, Entity)]
#[entity(table = "bench_marks", ephemeral)]
struct Mark {
    id: TicketId,
    label: String,
}

const LABEL: &str = "one of many, with a label of a usual length";

/// Through the store.
struct Authkit {
    store: SqlxStore,
    tickets: Arc<EntityDef>,
    marks: Arc<EntityDef>,
    ticket: Uuid,
}

impl Authkit {
    async fn new(url: &str) -> Result<Self> {
        let store = SqlxStore::connect(url).await?;
        let (tickets, marks) = (Ticket::def(), Mark::def());
        let steps = [(1, tickets.clone()), (2, marks.clone())];
        let steps = steps.map(|(number, def)| Migration::new("bench", number, Step::Create(def)));
        let (tickets, marks) = (tickets.into(), marks.into());
        store.migrate(&steps, &[Arc::clone(&tickets), Arc::clone(&marks)]).await?;
        let ticket = Uuid::now_v7();
        let own = Self { store, tickets, marks, ticket };
        own.land(&[insert(&own.tickets, ticket)]).await?;
        Ok(own)
    }

    async fn commit(&mut self) -> Result<()> {
        let next = Uuid::now_v7();
        let at = Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(id(self.ticket))] };
        let take = Op { def: self.tickets.clone(), write: Write::Take { at, guards: Vec::new() } };
        self.land(&[take, insert(&self.tickets, next), insert(&self.marks, next)]).await?;
        self.ticket = next;
        Ok(())
    }

    async fn land(&self, ops: &[Op]) -> Result<()> {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let now = Timestamp::from_millis(i64::try_from(now)?);
        self.store.commit(&Scope::Tenant(TenantId::DEFAULT), ops, now).await?;
        Ok(())
    }
}

fn insert(def: &Arc<EntityDef>, row: Uuid) -> Op {
    let values = vec![Value::Id(id(row)), Value::Text(LABEL.to_owned())];
    Op { def: def.clone(), write: Write::Insert { values } }
}

fn id(uuid: Uuid) -> Id {
    Id::from_bytes(*uuid.as_bytes())
}

/// In the same tables, as a transaction of prepared statements on one connection.
struct ByHand {
    connection: Server,
    ticket: Uuid,
}

enum Server {
    Postgres(PgConnection),
    MariaDb(MySqlConnection),
}

impl ByHand {
    async fn new(url: &str, backend: Backend) -> Result<Self> {
        let ticket = Uuid::now_v7();
        let connection = match backend {
            Backend::MariaDb => {
                let mut connection = MySqlConnection::connect(url).await?;
                let insert = sqlx::query("INSERT INTO bench_tickets (tenant_id, id, label) VALUES (?, ?, ?)");
                insert.bind(Uuid::nil()).bind(ticket).bind(LABEL).execute(&mut connection).await?;
                Server::MariaDb(connection)
            }
            _ => {
                let mut connection = PgConnection::connect(url).await?;
                let insert = sqlx::query("INSERT INTO bench_tickets (tenant_id, id, label) VALUES ($1, $2, $3)");
                insert.bind(Uuid::nil()).bind(ticket).bind(LABEL).execute(&mut connection).await?;
                Server::Postgres(connection)
            }
        };
        Ok(Self { connection, ticket })
    }

    async fn commit(&mut self) -> Result<()> {
        let (tenant, next) = (Uuid::nil(), Uuid::now_v7());
        let taken = match &mut self.connection {
            Server::Postgres(connection) => {
                let mut work = connection.begin().await?;
                let take = "DELETE FROM bench_tickets WHERE tenant_id = $1 AND id = $2 RETURNING label";
                let taken =
                    sqlx::query(take).bind(tenant).bind(self.ticket).fetch_optional(&mut *work).await?.is_some();
                for insert in [
                    "INSERT INTO bench_tickets (tenant_id, id, label) VALUES ($1, $2, $3)",
                    "INSERT INTO bench_marks (tenant_id, id, label) VALUES ($1, $2, $3)",
                ] {
                    sqlx::query(insert).bind(tenant).bind(next).bind(LABEL).execute(&mut *work).await?;
                }
                work.commit().await?;
                taken
            }
            Server::MariaDb(connection) => {
                let mut work = connection.begin().await?;
                let take = "DELETE FROM bench_tickets WHERE tenant_id = ? AND id = ? RETURNING label";
                let taken =
                    sqlx::query(take).bind(tenant).bind(self.ticket).fetch_optional(&mut *work).await?.is_some();
                for insert in [
                    "INSERT INTO bench_tickets (tenant_id, id, label) VALUES (?, ?, ?)",
                    "INSERT INTO bench_marks (tenant_id, id, label) VALUES (?, ?, ?)",
                ] {
                    sqlx::query(insert).bind(tenant).bind(next).bind(LABEL).execute(&mut *work).await?;
                }
                work.commit().await?;
                taken
            }
        };
        ensure!(taken, "the ticket was gone");
        self.ticket = next;
        Ok(())
    }
}
