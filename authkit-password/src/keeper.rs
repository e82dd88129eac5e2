use std::{sync::Arc, time::Duration};

use authkit_core::{
    Ability, At, AuthError, Batch, Channel, Collection, Factors, MethodId, Principal, PrincipalId, RequestContext,
    SecretText, StepContext, When, codes,
};
use serde::{Deserialize, Serialize};

use crate::{
    entity::PasswordRow,
    error::{not_hashed, too_weak},
    hash::{Alike, HashError, Unreadable, Verification},
    imported::ImportedHash,
    plain::PlainPassword,
    policy::Policy,
    pool::{ClientKey, HashPool},
};

/// The method of this plugin.
pub(crate) const METHOD: MethodId = MethodId::from_static("password");

/// What the parts of the plugin have in common: rows, hashing threads, policy.
pub(crate) struct Keeper {
    rows: Collection<PasswordRow>,
    pool: HashPool,
    policy: Arc<Policy>,
    /// Stands in for a hash that there is not, at the same cost.
    decoy: String,
}

/// A new password, as it waits to be written.
#[derive(Serialize, Deserialize)]
pub(crate) struct NewPassword {
    /// Text of the scheme, or of another system.
    pub(crate) hash: String,
    /// The channel by which it was set.
    pub(crate) channel: Option<Channel>,
}

impl Keeper {
    pub(crate) fn new(rows: Collection<PasswordRow>, pool: HashPool, policy: Policy) -> Self {
        let decoy = pool.scheme().decoy();
        Self { rows, pool, policy: Arc::new(policy), decoy }
    }

    /// The password of a principal. Nobody is looked up like somebody.
    pub(crate) async fn find(
        &self,
        cx: &RequestContext,
        principal: Option<PrincipalId>,
    ) -> Result<Option<PasswordRow>, AuthError> {
        let principal = principal.unwrap_or_else(|| cx.new_id());
        self.rows.get(cx, At::key(PasswordRow::by_principal, (principal,))).await
    }

    /// Compares what was typed with a stored hash. The same work is done in every case; without a row nothing matches.
    pub(crate) async fn compare(
        &self,
        cx: &RequestContext,
        typed: &SecretText,
        row: Option<&PasswordRow>,
        alike: Alike,
    ) -> Result<Verification, AuthError> {
        let (password, row) = match PlainPassword::parse(typed.expose().to_owned()) {
            Ok(password) => (password, row),
            // Too long to be anybody's; hashing the text itself would be what a flood of long passwords is after.
            Err(_) => (PlainPassword::empty(), None),
        };
        let text = row.map_or(&self.decoy, |row| &row.hash);
        match (self.pool.compare(client(cx), &password, text, alike).await, row) {
            (Ok(verification), Some(_)) => Ok(verification),
            (Ok(_), None) => Ok(Verification::Mismatch),
            (Err(HashError::Corrupt), row) => {
                let principal = row.map(|row| tracing::field::display(row.principal_id));
                tracing::error!(principal, "a stored password hash cannot be read");
                Ok(Verification::Mismatch)
            }
            (Err(error), _) => Err(not_hashed(error)),
        }
    }

    /// Takes a new password if the policy accepts it; `field` is where the client gave it.
    pub(crate) fn accept(
        &self,
        field: &'static str,
        typed: &SecretText,
        context: &[&str],
    ) -> Result<PlainPassword, AuthError> {
        let password = PlainPassword::parse(typed.expose().to_owned()).map_err(|_error| too_long(field))?;
        self.policy.check(&password, context).map_err(|weaknesses| too_weak(field, &weaknesses))?;
        Ok(password)
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, cx: &RequestContext, password: &PlainPassword) -> Result<String, AuthError> {
        self.pool.hash(client(cx), password, cx.random()).await.map_err(not_hashed)
    }

    /// Lets a hashing thread look at the policy, in the queue and the share of this client.
    #[cfg(feature = "strength")]
    pub(crate) async fn off_thread<T: Send + 'static>(
        &self,
        cx: &RequestContext,
        work: impl FnOnce(&Policy) -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let policy = Arc::clone(&self.policy);
        self.pool.run(client(cx), move |_| Ok(work(&policy))).await.map_err(not_hashed)
    }

    /// Takes a hash of another system, if it could be compared with.
    pub(crate) fn import(&self, hash: &ImportedHash) -> Result<NewPassword, Unreadable> {
        self.pool.hasher().read(hash.text())?;
        Ok(NewPassword { hash: hash.text().to_owned(), channel: None })
    }

    /// Adds a first password, and that its principal can answer with it.
    pub(crate) fn add(&self, cx: &RequestContext, principal: &Principal, new: NewPassword, batch: &mut Batch) {
        let NewPassword { hash, channel } = new;
        let ability = Ability::new(METHOD, Factors::KNOWLEDGE).channel(channel.clone());
        let row = PasswordRow { id: cx.new_id(), principal_id: principal.id, hash, channel, changed_at: cx.now() };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        batch.add_enrolment(cx, principal, ability);
    }

    /// Replaces a password; loses to another change of it.
    pub(crate) fn replace(&self, cx: &RequestContext, old: &PasswordRow, hash: String, batch: &mut Batch) {
        // A clock that stands or steps back must not make two passwords look like one.
        let changed_at = cx.now().max(old.changed_at.plus(Duration::from_millis(1)));
        let changes = [
            PasswordRow::hash.set(hash),
            PasswordRow::channel.set(None::<Channel>),
            PasswordRow::changed_at.set(changed_at),
        ];
        batch.update(&self.rows, At::id(old.id), [same_password(old)], changes).or(&codes::CONFLICT);
    }

    /// Hashes a password that was just verified again, at the present cost, for the commit that decides.
    ///
    /// Where that fails, the outdated hash is kept until the next sign-in.
    pub(crate) async fn renew(&self, cx: &mut StepContext<'_>, typed: &SecretText, row: &PasswordRow) {
        let Ok(password) = PlainPassword::parse(typed.expose().to_owned()) else {
            return;
        };
        match self.hash(cx, &password).await {
            // A password that was changed meanwhile signs nobody in; one whose hash was renewed meanwhile does.
            Ok(hash) => {
                let renewed = [PasswordRow::hash.set(hash)];
                cx.batch.update(&self.rows, At::id(row.id), [same_password(row)], renewed).or(&codes::REJECTED);
            }
            Err(error) => tracing::warn!(?error, "an outdated password hash was kept"),
        }
    }
}

/// The row still holds the password that was read.
fn same_password(row: &PasswordRow) -> When<PasswordRow> {
    PasswordRow::changed_at.eq(row.changed_at)
}

/// Clients without an address share one key.
fn client(cx: &RequestContext) -> ClientKey {
    ClientKey::of(cx.client().prefix().map(|prefix| prefix.to_string()).unwrap_or_default())
}

fn too_long(field: &'static str) -> AuthError {
    too_weak(field, &[]).field(field, format!("Too long: at most {} bytes.", PlainPassword::MAX_BYTES))
}
