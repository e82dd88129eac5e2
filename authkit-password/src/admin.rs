use std::{fmt, sync::Arc};

use authkit_core::{AuthError, Batch, EndSessions, Principal, RequestContext, SecretText, codes};

use crate::{
    event::PasswordSet,
    hash::Unreadable,
    imported::ImportedHash,
    keeper::{Keeper, NewPassword},
};

/// Sets passwords on behalf of others: seeding, administration, moving in from another system.
///
/// The application gets it with `auth.capability::<PasswordAdmin>()`, another plugin with
/// [`Registrar::require`](authkit_core::Registrar::require). Whoever calls it answers for who may.
///
/// # Examples
///
/// Seeding an account that signed up by another method:
/// ```no_run
/// use authkit_core::{AuthError, AuthManager, Client, PrincipalId, SecretText, codes};
/// use authkit_password::PasswordAdmin;
///
/// async fn seed(auth: &AuthManager, id: PrincipalId, password: SecretText) -> Result<(), AuthError> {
///     let passwords = auth.capability::<PasswordAdmin>().ok_or(AuthError::new(&codes::NOT_FOUND))?;
///     let cx = auth.request(Client::default());
///     let principal = cx.principal(id).await?.ok_or(AuthError::new(&codes::NOT_FOUND))?;
///     passwords.set(&cx, &principal, password).await
/// }
/// ```
pub struct PasswordAdmin {
    keeper: Arc<Keeper>,
}

impl PasswordAdmin {
    pub(crate) const fn new(keeper: Arc<Keeper>) -> Self {
        Self { keeper }
    }

    /// Gives a principal this password, whether or not it has one, and ends all of its sessions.
    ///
    /// Recorded as [`PasswordSet`]. The principal may be in any status.
    ///
    /// # Errors
    ///
    /// [`codes::TOO_WEAK`](crate::codes::TOO_WEAK) with every weakness, as field `password`;
    /// [`codes::BUSY`](crate::codes::BUSY); [`CONFLICT`](authkit_core::codes::CONFLICT) if the principal is not as it
    /// was when it was read; others if the store fails.
    pub async fn set(&self, cx: &RequestContext, principal: &Principal, password: SecretText) -> Result<(), AuthError> {
        let password = self.keeper.accept("password", &password, &[])?;
        let old = self.keeper.find(cx, Some(principal.id)).await?;
        let hash = self.keeper.hash(cx, &password).await?;

        let mut batch = Batch::new(cx);
        match &old {
            Some(old) => self.keeper.replace(cx, old, hash, &mut batch),
            None => self.keeper.add(cx, principal, NewPassword { hash, channel: None }, &mut batch),
        }
        batch.raise_epoch(cx, principal, EndSessions::All);
        cx.commit(PasswordSet { principal: principal.id }, batch).await.map(drop)
    }

    /// Gives a new principal the hash that another system made of its password, in the commit that adds the principal.
    ///
    /// The policy is not asked. The first sign-in replaces the hash by one of our own.
    ///
    /// # Errors
    ///
    /// [`INVALID_INPUT`](authkit_core::codes::INVALID_INPUT), caused by what [`PasswordAdmin::check`] says.
    ///
    /// # Examples
    ///
    /// Adding a principal that Django knows:
    /// ```no_run
    /// use authkit_core::{AuthError, Batch, Principal, PrincipalKind, RequestContext};
    /// use authkit_password::{ImportedHash, PasswordAdmin};
    ///
    /// fn add(cx: &RequestContext, passwords: &PasswordAdmin, hash: &str, batch: &mut Batch) -> Result<(), AuthError> {
    ///     let principal = Principal::new(cx, PrincipalKind::Human);
    ///     batch.add_principal(cx, &principal);
    ///     passwords.import(cx, &principal, &ImportedHash::new(hash), batch)
    /// }
    /// ```
    pub fn import(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        hash: &ImportedHash,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let invalid = |error| AuthError::new(&codes::INVALID_INPUT).caused_by(error);
        let password = self.keeper.import(hash).map_err(invalid)?;
        self.keeper.add(cx, principal, password, batch);
        Ok(())
    }

    /// Says whether a hash of another system could be imported, without doing it or any work.
    ///
    /// # Errors
    ///
    /// Why it cannot; fit for the report of a dry run, as it shows nothing of the hash.
    pub fn check(&self, hash: &ImportedHash) -> Result<(), Unreadable> {
        self.keeper.import(hash).map(drop)
    }
}

impl fmt::Debug for PasswordAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordAdmin")
    }
}
