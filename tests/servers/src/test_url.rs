//! Where the tests' servers are.

use std::env;

use crate::{Database, Error};

/// The value of a variable whose database is not installed, so that its tests are left out.
pub const LEFT_OUT: &str = "missing";

/// Returns the address of the server that `cargo xtask test` started.
///
/// `None` if the database is not installed: the test then returns at once, and a line that says so is printed. In CI
/// that never happens.
///
/// # Errors
///
/// [`Error::Unset`] if the test runs without `cargo xtask test` or `cargo xtask services`.
pub fn test_url(database: Database) -> Result<Option<String>, Error> {
    let url = env::var(database.variable()).ok().filter(|url| !url.is_empty()).ok_or(Error::Unset(database))?;
    if url == LEFT_OUT {
        eprintln!("left out: no {} on this machine", database.name());
        return Ok(None);
    }
    Ok(Some(url))
}
