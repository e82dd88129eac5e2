//! MariaDB 10.11 and MySQL 8, or newer.
//!
//! The two speak one protocol and nearly one SQL. What is written for both is run by the tests against MariaDB only; what
//! only MySQL needs is written by its documentation and not tested.
//!
//! A commit of one statement is prepared. Any other is one text of several statements: one round trip, whatever the number
//! of ops. Values stand in it in hexadecimal or as digits, so nothing in them can end a literal. On a pool of the
//! application it is a transaction of prepared statements instead: the driver logs the texts of a pool as the application
//! has set it, and a text with its values belongs in no log.
//!
//! Every transaction is READ COMMITTED, so rows are locked and gaps between them mostly are not. Two commits may still wait
//! for each other; the server ends one of them, and it is made again.

mod demands;
mod error;
mod land;
mod migrate;
mod ops;
mod schema;
mod session;
#[cfg(test)]
mod tests;
mod value;

use std::time::Duration;

use authkit_core::{ColumnKind, EntityDef, Op, StoreError, Value};
use sqlx::{
    AssertSqlSafe, MySqlConnection, MySqlPool, SqlSafeStr as _, SqlStr,
    error::BoxDynError,
    mysql::{MySqlArguments, MySqlRow},
};

pub(crate) use crate::mysql::session::{adopt, open};
use crate::{
    catalogue::Catalogue,
    commit::run_in_transaction,
    ddl::Planned,
    driver::{Access, Driver, Failure, Step, Stopped, Yield},
    effect::Named,
    mysql::demands::Demands,
    sql::{Arg, Dialect, Indexing, Keyset, Rows, Spelling, Statement, Sweep},
    store::SqlxPool,
};

/// A MySQL or MariaDB server.
#[derive(Debug)]
pub(crate) struct MySql {
    flavour: Flavour,
    changes: Changes,
    connections: Whose,
    lock_timeout: Duration,
}

/// What becomes known of rows that a statement changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changes {
    /// INSERT and DELETE can return them.
    Returned,
    /// A SELECT beside the statement reads them.
    Read,
}

/// Whose connections they are.
#[derive(Debug)]
enum Whose {
    /// The store's, set up by it.
    Ours,
    /// The application's, set up as it likes within what is demanded; tables are found in this database.
    Theirs { demands: Demands, database: Option<String> },
}

/// Which of the two servers it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    MariaDb,
    MySql,
}

impl Flavour {
    const fn driver(self, connections: Whose, lock_timeout: Duration) -> MySql {
        let changes = match self {
            Self::MariaDb => Changes::Returned,
            Self::MySql => Changes::Read,
        };
        MySql { flavour: self, changes, connections, lock_timeout }
    }

    /// A collation that compares texts as they are, trailing spaces included. The two servers have none in common.
    const fn collation(self) -> &'static str {
        match self {
            Self::MariaDb => "utf8mb4_nopad_bin",
            Self::MySql => "utf8mb4_0900_bin",
        }
    }
}

static MARIADB: Dialect = Dialect {
    quote: '`',
    column_type: |kind, indexing| match (kind, indexing) {
        (ColumnKind::Text, Indexing::Indexed) => "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        (ColumnKind::Text | ColumnKind::Json, _) => "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        (kind, indexing) => column_type(kind, indexing),
    },
    table_options: " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
    index_if_absent: "IF NOT EXISTS ",
    index_if_present: "IF EXISTS ",
    index_in_use: "",
    index_options: " ALGORITHM=INPLACE LOCK=NONE",
    drops_index_on_table: true,
    recorded_again: " ON DUPLICATE KEY UPDATE state = VALUES(state), position = VALUES(position)",
    placeholder: |text, _number| text.push('?'),
    literal: value::push_literal,
    default: value::default,
    aside: "",
    // A range is found in the other form, but not the place in it where the page begins.
    keyset: Keyset::Alternatives,
    share: " LOCK IN SHARE MODE",
    sweep: Sweep::Limited,
};

static MYSQL: Dialect = Dialect {
    column_type: |kind, indexing| match (kind, indexing) {
        (ColumnKind::Text, Indexing::Indexed) => "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
        (ColumnKind::Text | ColumnKind::Json, _) => "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
        (kind, indexing) => column_type(kind, indexing),
    },
    table_options: " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
    // MySQL knows neither of indexes; what is there is looked at before.
    index_if_absent: "",
    index_if_present: "",
    ..MARIADB
};

fn column_type(kind: ColumnKind, indexing: Indexing) -> &'static str {
    match (kind, indexing) {
        (ColumnKind::Bool, _) => "boolean",
        (ColumnKind::Int, _) => "bigint",
        // UTC; a `timestamp` ends in 2038 and is moved by the time zone of the session.
        (ColumnKind::Time, _) => "datetime(3)",
        (ColumnKind::Id, _) => "binary(16)",
        (ColumnKind::Bytes, Indexing::Indexed) => "varbinary(255)",
        (ColumnKind::Bytes | ColumnKind::Text | ColumnKind::Json, _) => "longblob",
    }
}

impl From<MySqlPool> for SqlxPool {
    fn from(pool: MySqlPool) -> Self {
        Self::MySql(pool)
    }
}

impl Driver for MySql {
    type Database = sqlx::MySql;

    /// The driver would read the rest of an answer, but it loses its place in that to a statement being prepared.
    const ENDS_DROPPED_CALLS: bool = false;

    /// Indexes are written in the order in which they were made.
    const NAMES_FIRST_INDEX: bool = true;

    fn dialect(&self) -> &'static Dialect {
        match self.flavour {
            Flavour::MariaDb => &MARIADB,
            Flavour::MySql => &MYSQL,
        }
    }

    async fn prepare(&self, connection: &mut MySqlConnection, access: Access) -> Result<(), sqlx::Error> {
        session::prepare(connection, access, self.lock_timeout).await
    }

    async fn inspect(&self, connection: &mut MySqlConnection, _access: Access) -> Result<(), Failure> {
        match &self.connections {
            Whose::Ours => Ok(()),
            Whose::Theirs { demands, database } => demands.inspect(connection, database.as_deref()).await,
        }
    }

    fn bind(&self, arguments: &mut MySqlArguments, arg: Arg<'_>) -> Result<(), BoxDynError> {
        value::bind(arguments, arg)
    }

    async fn execute(
        &self,
        connection: &mut MySqlConnection,
        text: SqlStr,
        arguments: MySqlArguments,
    ) -> Result<u64, sqlx::Error> {
        let bumps = error::is_bump(text.as_str());
        match sqlx::query_with(text, arguments).execute(connection).await {
            Err(error) if bumps && error::is_lost_bump(&error) => Ok(0),
            executed => executed.map(|done| done.rows_affected()),
        }
    }

    async fn fetch(
        &self,
        connection: &mut MySqlConnection,
        text: SqlStr,
        arguments: MySqlArguments,
    ) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let bumps = error::is_bump(text.as_str());
        match sqlx::query_with(text, arguments).fetch_all(connection).await {
            Err(error) if bumps && error::is_lost_bump(&error) => Ok(Vec::new()),
            fetched => fetched,
        }
    }

    async fn run(&self, connection: &mut MySqlConnection, text: SqlStr) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(text).execute(connection).await.map(|_done| ())
    }

    fn value(&self, row: &MySqlRow, at: usize, kind: ColumnKind) -> Result<Value, sqlx::Error> {
        value::value(row, at, kind)
    }

    fn failure(&self, error: sqlx::Error) -> Failure {
        error::failure(error)
    }

    fn collided(&self, def: &EntityDef, error: &sqlx::Error) -> Option<usize> {
        error::collided(def, error)
    }

    fn spelling(&self, alone: Option<&Op>) -> Spelling {
        match self.connections {
            Whose::Ours => ops::spelling(self.changes, alone),
            Whose::Theirs { .. } => Spelling::Placeholders,
        }
    }

    fn op<'a>(&self, rows: &Rows<'a>, op: &'a Op, push: &mut impl FnMut(Yield, Statement<'a>)) {
        ops::push(self.changes, rows, op, push);
    }

    async fn land(
        &self,
        connection: &mut MySqlConnection,
        steps: Vec<Step<'_>>,
    ) -> Result<Vec<Vec<MySqlRow>>, Stopped> {
        match self.connections {
            Whose::Ours => land::in_one_trip(self.changes, connection, &steps).await,
            Whose::Theirs { .. } => {
                let begin = AssertSqlSafe(land::begin(self.changes, &steps)).into_sql_str();
                run_in_transaction(self, connection, begin, steps).await
            }
        }
    }

    async fn migrate(&self, connection: &mut MySqlConnection, plan: &[Planned]) -> Result<(), StoreError> {
        migrate::migrate(self, connection, plan).await
    }

    async fn named(
        &self,
        connection: &mut MySqlConnection,
        table: &str,
        name: &str,
    ) -> Result<Option<Named>, sqlx::Error> {
        schema::named(connection, table, name).await
    }

    async fn catalogue(&self, connection: &mut MySqlConnection, table: &str) -> Result<Catalogue, sqlx::Error> {
        schema::catalogue(self.flavour, connection, table).await
    }
}
