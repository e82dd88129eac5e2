use std::{error::Error, sync::Arc};

use authkit_core::{Manifest, Operation, Plugin, Problem, Registrar, SecretText};

use crate::{
    admin::PasswordAdmin,
    commands,
    config::{Algorithm, Argon2Config, Costs, PasswordConfig, PepperSource},
    enroller::PasswordEnroller,
    entity::PasswordRow,
    error::codes,
    event::{PasswordChanged, PasswordSet},
    hash::{
        Hasher, Scheme,
        bcrypt::{BcryptFamily, LongPasswords},
        pepper::{Pepper, Peppering},
        recipe::Family,
    },
    importer::PasswordImporter,
    keeper::Keeper,
    operations,
    pool::HashPool,
    verifier::PasswordVerifier,
};

/// Lets principals sign in with a password.
///
/// # Examples
///
/// A pepper of the key ring, and words that everybody would try first:
///
/// ```
/// use authkit_core::{AuthManager, Builder};
/// use authkit_password::Passwords;
///
/// fn builder() -> Builder {
///     let passwords = Passwords::default().peppered().service_name("Rose's Tea").blocked_words(["rose", "teapot"]);
///     AuthManager::builder().plugin(passwords)
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Passwords {
    config: PasswordConfig,
    costs: Costs,
    bcrypt: BcryptFamily,
    /// Kinds of hash that need settings.
    families: Vec<Arc<dyn Family>>,
    operations: Vec<fn(Arc<Keeper>, &PasswordConfig) -> Operation>,
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

    /// Hashes new passwords with bcrypt of this cost, 12 to 16. Hashes of Argon2id are replaced at sign-in.
    #[must_use]
    pub const fn bcrypt(mut self, cost: u32) -> Self {
        self.config.algorithm = Algorithm::Bcrypt;
        self.config.bcrypt.cost = cost;
        self
    }

    /// Keys new hashes with the key ring, so that a stolen table alone is not worth guessing at.
    ///
    /// After a rotation of the keys, a hash is keyed afresh when its owner signs in. Whoever has not signed in by the
    /// time the old secret is dropped has lost the password, and so has everybody if the key ring is lost.
    #[must_use]
    pub const fn peppered(mut self) -> Self {
        self.config.pepper = PepperSource::KeyRing;
        self
    }

    /// Adds hashes of the costs that imported accounts have: their work is done wherever the answer is no.
    ///
    /// Without them the time of an answer tells an account that was imported, and has not signed in yet, from one that
    /// does not exist. Any password may have been hashed; what counts is the kind and its numbers.
    ///
    /// # Examples
    ///
    /// Accounts that came from Laravel, at the cost that it had there:
    ///
    /// ```
    /// use authkit_password::Passwords;
    ///
    /// let of_nobody = "$2y$12$i/Vl9jq5z0YAe24XkIUdJ.wi1RZP2LFPM1pqYYmA0QbKaGsWHzBGy";
    /// let passwords = Passwords::default().decoys([of_nobody]);
    /// ```
    #[must_use]
    pub fn decoys<H: Into<String>>(mut self, hashes: impl IntoIterator<Item = H>) -> Self {
        self.config.decoys.extend(hashes.into_iter().map(Into::into));
        self
    }

    /// The pepper of Devise, which it appends to a password; see
    /// [`ImportedHash::devise`](crate::ImportedHash::devise).
    #[must_use]
    pub fn devise_pepper(mut self, pepper: SecretText) -> Self {
        self.bcrypt.devise_pepper = Some(Arc::new(pepper));
        self
    }

    /// The password hash parameters of the Firebase project that users come from.
    #[cfg(feature = "imports")]
    #[must_use]
    pub fn firebase(mut self, keys: crate::foreign::firebase::FirebaseKeys) -> Self {
        self.families.push(Arc::new(crate::foreign::firebase::FirebaseFamily(Some(keys))));
        self
    }

    /// Adds `POST /auth/password/strength`, which tells a sign-up form how good a password is.
    #[cfg(feature = "strength")]
    #[must_use]
    pub fn strength_meter(mut self) -> Self {
        self.operations.push(crate::strength::estimate);
        self
    }

    /// Questions of one client to the strength meter in any minute; 60 unless set.
    ///
    /// From 1 to 10 000. Clients whose address is not known have them together.
    #[cfg(feature = "strength")]
    #[must_use]
    pub const fn strength_per_client(mut self, questions: u32) -> Self {
        self.config.strength_per_client = questions;
        self
    }

    /// Compares no more than the first 72 bytes of a password with an imported bcrypt hash, as other systems do.
    ///
    /// Otherwise a longer password matches no such hash, and its owner has to be given another one.
    ///
    /// # Security
    ///
    /// Every password with the same first 72 bytes signs in. Such a hash is not renewed at sign-in, because the rest of
    /// what was typed is not proved to be the owner's; it is when the password is changed.
    #[must_use]
    pub const fn dangerously_cut_long_bcrypt_passwords(mut self) -> Self {
        self.bcrypt.long = LongPasswords::Cut;
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
        let (policy, scheme) = config.check(self.costs).map_err(|text| registrar.problem(text))?;
        let hasher = self.hasher(scheme, &config, registrar)?;
        let pool =
            HashPool::new(config.pool().hasher(hasher)).map_err(|error| registrar.problem(with_cause(&error)))?;
        let keeper = Arc::new(Keeper::new(registrar.collection()?, pool, policy));
        registrar.verifier(Arc::new(PasswordVerifier(keeper.clone())));
        registrar.enroller(Arc::new(PasswordEnroller(keeper.clone())));
        registrar.importer(Arc::new(PasswordImporter(keeper.clone())));
        registrar.operation(operations::change(keeper.clone()));
        for operation in &self.operations {
            registrar.operation(operation(keeper.clone(), &config));
        }
        let admin = Arc::new(PasswordAdmin::new(keeper));
        registrar.command(commands::set(admin.clone()));
        registrar.provide(admin);
        Ok(())
    }
}

impl Passwords {
    fn hasher(&self, scheme: Scheme, config: &PasswordConfig, registrar: &Registrar<'_>) -> Result<Hasher, Problem> {
        let peppering = match config.pepper {
            PepperSource::KeyRing => Peppering::New,
            PepperSource::None => Peppering::None,
        };
        let hasher = Hasher::new(scheme, self.bcrypt.clone())
            .families(self.families.iter().cloned())
            .pepper(Pepper::new(registrar.keys().mac("pepper"), peppering));
        hasher.decoys(config.decoys.clone()).map_err(|(decoy, error)| {
            registrar.problem(format!("decoys has {decoy:?}, but {error}; see the kinds in the documentation"))
        })
    }
}

fn with_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
