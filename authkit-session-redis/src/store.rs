//! The store: every call is one script.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use authkit_core::{
    Acknowledgement, Capabilities, Def, Done, Get, Migration, Op, Query, Row, Scope, Store, StoreError, Timestamp,
};

use redis::Script;

use crate::{
    arguments::Arguments,
    commit,
    config::RedisConfig,
    connection::Connection,
    error::is_without_table,
    guarantee, migrate, read,
    reply::{Reply, unexpected},
    script,
};

/// Keeps rows in Redis. Clones share one connection.
#[derive(Clone)]
pub struct RedisStore {
    connection: Connection,
    durability: Acknowledgement,
    /// What a server that may forget forgets with the rows.
    migrated: Arc<Mutex<Option<Migrated>>>,
}

/// What the tables were last made by.
#[derive(Clone)]
struct Migrated {
    steps: Vec<Migration>,
    defs: Vec<Def>,
}

impl RedisStore {
    /// Connects with the defaults of [`RedisConfig`].
    ///
    /// # Errors
    ///
    /// As [`RedisStore::connect_with`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(RedisConfig::new(url)).await
    }

    /// Connects, and asks the server whether it can be relied on.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if no Redis answers at the URL, or if it does not fit; the source says all that is
    /// wrong with it and what to set in `redis.conf`.
    pub async fn connect_with(config: RedisConfig) -> Result<Self, StoreError> {
        let connection = Connection::open(&config).await?;
        let durability = guarantee::ask(&connection, config.promise).await?;
        Ok(Self { connection, durability, migrated: Arc::default() })
    }

    async fn read(&self, script: &Script, arguments: &Arguments) -> Result<Reply, StoreError> {
        match self.connection.read(script, arguments).await {
            Err(error) if self.has_made_tables_anew(&error).await? => self.connection.read(script, arguments).await,
            reply => reply,
        }
    }

    async fn write(&self, script: &Script, arguments: &Arguments) -> Result<Reply, StoreError> {
        match self.connection.write(script, arguments).await {
            Err(error) if self.has_made_tables_anew(&error).await? => self.connection.write(script, arguments).await,
            reply => reply,
        }
    }

    /// A server that may forget starts empty one day. One that keeps what it acknowledges has tables, or is another one.
    async fn has_made_tables_anew(&self, error: &StoreError) -> Result<bool, StoreError> {
        if self.durability == Acknowledgement::Kept || !is_without_table(error) {
            return Ok(false);
        }
        let migrated = self.migrated.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Migrated { steps, defs }) = migrated else {
            return Ok(false);
        };
        migrate::migrate(&self.connection, &steps, &defs).await?;
        Ok(true)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisStore(..)")
    }
}

#[async_trait]
impl Store for RedisStore {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::FULL;
        capabilities.durability = self.durability;
        capabilities
    }

    fn statements(&self, _steps: &[Migration]) -> Vec<String> {
        Vec::new()
    }

    async fn migrate(&self, steps: &[Migration], defs: &[Def]) -> Result<(), StoreError> {
        migrate::migrate(&self.connection, steps, defs).await?;
        let migrated = Migrated { steps: steps.to_vec(), defs: defs.to_vec() };
        *self.migrated.lock().unwrap_or_else(PoisonError::into_inner) = Some(migrated);
        Ok(())
    }

    async fn get(&self, scope: &Scope, get: &Get) -> Result<Option<Row>, StoreError> {
        let mut arguments = self.connection.arguments(get.now);
        let tenant = read::describe_get(&mut arguments, scope, get)?;
        read::found(self.read(&script::GET, &arguments).await?, tenant)
    }

    async fn query(&self, scope: &Scope, query: &Query) -> Result<Vec<Row>, StoreError> {
        if query.limit == 0 {
            return Ok(Vec::new());
        }
        let mut arguments = self.connection.arguments(query.now);
        let tenant = read::describe_query(&mut arguments, scope, query)?;
        read::listed(self.read(&script::QUERY, &arguments).await?, tenant)
    }

    async fn commit(&self, scope: &Scope, ops: &[Op], now: Timestamp) -> Result<Vec<Done>, StoreError> {
        let mut arguments = self.connection.arguments(now);
        let tenants = commit::describe(&mut arguments, scope, ops)?;
        commit::outcome(self.write(&script::COMMIT, &arguments).await?, ops, &tenants)
    }

    async fn sweep(&self, def: &Def, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut arguments = self.connection.arguments(now);
        arguments.bytes(def.table);
        arguments.number(limit);
        let mut reply = self.write(&script::SWEEP, &arguments).await?;
        if reply.word == "ok" { reply.number() } else { Err(unexpected()) }
    }
}
