use std::{sync::Arc, time::Duration};

use authkit_core::{Manifest, Plugin, Problem, Registrar};

use crate::{
    config::SessionConfig, entity::SessionRow, introspection::Introspection, session_store::RowSessions,
    token_strategy::OpaqueTokens,
};

/// Keeps sessions in the store and shows them to clients as opaque tokens.
///
/// # Examples
///
/// Sessions that end after an hour without use, and after twelve in any case:
///
/// ```
/// use std::time::Duration;
/// use authkit_core::{AuthManager, Builder};
/// use authkit_session::Sessions;
///
/// fn builder() -> Builder {
///     let hours = |count: u64| Duration::from_secs(60 * 60 * count);
///     AuthManager::builder().plugin(Sessions::opaque().idle(hours(1)).absolute(hours(12)))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions {
    config: SessionConfig,
}

impl Sessions {
    /// Opaque tokens: each request reads the session, and a session that is ended is dead at once.
    #[must_use]
    pub fn opaque() -> Self {
        Self { config: SessionConfig::default() }
    }

    /// A session that is not used for so long ends.
    #[must_use]
    pub const fn idle(mut self, span: Duration) -> Self {
        self.config.idle = span;
        self
    }

    /// A session ends after so long, however much it is used.
    #[must_use]
    pub const fn absolute(mut self, span: Duration) -> Self {
        self.config.absolute = span;
        self
    }

    /// The idle span of clients that ask to be remembered.
    #[must_use]
    pub const fn remember(mut self, span: Duration) -> Self {
        self.config.remember = Some(span);
        self
    }
}

impl Plugin for Sessions {
    fn manifest(&self) -> Manifest {
        Manifest::new("session", env!("CARGO_PKG_VERSION")).creates::<SessionRow>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let config = registrar.config(&self.config)?;
        if let Some(text) = config.problem() {
            return Err(registrar.problem(text));
        }
        let (rows, principals) = (registrar.collection()?, registrar.principals());
        let permit = Box::new(|_: &_, _: &_| Ok(()));
        let store = Arc::new(RowSessions::new(rows, &principals, config.lifetimes(), permit));
        let tokens = Arc::new(OpaqueTokens::new(registrar.keys(), store.clone()));
        registrar.provide(Arc::new(Introspection::new(tokens.clone(), store.clone())));
        registrar.session_store(store);
        registrar.token_strategy(tokens);
        Ok(())
    }
}
