//! What an operator does from a shell, as data; an edge such as `authkit-cli` offers it.

use std::{fmt, future::Future, marker::PhantomData, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, generate::SchemaSettings, schema_for};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as JsonValue;

use crate::{
    context::RequestContext,
    error::{AuthError, BoxError, codes},
    id::PrincipalId,
    principal::Principal,
    verifier::read_input,
};

type Answer = Pin<Box<dyn Future<Output = Result<(), AuthError>> + Send>>;

/// One command of an operator: what it is called, what goes in and what comes out.
///
/// The input is a struct. Its required fields stand behind the name, in their order; the others are options. A field
/// of type [`SecretText`](crate::SecretText) is asked for or read from a pipe, never taken from the arguments, which
/// every process of the machine can see.
///
/// # Security
///
/// A command asks nobody for permission: whoever can start the application with its keys and its store may do everything.
///
/// # Examples
///
/// A command that counts to a number:
/// ```
/// use authkit_core::{AuthError, Command, Registrar, Run};
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Count {
///     /// Where it ends.
///     to: u32,
/// }
///
/// async fn count(run: Run<u32>, input: Count) -> Result<(), AuthError> {
///     for number in 1..=input.to {
///         run.show(&number).await?;
///     }
///     Ok(())
/// }
///
/// fn register(registrar: &mut Registrar<'_>) {
///     registrar.command(Command::list("numbers count", "Counts.", count));
/// }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Command {
    /// Lower-case words, what it is about first: `accounts create`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What goes in.
    pub input: Schema,
    /// What one value that comes out looks like.
    pub output: Schema,
    /// How many come out.
    pub shows: Shows,
    handler: Arc<dyn Fn(Arc<dyn Console>, JsonValue) -> Answer + Send + Sync>,
}

/// How many values a command shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Shows {
    /// Any number, each as soon as it is known.
    Many,
    /// One, at the end.
    One,
}

impl Command {
    /// Names that no field of an input has, because every command has such an option.
    pub const RESERVED: [&'static str; 5] = ["actor", "help", "json", "stdin", "tenant"];

    /// Declares a command that answers with one value.
    pub fn new<I, O, F, A>(name: &'static str, summary: &'static str, handler: F) -> Self
    where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        O: Serialize + JsonSchema + Send + Sync + 'static,
        F: Fn(Run<O>, I) -> A + Send + Sync + 'static,
        A: Future<Output = Result<O, AuthError>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let showing = move |run: Run<O>, input: I| {
            let handler = handler.clone();
            async move {
                let answer = handler(run.clone(), input).await?;
                run.show(&answer).await
            }
        };
        Self { shows: Shows::One, ..Self::list(name, summary, showing) }
    }

    /// Declares a command that shows any number of values while it runs.
    pub fn list<I, O, F, A>(name: &'static str, summary: &'static str, handler: F) -> Self
    where
        I: DeserializeOwned + JsonSchema + Send + 'static,
        O: Serialize + JsonSchema + Send + Sync + 'static,
        F: Fn(Run<O>, I) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), AuthError>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let erased = move |console: Arc<dyn Console>, input: JsonValue| -> Answer {
            let handler = handler.clone();
            Box::pin(async move {
                let input: I = read_input(input)?;
                handler(Run { console, of: PhantomData }, input).await
            })
        };
        // What is written has every field, so that its order is known.
        let output = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<O>();
        Self { name, summary, input: schema_for!(I), output, shows: Shows::Many, handler: Arc::new(erased) }
    }

    /// Runs the command.
    ///
    /// # Errors
    ///
    /// [`codes::INVALID_INPUT`] if the input is not as declared; else those of the command.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any point, every act that was made is whole, and none is made after.
    pub async fn run(&self, console: Arc<dyn Console>, input: JsonValue) -> Result<(), AuthError> {
        (self.handler)(console, input).await
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.name)
    }
}

/// Where a command runs: in whose name it asks, what it shows, how it waits. An edge implements it.
///
/// # Contract
///
/// 1. `cx` is a request of the present time, to the tenant that the operator named.
/// 2. What `show` was given has reached the operator when `sleep` is called, and at the end.
/// 3. Nothing that a value holds is taken for an instruction by what displays it.
/// 4. `read` gives the bytes that the operator hands in, in their order, a bounded piece at a time, and none at their end.
#[async_trait]
pub trait Console: Send + Sync + 'static {
    /// A new request.
    fn cx(&self) -> RequestContext;

    /// Shows one value.
    ///
    /// # Errors
    ///
    /// Any error ends the command.
    async fn show(&self, value: JsonValue) -> Result<(), BoxError>;

    /// The next bytes of what the operator hands in, such as standard input; none at the end.
    ///
    /// # Errors
    ///
    /// When nothing is handed in, or it cannot be read.
    async fn read(&self) -> Result<Vec<u8>, BoxError>;

    /// Tells how much is done, and of how much, if that is known.
    fn progress(&self, done: u64, of: Option<u64>);

    /// Waits.
    async fn sleep(&self, span: Duration);
}

const _: fn(&dyn Console) = |_| ();

/// One run of a command that shows values of type `O`.
pub struct Run<O> {
    console: Arc<dyn Console>,
    of: PhantomData<fn(O)>,
}

impl<O: Serialize> Run<O> {
    /// A new request of the present time. A command that runs for long makes one for each of its acts.
    #[must_use]
    pub fn cx(&self) -> RequestContext {
        self.console.cx()
    }

    /// The principal that the operator named by its id or by an identifier, in whatever status.
    ///
    /// # Errors
    ///
    /// [`codes::NOT_FOUND`] about the field `account`, if there is none; else when the store fails.
    pub async fn principal(&self, cx: &RequestContext, account: &str) -> Result<Principal, AuthError> {
        let found = match (account.parse::<PrincipalId>(), cx.identifier(account)) {
            (Ok(id), _) => cx.principal(id).await?,
            (Err(_), Some(identifier)) => cx.find_principal(&identifier).await?,
            (Err(_), None) => None,
        };
        let nobody = || AuthError::new(&codes::NOT_FOUND).field("account", "No account has this id or identifier.");
        found.ok_or_else(nobody)
    }

    /// Shows one value.
    ///
    /// # Errors
    ///
    /// When nobody can be shown anything any more: end the command.
    pub async fn show(&self, value: &O) -> Result<(), AuthError> {
        let failed = |error: BoxError| AuthError::new(&codes::INTERNAL).caused_by(error);
        let value = serde_json::to_value(value).map_err(|error| failed(error.into()))?;
        self.console.show(value).await.map_err(failed)
    }

    /// The next bytes of what the operator hands in, such as standard input; none at the end.
    ///
    /// # Errors
    ///
    /// [`codes::INVALID_INPUT`] when nothing is handed in, or it cannot be read.
    pub async fn read(&self) -> Result<Vec<u8>, AuthError> {
        self.console.read().await.map_err(|error| AuthError::new(&codes::INVALID_INPUT).caused_by(error))
    }

    /// Tells how much is done, and of how much, if that is known.
    pub fn progress(&self, done: u64, of: Option<u64>) {
        self.console.progress(done, of);
    }

    /// Waits.
    pub async fn sleep(&self, span: Duration) {
        self.console.sleep(span).await;
    }
}

impl<O> Clone for Run<O> {
    fn clone(&self) -> Self {
        Self { console: self.console.clone(), of: PhantomData }
    }
}

impl<O> fmt::Debug for Run<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Run")
    }
}
