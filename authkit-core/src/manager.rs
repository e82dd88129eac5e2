//! The built whole.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use crate::{
    audit::EventKind,
    builder::Builder,
    command::Command,
    context::{Client, RequestContext},
    engine::Engine,
    entity::Def,
    error::{AuthError, ErrorCode},
    evidence::MethodId,
    id::TenantId,
    job,
    operation::Operation,
    plugin::Section,
    public_url::PublicUrl,
    schema::Migration,
    verifier::MethodSchemas,
};

/// Everything that was registered, checked and put together. Cheap to clone.
///
/// # Examples
///
/// Plugins, a store and keys become one whole; the plugins are those of the crates that the application names:
///
/// ```
/// use authkit_core::{AuthManager, BuildError, KeyRing, Plugin, Store};
///
/// fn set_up(store: impl Store, keys: KeyRing, plugins: [impl Plugin; 4]) -> Result<AuthManager, BuildError> {
///     let mut builder = AuthManager::builder().public_url("https://example.com").keys(keys).store(store);
///     for plugin in plugins {
///         builder = builder.plugin(plugin);
///     }
///     builder.build()
/// }
/// ```
#[derive(Clone)]
pub struct AuthManager {
    pub(crate) parts: Arc<Whole>,
}

pub(crate) struct Whole {
    pub(crate) engine: Arc<Engine>,
    pub(crate) public_url: PublicUrl,
    pub(crate) prefix: String,
    pub(crate) operations: Vec<Operation>,
    pub(crate) commands: Vec<Command>,
    pub(crate) errors: Vec<&'static ErrorCode>,
    pub(crate) events: Vec<EventKind>,
    pub(crate) sections: Vec<Section>,
}

impl AuthManager {
    /// Starts a setup.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A request of this client to the only tenant.
    ///
    /// # Examples
    ///
    /// A sign-in without HTTP, as in a test or a console:
    ///
    /// ```
    /// use authkit_core::{AuthError, AuthManager, Client, MethodId, Progress};
    ///
    /// async fn sign_in(auth: &AuthManager, password: &str) -> Result<bool, AuthError> {
    ///     let cx = auth.request(Client::default().ip([203, 0, 113, 7]).user_agent("console"));
    ///     let response = serde_json::json!({ "identifier": "ada@example.com", "password": password });
    ///     let progress = cx.sign_in(&MethodId::from_static("password"), response).await?;
    ///     Ok(matches!(progress, Progress::SignedIn(_)))
    /// }
    /// ```
    #[must_use]
    pub fn request(&self, client: Client) -> RequestContext {
        self.request_to(TenantId::DEFAULT, client)
    }

    /// A request of this client to one tenant. The application answers for which one.
    #[must_use]
    pub fn request_to(&self, tenant: TenantId, client: Client) -> RequestContext {
        RequestContext::new(self.parts.engine.clone(), tenant, client)
    }

    /// Something that a plugin provides, by its type.
    ///
    /// # Examples
    ///
    /// What a plugin provides is found by its type; here a directory that some plugin has provided as `Arc<Directory>`:
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// struct Directory(Vec<String>);
    ///
    /// fn names(auth: &authkit_core::AuthManager) -> Vec<String> {
    ///     let directory: Option<Arc<Directory>> = auth.capability::<Directory>();
    ///     directory.map(|directory| directory.0.clone()).unwrap_or_default()
    /// }
    /// ```
    #[must_use]
    pub fn capability<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let any = self.parts.engine.capabilities.get(&std::any::TypeId::of::<T>())?;
        any.downcast_ref::<Arc<T>>().cloned()
    }

    /// The address under which clients reach the application.
    #[must_use]
    pub fn public_url(&self) -> &PublicUrl {
        &self.parts.public_url
    }

    /// What stands before the path of every operation: `/v1`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.parts.prefix
    }

    /// Every operation, for an edge to mount.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.parts.operations
    }

    /// Everything that can be set, by the plugin that it is set about.
    #[must_use]
    pub fn settings(&self) -> &[Section] {
        &self.parts.sections
    }

    /// Every error code that clients may be told, in alphabetical order.
    #[must_use]
    pub fn error_codes(&self) -> &[&'static ErrorCode] {
        &self.parts.errors
    }

    /// Every kind of event that can be recorded, by plugin and name.
    #[must_use]
    pub fn events(&self) -> &[EventKind] {
        &self.parts.events
    }

    /// Every command of operators, for a shell to offer.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.parts.commands
    }

    /// What each method takes to sign in or to answer a challenge.
    pub fn methods(&self) -> impl Iterator<Item = (&MethodId, MethodSchemas)> {
        self.parts.engine.verifiers.iter().map(|(method, verifier)| (method, verifier.schemas()))
    }

    /// What each method takes to be set up.
    pub fn enrollable_methods(&self) -> impl Iterator<Item = (&MethodId, MethodSchemas)> {
        self.parts.engine.enrollers.iter().map(|(method, enroller)| (method, enroller.schemas()))
    }

    /// The steps that make the tables, in order.
    #[must_use]
    pub fn migrations(&self) -> &[Migration] {
        &self.parts.engine.migrations
    }

    /// What the steps add up to: every table of this setup.
    #[must_use]
    pub fn entities(&self) -> &[Def] {
        &self.parts.engine.defs
    }

    /// Applies the steps that were not applied yet. Every node may call it when it starts.
    ///
    /// # Errors
    ///
    /// When the store fails, or what is stored differs from what was declared.
    pub async fn migrate(&self) -> Result<(), AuthError> {
        self.parts.engine.migrate().await
    }

    /// What [`AuthManager::migrate`] would run on an empty database, to be applied by hand.
    ///
    /// What belongs to another store comes after a comment that names its tables.
    ///
    /// # Examples
    ///
    /// A program that prints what somebody else is to run, instead of running it:
    ///
    /// ```
    /// fn print(auth: &authkit_core::AuthManager, print_only: bool) -> Option<String> {
    ///     print_only.then(|| auth.migration_sql())
    /// }
    /// ```
    #[must_use]
    pub fn migration_sql(&self) -> String {
        self.parts.engine.migration_sql()
    }

    /// Does what is due, again and again, for as long as it is polled.
    ///
    /// `sleep` waits for a span, such as `tokio::time::sleep`. Every node may run this; each job has one turn among all.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any point, work that was not finished is done by the next turn.
    ///
    /// # Examples
    ///
    /// Beside the server, on every node:
    ///
    /// ```
    /// async fn serve(auth: authkit_core::AuthManager) {
    ///     # mod tokio { pub fn spawn<F>(_: F) {} pub mod time { pub async fn sleep(_: std::time::Duration) {} } }
    ///     tokio::spawn(auth.clone().run_jobs(tokio::time::sleep));
    ///     // … and then the server.
    /// }
    /// ```
    pub async fn run_jobs<F: Future<Output = ()>>(self, sleep: impl Fn(Duration) -> F) {
        loop {
            job::run_due(&self.parts.engine, &|| sleep(job::LONGEST)).await;
            sleep(job::REST).await;
        }
    }

    /// Does what is due now, once.
    pub async fn run_due_jobs(&self) {
        job::run_due(&self.parts.engine, &std::future::pending::<()>).await;
    }
}

impl fmt::Debug for AuthManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthManager").field("public_url", &self.parts.public_url).finish_non_exhaustive()
    }
}
