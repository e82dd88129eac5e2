//! A process that is killed while it commits.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::Arc,
};

use authkit_store_sqlx::SqlxStore;
use authkit_testkit::{commit_until_killed, verify_after_kill};

use crate::world::Place;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_commits_outlive_a_killed_process() {
    for rounds in [1, 7, 60] {
        let place = Place::new();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "crash::commits_until_it_is_killed", "--ignored", "--nocapture"])
            .env(URL, place.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let numbers = lines.filter_map(|line| line.unwrap().strip_prefix(ACKNOWLEDGED)?.parse::<u64>().ok());
        let mut numbers = numbers.peekable();
        let mut last = numbers.find(|number| *number >= rounds).expect("the child commits");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had reported before it died.
        last = numbers.last().unwrap_or(last);
        verify_after_kill(Arc::new(place.store().await), last).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test that kills it"]
async fn commits_until_it_is_killed() {
    #[expect(clippy::disallowed_methods, reason = "handed over by the test that started this process")]
    let url = env::var(URL).unwrap();
    let store = SqlxStore::connect(&url).await.unwrap();
    println!();
    commit_until_killed(Arc::new(store), |number| println!("{ACKNOWLEDGED}{number}")).await;
}

const URL: &str = "AUTHKIT_CRASH_TEST_URL";
const ACKNOWLEDGED: &str = "acknowledged ";
