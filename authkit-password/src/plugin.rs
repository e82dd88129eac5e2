use std::{error::Error, sync::Arc};

use authkit_core::{Manifest, Plugin, Problem, Registrar};

use crate::{
    admin::PasswordAdmin,
    config::{Argon2Config, Costs, PasswordConfig},
    enroller::PasswordEnroller,
    entity::PasswordRow,
    error::codes,
    event::{PasswordChanged, PasswordSet},
    keeper::Keeper,
    operations,
    pool::HashPool,
    verifier::PasswordVerifier,
};

/// Lets principals sign in with a password.
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    config: PasswordConfig,
    costs: Costs,
}

impl Passwords {
    /// Characters that a new password has at least, 15 to 64.
    #[must_use]
    pub const fn min_length(mut self, characters: usize) -> Self {
        self.config.min_length = characters;
        self
    }

    /// Name of the service, of which a new password must not mostly consist.
    #[must_use]
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.config.service_name = Some(name.into());
        self
    }

    /// Adds words of which a new password must not mostly consist.
    #[must_use]
    pub fn blocked_words<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.config.blocked_words.extend(words.into_iter().map(Into::into));
        self
    }

    /// Memory in KiB and passes of one hash, from 19 456 and 2 up.
    #[must_use]
    pub const fn argon2(mut self, memory_kib: u32, passes: u32) -> Self {
        self.config.argon2 = Argon2Config { memory_kib, passes };
        self
    }

    /// Threads that hash, 1 to 64; one per core unless set.
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.config.threads = Some(threads);
        self
    }

    /// Hashes that may wait for a thread, 1 to 65 536.
    #[must_use]
    pub const fn queue(mut self, hashes: usize) -> Self {
        self.config.queue = hashes;
        self
    }

    /// Hashes of one client that may wait, at least 1; an eighth of the queue unless set.
    #[must_use]
    pub const fn queue_per_client(mut self, hashes: usize) -> Self {
        self.config.queue_per_client = Some(hashes);
        self
    }

    /// Hashes in microseconds, for tests that sign in often.
    ///
    /// # Security
    ///
    /// A stolen table of such hashes is read in hours.
    #[must_use]
    pub const fn dangerously_weak_hashing(mut self) -> Self {
        self.config.argon2 = Argon2Config::DANGEROUSLY_WEAK;
        self.costs = Costs::Any;
        self
    }
}

impl Plugin for Passwords {
    fn manifest(&self) -> Manifest {
        Manifest::new("password", env!("CARGO_PKG_VERSION"))
            .creates::<PasswordRow>()
            .error(&codes::BUSY)
            .error(&codes::TOO_WEAK)
            .event::<PasswordChanged>()
            .event::<PasswordSet>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let config = registrar.config(&self.config)?;
        let (policy, pool) = config.check(self.costs).map_err(|text| registrar.problem(text))?;
        let pool = HashPool::new(pool).map_err(|error| registrar.problem(with_cause(&error)))?;
        let keeper = Arc::new(Keeper::new(registrar.collection()?, pool, policy));
        registrar.verifier(Arc::new(PasswordVerifier(keeper.clone())));
        registrar.enroller(Arc::new(PasswordEnroller(keeper.clone())));
        registrar.operation(operations::change(keeper.clone()));
        registrar.provide(Arc::new(PasswordAdmin::new(keeper)));
        Ok(())
    }
}

fn with_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
