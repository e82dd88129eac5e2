//! What the sessions of an application's pool have to be.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, MySqlConnection, Row as _};

use crate::{
    driver::Failure,
    error::{Fault, LEFT_OPEN},
    mysql::{
        Flavour,
        error::{failure, is_in_transaction},
    },
};

/// Asks a session what it is set to: a commit, a row or a value could be lost where it is not as demanded.
#[derive(Debug)]
pub(super) struct Demands {
    text: Arc<str>,
    faults: Vec<&'static str>,
}

impl Demands {
    /// The demands, in words that a server of this version understands.
    pub(super) fn of(flavour: Flavour, version: [u32; 3]) -> Self {
        let named_tx = flavour == Flavour::MariaDb && version < [11, 1, 1];
        let variable = |name| format!("@@{}_{name}", if named_tx { "tx" } else { "transaction" });
        let of_transactions = [
            (format!("{} = 0", variable("read_only")), "only read; set transaction_read_only = 0"),
            (
                format!("{} <> 'READ-UNCOMMITTED'", variable("isolation")),
                "read what others have not committed; set transaction_isolation to READ-COMMITTED",
            ),
        ];
        let mut demands: Vec<_> = ALWAYS.iter().map(|(condition, fault)| ((*condition).to_owned(), *fault)).collect();
        demands.extend(of_transactions);
        let conditions: Vec<&str> = demands.iter().map(|(condition, _)| condition.as_str()).collect();
        let text = format!("{FAILS_IN_TRANSACTION}; SELECT {}, DATABASE()", conditions.join(", ")).into();
        Self { text, faults: demands.into_iter().map(|(_, fault)| fault).collect() }
    }

    /// Refuses a session that is set up in another way; returns the database that it uses.
    pub(super) async fn database(&self, connection: &mut MySqlConnection) -> Result<Option<String>, Failure> {
        let text = AssertSqlSafe(Arc::clone(&self.text));
        let row = match sqlx::raw_sql(text).fetch_one(connection).await {
            Err(error) if is_in_transaction(&error) => return Err(Fault::refusal(LEFT_OPEN)),
            answered => answered.map_err(failure)?,
        };
        for (at, fault) in self.faults.iter().enumerate() {
            if row.try_get_unchecked::<i64, _>(at).map_err(failure)? != 1 {
                return Err(Fault::refusal(fault));
            }
        }
        row.try_get_unchecked(self.faults.len()).map_err(failure)
    }

    /// Refuses also a session that uses another database.
    pub(super) async fn inspect(
        &self,
        connection: &mut MySqlConnection,
        taken_over: Option<&str>,
    ) -> Result<(), Failure> {
        if self.database(connection).await?.as_deref() != taken_over {
            return Err(Fault::refusal(OTHER_DATABASE));
        }
        Ok(())
    }
}

/// Conditions, and what sessions do that do not meet them.
const ALWAYS: [(&str, &str); 8] = [
    ("@@autocommit = 1", "do not commit what is written, and read what was once true; set autocommit = 1"),
    ("@@completion_type = 'NO_CHAIN'", "begin another transaction at each commit; set completion_type = 'NO_CHAIN'"),
    ("@@foreign_key_checks = 1", "do not enforce foreign keys; set foreign_key_checks = 1"),
    ("@@unique_checks = 1", "may not find what is there twice; set unique_checks = 1"),
    (
        "FIND_IN_SET('STRICT_ALL_TABLES', @@sql_mode) OR FIND_IN_SET('STRICT_TRANS_TABLES', @@sql_mode)",
        "cut off what does not fit; add STRICT_ALL_TABLES to sql_mode",
    ),
    (
        "NOT FIND_IN_SET('EMPTY_STRING_IS_NULL', @@sql_mode) AND NOT FIND_IN_SET('NO_BACKSLASH_ESCAPES', @@sql_mode)",
        "read texts in another way; set sql_mode to its default",
    ),
    (
        "@@character_set_client <=> 'utf8mb4' AND @@character_set_connection <=> 'utf8mb4' \
         AND @@character_set_results <=> 'utf8mb4'",
        "do not speak utf8mb4, so texts would change; leave the charset of the URL out, or SET NAMES utf8mb4",
    ),
    ("@@sql_select_limit > 9223372036854775807", "leave rows out; set sql_select_limit = DEFAULT"),
];
/// MySQL has no variable that says so. What is set is what is demanded, for one transaction.
const FAILS_IN_TRANSACTION: &str = "SET TRANSACTION READ WRITE";
const OTHER_DATABASE: &str = "use another database than when the pool was taken over; name it in statements instead";
