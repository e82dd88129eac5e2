//! Work that no request waits for.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    Entity,
    audit::TurnedAway,
    batch::EphemeralBatch,
    collection::{At, Collection},
    context::RequestContext,
    engine::Engine,
    entity::Def,
    error::{AuthError, codes},
    id::TenantId,
    id_type,
    outbox::Outbox,
    store::Store,
    timestamp::Timestamp,
};

/// Work that is done again and again, by one node at a time.
///
/// # Examples
///
/// Something that is done once an hour, by one node:
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use async_trait::async_trait;
/// use authkit_core::{AuthError, Registrar, RequestContext, Task};
///
/// struct CloseOrders;
///
/// #[async_trait]
/// impl Task for CloseOrders {
///     async fn run(&self, cx: &RequestContext) -> Result<(), AuthError> {
///         tracing::info!(now = %cx.now(), "orders of yesterday are closed");
///         Ok(())
///     }
/// }
///
/// fn register(registrar: &mut Registrar<'_>) {
///     registrar.job("shop.close_orders", Duration::from_secs(3600), Arc::new(CloseOrders));
/// }
/// ```
#[async_trait]
pub trait Task: Send + Sync + 'static {
    /// Does a bounded amount of work; may be dropped at any `await`, and done again by another node.
    ///
    /// The context is of the default tenant, without a client.
    ///
    /// # Errors
    ///
    /// Errors are logged; the next turn tries again.
    async fn run(&self, cx: &RequestContext) -> Result<(), AuthError>;
}

const _: fn(&dyn Task) = |_| ();

/// A task, and how often it is done.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) id: &'static str,
    pub(crate) every: Duration,
    pub(crate) task: Arc<dyn Task>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({} every {:?})", self.id, self.every)
    }
}

id_type! {
    /// One job.
    pub(crate) struct JobId;
}

/// When a job is due next. Whoever moves it forward has the turn.
#[derive(Debug, Entity)]
#[entity(table = "auth_jobs", ephemeral, global, unique(by_name: name))]
pub(crate) struct JobRow {
    id: JobId,
    name: String,
    due_at: Timestamp,
}

/// How long the jobs rest between two looks at what is due.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// The longest time that one delivery or task may take; a lease on a message is as long.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// Removes expired rows of every tenant.
pub(crate) struct Sweep {
    pub(crate) tables: Vec<(Def, Arc<dyn Store>)>,
}

/// The most rows that one call removes, so that it never holds the store for long.
const SWEPT: usize = 1000;
/// The most calls per table and turn.
const ROUNDS: usize = 100;

#[async_trait]
impl Task for Sweep {
    async fn run(&self, cx: &RequestContext) -> Result<(), AuthError> {
        for (def, store) in &self.tables {
            for _ in 0..ROUNDS {
                let removed = store.sweep(def, cx.now(), SWEPT).await?;
                tracing::debug!(table = def.table, removed, "expired rows were removed");
                if removed < SWEPT as u64 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Does everything that is due now, once.
///
/// `limit` ends after the longest time that one delivery or task may take: whoever hangs must not hold up the others.
pub(crate) async fn run_due<L: Fn() -> F, F: Future<Output = ()>>(engine: &Arc<Engine>, limit: &L) {
    let cx = engine.context(TenantId::DEFAULT);
    if let Err(error) = TurnedAway::flush(&cx).await {
        tracing::warn!(?error, "what was turned away could not be recorded");
    }
    if let Err(error) = Outbox::deliver(&cx, limit).await {
        tracing::warn!(?error, "the outbox could not be read");
    }
    for job in &engine.jobs {
        let cx = engine.context(TenantId::DEFAULT);
        match claim(&cx, &engine.job_rows, job).await {
            Ok(false) => {}
            Ok(true) => match within(job.task.run(&cx), limit()).await {
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::warn!(job = job.id, ?error, "a job failed"),
                None => tracing::warn!(job = job.id, "a job took too long and was dropped"),
            },
            Err(error) => tracing::warn!(job = job.id, ?error, "a job could not be claimed"),
        }
    }
}

/// What the work comes to; none if the limit ends first, and the work is dropped.
pub(crate) async fn within<T>(work: impl Future<Output = T>, limit: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut limit) = (pin!(work), pin!(limit));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// Whether this node has the turn. A node that dies leaves the job to the next turn.
async fn claim(cx: &RequestContext, rows: &Collection<JobRow>, job: &Job) -> Result<bool, AuthError> {
    let next = cx.now().plus(job.every);
    let mut batch = EphemeralBatch::new(cx);
    match rows.get(cx, At::key(JobRow::by_name, (job.id.to_owned(),))).await? {
        Some(row) if row.due_at > cx.now() => return Ok(false),
        Some(row) => {
            batch
                .update(rows, At::id(row.id), [JobRow::due_at.eq(row.due_at)], [JobRow::due_at.set(next)])
                .or(&codes::CONFLICT);
        }
        None => {
            let row = JobRow { id: cx.new_id(), name: job.id.to_owned(), due_at: next };
            batch.insert(rows, row).or(&codes::CONFLICT);
        }
    }
    match cx.commit_ephemeral(batch).await {
        Ok(_) => Ok(true),
        Err(error) if *error.code() == codes::CONFLICT => Ok(false),
        Err(error) => Err(error),
    }
}
