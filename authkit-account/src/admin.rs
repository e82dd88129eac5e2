use std::{fmt, sync::Arc, time::Duration};

use authkit_core::{
    At, AuditEvent, AuthError, Batch, Identifier, Principal, PrincipalId, PrincipalKind, PrincipalRow, ReadOnly,
    RequestContext, Scan, SecretText, Status, codes as core_codes,
};

use crate::{
    error::codes,
    event::{AccountCreated, AccountDeleted, AccountDisabled, AccountEnabled, AccountPurged, AccountRestored},
    invitation::Invitations,
    user_store::{IdentifierSummary, Identifiers, NewIdentifier},
};

/// What an application does with accounts on its own authority; `auth.capability::<AccountAdmin>()` returns it.
///
/// Nothing here asks who calls: whoever can reach it may do everything.
///
/// # Examples
///
/// Behind a check of the application's own, an operator shuts an account out:
///
/// ```
/// use authkit_account::AccountAdmin;
/// use authkit_core::{AuthError, AuthManager, Client, PrincipalId, codes};
///
/// async fn shut_out(auth: &AuthManager, operator: PrincipalId, typed: &str) -> Result<(), AuthError> {
///     let accounts = auth.capability::<AccountAdmin>().ok_or(AuthError::new(&codes::NOT_FOUND))?;
///     let cx = auth.request(Client::default()).acting(operator);
///     let account = accounts.find(&cx, typed).await?.ok_or(AuthError::new(&codes::NOT_FOUND))?;
///     accounts.disable(&cx, account.id).await
/// }
/// ```
pub struct AccountAdmin {
    pub(crate) identifiers: Arc<Identifiers>,
    pub(crate) invitations: Arc<Invitations>,
    pub(crate) principals: ReadOnly<PrincipalRow>,
    pub(crate) deletion_grace: Duration,
}

impl AccountAdmin {
    /// Makes an active account that cannot sign in until something is set up for it. The first identifier is primary.
    ///
    /// # Errors
    ///
    /// [`INVALID_INPUT`](core_codes::INVALID_INPUT) for text that is no identifier;
    /// [`IDENTIFIER_TAKEN`](codes::IDENTIFIER_TAKEN) if one leads to another account, a deleted one included.
    pub async fn create(
        &self,
        cx: &RequestContext,
        kind: PrincipalKind,
        identifiers: &[&str],
    ) -> Result<Principal, AuthError> {
        let principal = Principal::new(cx, kind);
        let mut batch = Batch::new(cx);
        batch.add_principal(cx, &principal);
        let new = |typed: &&str| Ok(NewIdentifier::claimed(identifier(cx, typed)?, (*typed).to_owned()));
        let identifiers = identifiers.iter().map(new).collect::<Result<Vec<_>, AuthError>>()?;
        self.identifiers.add(cx, &principal, &identifiers, &mut batch);
        match cx.commit(AccountCreated { principal: principal.id, principal_kind: kind }, batch).await {
            Ok(_) => Ok(principal),
            Err(error) if *error.code() == core_codes::CONFLICT => {
                Err(AuthError::new(&codes::IDENTIFIER_TAKEN).caused_by(error))
            }
            Err(error) => Err(error),
        }
    }

    /// The account of this identifier, made if there is none. May run on every start of every node.
    ///
    /// An account that exists is returned as it is, whatever its kind and status.
    ///
    /// # Errors
    ///
    /// [`INVALID_INPUT`](core_codes::INVALID_INPUT) for text that is no identifier.
    ///
    /// # Examples
    ///
    /// The first administrator, made by whichever node starts first:
    ///
    /// ```
    /// use authkit_account::AccountAdmin;
    /// use authkit_core::{AuthError, Principal, PrincipalKind, RequestContext};
    ///
    /// async fn first(accounts: &AccountAdmin, cx: &RequestContext) -> Result<Principal, AuthError> {
    ///     accounts.seed(cx, PrincipalKind::Human, "admin@example.com").await
    /// }
    /// ```
    pub async fn seed(&self, cx: &RequestContext, kind: PrincipalKind, typed: &str) -> Result<Principal, AuthError> {
        if let Some(existing) = self.find(cx, typed).await? {
            return Ok(existing);
        }
        match self.create(cx, kind, &[typed]).await {
            // Another node was faster.
            Err(error) if *error.code() == codes::IDENTIFIER_TAKEN => self.find(cx, typed).await?.ok_or(error),
            created => created,
        }
    }

    /// The account to which the text leads, in whatever status.
    ///
    /// # Errors
    ///
    /// [`INVALID_INPUT`](core_codes::INVALID_INPUT) for text that is no identifier.
    pub async fn find(&self, cx: &RequestContext, typed: &str) -> Result<Option<Principal>, AuthError> {
        cx.find_principal(&identifier(cx, typed)?).await
    }

    /// The identifiers of an account, oldest first; none for an account that does not exist.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn identifiers(
        &self,
        cx: &RequestContext,
        principal: PrincipalId,
    ) -> Result<Vec<IdentifierSummary>, AuthError> {
        self.identifiers.of(cx, principal).await
    }

    /// Makes an invitation, good for one sign-up within `life`, by this identifier or by anybody.
    ///
    /// # Errors
    ///
    /// [`INVALID_INPUT`](core_codes::INVALID_INPUT) for text that is no identifier.
    ///
    /// # Examples
    ///
    /// A link for one person, good for two days; the token stands behind `#`, which no server sees:
    ///
    /// ```
    /// use std::time::Duration;
    /// use authkit_account::AccountAdmin;
    /// use authkit_core::{AuthError, RequestContext};
    ///
    /// async fn link(accounts: &AccountAdmin, cx: &RequestContext) -> Result<String, AuthError> {
    ///     let token = accounts.invite(cx, Some("bob@example.com"), Duration::from_secs(2 * 24 * 60 * 60)).await?;
    ///     Ok(format!("https://example.com/join#{}", token.expose()))
    /// }
    /// ```
    pub async fn invite(
        &self,
        cx: &RequestContext,
        invited: Option<&str>,
        life: Duration,
    ) -> Result<SecretText, AuthError> {
        let invited = invited.map(|typed| identifier(cx, typed)).transpose()?;
        self.invitations.create(cx, invited, life).await
    }

    /// Shuts an active account out and ends its sessions. Again is no error.
    ///
    /// # Errors
    ///
    /// [`NOT_FOUND`](core_codes::NOT_FOUND) without such an account; [`WRONG_STATUS`](codes::WRONG_STATUS) for a
    /// deleted one.
    pub async fn disable(&self, cx: &RequestContext, principal: PrincipalId) -> Result<(), AuthError> {
        let event = || AccountDisabled { principal };
        self.change(cx, principal, Status::Disabled, |row| row.status == Status::Active, event).await
    }

    /// Lets a disabled account in again. Again is no error.
    ///
    /// # Errors
    ///
    /// [`NOT_FOUND`](core_codes::NOT_FOUND) without such an account; [`WRONG_STATUS`](codes::WRONG_STATUS) for a
    /// deleted one.
    pub async fn enable(&self, cx: &RequestContext, principal: PrincipalId) -> Result<(), AuthError> {
        let event = || AccountEnabled { principal };
        self.change(cx, principal, Status::Active, |row| row.status == Status::Disabled, event).await
    }

    /// Shuts an account out, ends its sessions, and has it purged when its grace is over. Again is no error.
    ///
    /// Until then its identifiers stay taken.
    ///
    /// # Errors
    ///
    /// [`NOT_FOUND`](core_codes::NOT_FOUND) without such an account.
    pub async fn delete(&self, cx: &RequestContext, principal: PrincipalId) -> Result<(), AuthError> {
        let event = || AccountDeleted { principal };
        self.change(cx, principal, Status::Deleted, |row| row.status != Status::Deleted, event).await
    }

    /// Brings a deleted account back within its grace. It is disabled: [`AccountAdmin::enable`] lets it in.
    ///
    /// It does not become active by itself, because it may have been disabled when it was deleted.
    ///
    /// # Errors
    ///
    /// [`NOT_FOUND`](core_codes::NOT_FOUND) without such an account; [`WRONG_STATUS`](codes::WRONG_STATUS) for an
    /// active one, and when the grace is over.
    pub async fn restore(&self, cx: &RequestContext, principal: PrincipalId) -> Result<(), AuthError> {
        let purged_from = cx.now().minus(self.deletion_grace);
        let restorable = |row: &PrincipalRow| row.status == Status::Deleted && row.status_at > purged_from;
        let event = || AccountRestored { principal };
        self.change(cx, principal, Status::Disabled, restorable, event).await
    }

    /// Removes deleted accounts of this tenant whose grace is over, at most 100; returns how many.
    ///
    /// A job does this once an hour for the default tenant. An application with several calls it for each.
    ///
    /// # Errors
    ///
    /// When the store fails; what was removed before stays removed.
    pub async fn purge(&self, cx: &RequestContext) -> Result<usize, AuthError> {
        let due = Scan::of(PrincipalRow::by_status, (Status::Deleted,))
            .below(cx.now().minus(self.deletion_grace))
            .limit(PURGED);
        let mut removed = 0;
        for row in self.principals.query(cx, due).await?.items {
            let mut batch = Batch::new(cx);
            batch.remove_principal(cx, &Principal::from(&row));
            match cx.commit(AccountPurged { principal: row.id }, batch).await {
                Ok(_) => removed += 1,
                // It was restored meanwhile, or another node removed it.
                Err(error) if *error.code() == core_codes::CONFLICT => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    /// Sets the status of an account that `allowed` accepts. A change that comes between makes it look again, so that
    /// shutting somebody out does not fail because they change their password.
    async fn change<E: AuditEvent>(
        &self,
        cx: &RequestContext,
        id: PrincipalId,
        to: Status,
        allowed: impl Fn(&PrincipalRow) -> bool,
        event: impl Fn() -> E,
    ) -> Result<(), AuthError> {
        let mut lost = AuthError::new(&core_codes::CONFLICT);
        for _ in 0..TRIES {
            let row = self.principals.get(cx, At::id(id)).await?.ok_or(AuthError::new(&core_codes::NOT_FOUND))?;
            if row.status == to {
                return Ok(());
            }
            if !allowed(&row) {
                return Err(AuthError::new(&codes::WRONG_STATUS));
            }
            let mut batch = Batch::new(cx);
            batch.set_status(cx, &Principal::from(&row), to);
            match cx.commit(event(), batch).await {
                Err(error) if *error.code() == core_codes::CONFLICT => lost = error,
                changed => return changed.map(drop),
            }
        }
        Err(lost)
    }
}

impl fmt::Debug for AccountAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountAdmin").field("deletion_grace", &self.deletion_grace).finish_non_exhaustive()
    }
}

/// The most accounts that one run removes, so that it never holds the store for long.
const PURGED: usize = 100;
/// How often a change of status is tried against other changes of the same account.
const TRIES: usize = 5;

fn identifier(cx: &RequestContext, typed: &str) -> Result<Identifier, AuthError> {
    let invalid = AuthError::new(&core_codes::INVALID_INPUT).field("identifier", "Give a valid e-mail address.");
    cx.identifier(typed).ok_or(invalid)
}
