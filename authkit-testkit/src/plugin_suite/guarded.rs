//! A future that panics, told apart from a test that fails.

use std::{
    fmt::{self, Write as _},
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
};

/// Runs an act; if it panics, so does this, with the words that say what was being done.
pub(crate) async fn guarded<F: Future>(what: &str, act: F) -> F::Output {
    let mut act = pin!(act);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| act.as_mut().poll(cx))) {
        Ok(poll) => poll,
        Err(panic) => {
            let message = panic.downcast_ref::<&'static str>().map(ToString::to_string);
            let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            panic!("{what} panics: {message}")
        }
    })
    .await
}

/// The beginning of what a value is as text, for messages of tests.
pub(crate) fn shown(value: &impl fmt::Display) -> String {
    let mut beginning = Beginning(String::new());
    match write!(beginning, "{value}") {
        Ok(()) => beginning.0,
        Err(fmt::Error) => format!("{}…", beginning.0),
    }
}

/// Takes a line of text and refuses what follows: the values of these tests are long.
struct Beginning(String);

impl fmt::Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = 200_usize.saturating_sub(self.0.len());
        self.0.extend(text.chars().take(room));
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}
