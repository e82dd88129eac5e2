use std::{
    future::Future,
    pin::{Pin, pin},
    sync::mpsc,
    task::{Context, Poll, Waker},
};

use super::*;
use crate::hash::Argon2Params;

const ADA: ClientKey = ClientKey(1);
const BOB: ClientKey = ClientKey(2);

fn config() -> PoolConfig {
    PoolConfig::default().scheme(Argon2Params::dangerously_weak(32, 1, 1).unwrap()).threads(1)
}

fn pool(config: PoolConfig) -> HashPool {
    HashPool::new(config).unwrap()
}

fn password(text: &str) -> PlainPassword {
    PlainPassword::parse(text.to_owned()).unwrap()
}

/// Work that tells the test that it ran.
fn tell<T>(ran: &mpsc::Sender<T>, name: T) -> Result<(), HashError> {
    ran.send(name).unwrap();
    Ok(())
}

/// Polls once, which submits the job.
fn submit<F: Future>(job: Pin<&mut F>) -> Poll<F::Output> {
    job.poll(&mut Context::from_waker(Waker::noop()))
}

/// Keeps the only thread of a pool busy until the gate is opened.
struct Gate(mpsc::Sender<()>);

impl Gate {
    fn shut(pool: &HashPool) -> Self {
        let (open, opened) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        let (reply, _) = oneshot::channel::<Result<(), HashError>>();
        pool.shared.push(ClientKey(0), Box::new(Wanted { opened, begun, reply })).unwrap();
        has_begun.recv().unwrap();
        Self(open)
    }

    fn open(self) {
        self.0.send(()).unwrap();
    }
}

struct Wanted {
    opened: mpsc::Receiver<()>,
    begun: mpsc::Sender<()>,
    reply: oneshot::Sender<Result<(), HashError>>,
}

impl Job for Wanted {
    fn is_wanted(&self) -> bool {
        true
    }

    fn run(self: Box<Self>, _memory: &mut Memory) {
        self.begun.send(()).unwrap();
        self.opened.recv().unwrap();
        drop(self.reply);
    }
}

#[tokio::test]
async fn hash_is_verified() {
    let pool = pool(config().threads(2));
    let phc = pool.hash(ADA, &password("pass"), [7; SALT_BYTES]).await.unwrap();
    assert!(phc.starts_with("$argon2id$v=19$m=32,t=1,p=1$"));
    let right = pool.verify(ADA, &password("pass"), &phc).await.unwrap();
    assert_eq!(right, Verification::Match { rehash: false });
    let wrong = pool.verify(ADA, &password("Pass"), &phc).await.unwrap();
    assert_eq!(wrong, Verification::Mismatch);
    let unknown = pool.verify(ADA, &password("pass"), &pool.scheme().decoy()).await.unwrap();
    assert_eq!(unknown, Verification::Mismatch);
    assert!(matches!(pool.verify(ADA, &password("pass"), "corrupt").await, Err(HashError::Corrupt)));
}

#[tokio::test]
async fn full_share_is_busy_for_that_client_only() {
    let pool = pool(config().waiting(8).waiting_per_client(2));
    let gate = Gate::shut(&pool);
    let pass = password("pass");
    let mut first = pin!(pool.hash(ADA, &pass, [1; SALT_BYTES]));
    let mut second = pin!(pool.hash(ADA, &pass, [2; SALT_BYTES]));
    let mut other = pin!(pool.hash(BOB, &pass, [3; SALT_BYTES]));
    assert!(submit(first.as_mut()).is_pending() && submit(second.as_mut()).is_pending());

    let refused = pool.hash(ADA, &pass, [4; SALT_BYTES]).await;
    let Err(HashError::Busy { retry_after }) = refused else { panic!("{refused:?}") };
    assert_eq!(retry_after, MIN_RETRY_AFTER);
    assert!(submit(other.as_mut()).is_pending());

    gate.open();
    first.await.unwrap();
    second.await.unwrap();
    other.await.unwrap();
}

#[tokio::test]
async fn full_queue_is_busy_for_everyone() {
    let pool = pool(config().waiting(1));
    let gate = Gate::shut(&pool);
    let pass = password("pass");
    let mut first = pin!(pool.hash(ADA, &pass, [1; SALT_BYTES]));
    assert!(submit(first.as_mut()).is_pending());
    assert!(matches!(pool.hash(BOB, &pass, [2; SALT_BYTES]).await, Err(HashError::Busy { .. })));
    gate.open();
    first.await.unwrap();
}

#[tokio::test]
async fn dropped_future_gives_its_place_back_and_is_never_run() {
    let pool = pool(config().waiting(2).waiting_per_client(2));
    let gate = Gate::shut(&pool);
    let (ran, has_run) = mpsc::channel();
    for name in ["first", "second"] {
        let ran = ran.clone();
        let mut gone = Box::pin(pool.run(ADA, move |_| tell(&ran, name)));
        assert!(submit(gone.as_mut()).is_pending());
    }
    let mut third = pin!(pool.run(ADA, move |_| tell(&ran, "third")));
    assert!(submit(third.as_mut()).is_pending());
    gate.open();
    third.await.unwrap();
    assert_eq!(has_run.iter().collect::<Vec<_>>(), ["third"]);
}

#[tokio::test]
async fn job_of_a_gone_client_is_skipped() {
    let pool = pool(config());
    let gate = Gate::shut(&pool);
    let (ran, has_run) = mpsc::channel();
    let mut gone = Box::pin(pool.run(ADA, move |_| tell(&ran, ())));
    assert!(submit(gone.as_mut()).is_pending());
    drop(gone);
    gate.open();
    pool.run(ADA, |_| Ok(())).await.unwrap();
    assert!(has_run.recv().is_err());
}

#[tokio::test]
async fn panic_fails_one_job_and_the_thread_goes_on() {
    let pool = pool(config());
    let failed: Result<(), _> = pool.run(ADA, |_| panic!("a job that panics on purpose")).await;
    assert!(matches!(failed, Err(HashError::Failed(_))));
    pool.hash(ADA, &password("pass"), [1; SALT_BYTES]).await.unwrap();
}

#[tokio::test]
async fn clients_are_served_in_turn() {
    let pool = pool(config().waiting(8).waiting_per_client(4));
    let gate = Gate::shut(&pool);
    let (ran, has_run) = mpsc::channel();
    let mut jobs = Vec::new();
    for (client, name) in [(ADA, "a1"), (ADA, "a2"), (ADA, "a3"), (BOB, "b1")] {
        let ran = ran.clone();
        let mut job = Box::pin(pool.run(client, move |_| tell(&ran, name)));
        assert!(submit(job.as_mut()).is_pending());
        jobs.push(job);
    }
    gate.open();
    for job in jobs {
        job.await.unwrap();
    }
    drop(ran);
    assert_eq!(has_run.iter().collect::<Vec<_>>(), ["a1", "b1", "a2", "a3"]);
}

#[test]
fn dropping_the_pool_ends_its_threads() {
    let pool = pool(config().threads(3));
    let shared = Arc::downgrade(&pool.shared);
    drop(pool);
    assert!(shared.upgrade().is_none());
}

#[test]
fn close_fails_waiting_jobs() {
    let pool = pool(config());
    let gate = Gate::shut(&pool);
    let mut waiting = pin!(pool.run(ADA, |_| Ok(())));
    assert!(submit(waiting.as_mut()).is_pending());
    pool.shared.close();
    assert!(matches!(submit(waiting.as_mut()), Poll::Ready(Err(HashError::Failed(_)))));
    gate.open();
}

#[test]
fn delay_follows_queue_and_job_time_within_bounds() {
    let shared = Shared::new(&config().threads(2));
    for (waiting, job_millis, seconds) in [(0, 1000, 1.0), (10, 1000, 5.0), (5, 500, 1.25), (100, 60_000, 30.0)] {
        let mut state =
            State { jobs: FairQueue::new(256, 256), job_time: Duration::from_millis(job_millis), phase: Phase::Open };
        for _ in 0..waiting {
            let (reply, _) = oneshot::channel::<Result<(), HashError>>();
            state.jobs.push(ADA, Box::new(Ticket { work: |_: &mut Memory| Ok(()), reply }));
        }
        assert_eq!(shared.retry_after(&state), Duration::from_secs_f64(seconds));
    }
}

#[test]
fn average_moves_by_an_eighth() {
    let shared = Shared::new(&config());
    shared.record(FIRST_JOB_TIME * 9);
    assert_eq!(shared.lock().job_time, FIRST_JOB_TIME * 2);
}

#[test]
fn every_number_out_of_range_is_told() {
    let error = HashPool::new(config().threads(65).waiting(0).waiting_per_client(0)).unwrap_err();
    let PoolError::Config(problems) = &error else { panic!("{error:?}") };
    assert_eq!(*problems, [PoolProblem::Threads, PoolProblem::Waiting, PoolProblem::WaitingPerClient]);
    assert_eq!(PoolConfig::default().share(), 32);
}

#[test]
fn equal_prefixes_have_equal_keys() {
    assert_eq!(ClientKey::of("192.0.2.0/24"), ClientKey::of(b"192.0.2.0/24"));
    assert_ne!(ClientKey::of("192.0.2.0/24"), ClientKey::of("198.51.100.0/24"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn threads_run_at_niceness_ten() {
    let pool = pool(config());
    let stat = pool.run(ADA, |_| Ok(std::fs::read_to_string("/proc/thread-self/stat").unwrap())).await.unwrap();
    // proc_pid_stat(5): after the name in brackets, field 19 is the niceness.
    let niceness = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap();
    assert_eq!(niceness, "10");
}
