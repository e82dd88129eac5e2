//! One connection that all calls share, made anew when it is lost.

use std::{sync::Arc, time::Duration};

use authkit_core::{StoreError, Timestamp};
use redis::{
    RedisError, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use crate::{
    arguments::Arguments,
    config::RedisConfig,
    error::{is_lost, read_failure, unavailable, write_failure},
    reply::Reply,
};

/// A call that finds the connection lost waits for one more attempt; the next call makes one of its own.
const RECONNECTS: usize = 1;
const RECONNECT_DELAY: Duration = Duration::from_millis(50);

/// Calls that may wait to be sent.
const QUEUE: usize = 1024;

/// Runs scripts.
#[derive(Clone)]
pub(crate) struct Connection {
    manager: ConnectionManager,
    prefix: Arc<str>,
}

impl Connection {
    pub(crate) async fn open(config: &RedisConfig) -> Result<Self, StoreError> {
        config.check_prefix().map_err(unavailable)?;
        let client = config.client().map_err(unavailable)?;
        let settings = ConnectionManagerConfig::new()
            .set_response_timeout(Some(config.timeout))
            .set_connection_timeout(Some(config.timeout))
            .set_number_of_retries(RECONNECTS)
            .set_min_delay(RECONNECT_DELAY)
            .set_max_delay(RECONNECT_DELAY)
            .set_pipeline_buffer_size(QUEUE);
        let manager =
            ConnectionManager::new_with_config(client, settings).await.map_err(|error| read_failure(&error))?;
        Ok(Self { manager, prefix: config.prefix.as_str().into() })
    }

    /// What every script is called with.
    pub(crate) fn arguments(&self, now: Timestamp) -> Arguments {
        Arguments::new(&self.prefix, now)
    }

    /// Runs a script that only reads; on a new connection if the old one turns out to be lost.
    pub(crate) async fn read(&self, script: &Script, arguments: &Arguments) -> Result<Reply, StoreError> {
        let answer = match self.run(script, arguments).await {
            Err(error) if is_lost(&error) => self.run(script, arguments).await,
            answer => answer,
        };
        Reply::read(answer.map_err(|error| read_failure(&error))?)
    }

    /// Runs a script that writes. It is sent once, as nobody knows what became of one that was not answered.
    pub(crate) async fn write(&self, script: &Script, arguments: &Arguments) -> Result<Reply, StoreError> {
        Reply::read(self.run(script, arguments).await.map_err(|error| write_failure(&error))?)
    }

    async fn run(&self, script: &Script, arguments: &Arguments) -> Result<redis::Value, RedisError> {
        let mut invocation = script.key(self.schema_key());
        for argument in &arguments.0 {
            invocation.arg(argument.as_slice());
        }
        invocation.invoke_async(&mut self.manager.clone()).await
    }

    /// The fields of the schema.
    pub(crate) async fn schema(&self) -> Result<Vec<(String, String)>, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.schema_key());
        command.query_async(&mut self.manager.clone()).await.map_err(|error| read_failure(&error))
    }

    /// What the server says of itself.
    pub(crate) async fn info(&self) -> Result<String, StoreError> {
        redis::cmd("INFO").query_async(&mut self.manager.clone()).await.map_err(|error| read_failure(&error))
    }

    /// The settings of these names; none if the server does not show them.
    pub(crate) async fn settings(&self, names: &[&str]) -> Result<Option<Vec<(String, String)>>, StoreError> {
        let mut command = redis::cmd("CONFIG");
        command.arg("GET").arg(names);
        match command.query_async(&mut self.manager.clone()).await {
            Ok(settings) => Ok(Some(settings)),
            Err(error) if is_lost(&error) || error.is_timeout() => Err(read_failure(&error)),
            Err(_) => Ok(None),
        }
    }

    fn schema_key(&self) -> String {
        format!("{}:schema", self.prefix)
    }
}
