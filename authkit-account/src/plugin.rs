use std::{sync::Arc, time::Duration};

use authkit_core::{Manifest, Plugin, Problem, Registrar};

use crate::{
    admin::AccountAdmin,
    commands,
    config::{AccountConfig, Disclosure, SignUpPolicy},
    email::Email,
    entity::{IdentifierRow, ImportRow, InvitationRow},
    error::codes,
    event::{
        AccountCreated, AccountDeleted, AccountDisabled, AccountEnabled, AccountImported, AccountPurged,
        AccountRestored, InvitationCreated, InvitationRedeemed,
    },
    import::AccountImport,
    invitation::Invitations,
    me,
    purge::Purge,
    sign_up::{self, SignUps},
    user_store::Identifiers,
};

/// Accounts that are found by e-mail address.
///
/// # Examples
///
/// Whoever shows an invitation signs up, and a deleted account can be brought back for a week:
///
/// ```
/// use std::time::Duration;
/// use authkit_account::{Accounts, SignUpPolicy};
/// use authkit_core::{AuthManager, Builder};
///
/// fn builder() -> Builder {
///     let week = Duration::from_secs(7 * 24 * 60 * 60);
///     AuthManager::builder().plugin(Accounts::default().sign_up(SignUpPolicy::Invite).deletion_grace(week))
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    config: AccountConfig,
}

impl Accounts {
    /// Who may sign up.
    #[must_use]
    pub const fn sign_up(mut self, policy: SignUpPolicy) -> Self {
        self.config.sign_up = policy;
        self
    }

    /// Whether sign-up tells that an address is taken.
    #[must_use]
    pub const fn disclosure(mut self, disclosure: Disclosure) -> Self {
        self.config.disclosure = disclosure;
        self
    }

    /// How long a deleted account can be restored before it is purged.
    #[must_use]
    pub const fn deletion_grace(mut self, span: Duration) -> Self {
        self.config.deletion_grace = span;
        self
    }
}

impl Plugin for Accounts {
    fn manifest(&self) -> Manifest {
        let manifest = Manifest::new("account", env!("CARGO_PKG_VERSION"))
            .creates::<IdentifierRow>()
            .creates::<InvitationRow>()
            .creates::<ImportRow>()
            .event::<AccountCreated>()
            .event::<AccountDeleted>()
            .event::<AccountDisabled>()
            .event::<AccountEnabled>()
            .event::<AccountImported>()
            .event::<AccountPurged>()
            .event::<AccountRestored>()
            .event::<InvitationCreated>()
            .event::<InvitationRedeemed>();
        codes::ALL.into_iter().fold(manifest, Manifest::error)
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let config = registrar.config(&self.config)?;
        if let Some(text) = config.problem() {
            return Err(registrar.problem(text));
        }
        let AccountConfig { sign_up, disclosure, deletion_grace } = config;
        let principals = registrar.principals();
        let identifiers = Arc::new(Identifiers::new(registrar.collection()?, &principals));
        let invitations = Arc::new(Invitations::new(registrar.collection()?, registrar.keys()));
        let sign_ups = SignUps { policy: sign_up, disclosure, invitations: invitations.clone() };
        let admin = Arc::new(AccountAdmin {
            identifiers: identifiers.clone(),
            invitations,
            principals: principals.clone(),
            deletion_grace,
        });
        registrar.identifier_kind(Arc::new(Email));
        registrar.user_store(identifiers.clone());
        registrar.operation(sign_up::operation(sign_ups));
        registrar.operation(me::operation(identifiers.clone(), principals));
        commands::all(&admin).into_iter().for_each(|command| registrar.command(command));
        let import = Arc::new(AccountImport { identifiers: identifiers.clone(), rows: registrar.collection()? });
        registrar.command(commands::import(import.clone()));
        registrar.provide(import);
        registrar.job("account.purge", PURGE_EVERY, Arc::new(Purge(admin.clone())));
        registrar.provide(admin);
        Ok(())
    }
}

const PURGE_EVERY: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_steps_have_not_changed() {
        let manifest = Accounts::default().manifest();
        let checksums: Vec<String> = manifest.migrations.iter().map(|step| step.checksum()).collect();
        let released = [
            "ef2d121b3da802244e4e07ca254820daa3d8ed903ce51ced13f3367a5704f8b9",
            "997672752ea8a06f82b17fb944370fd467148d1297178e0052f21db31d8c7869",
            "566ffcd3cdfbbaadef46dd6305623b6c44dadfc617f61bc0d60def8e7fbf7d98",
        ];
        assert_eq!(checksums, released);
    }

    #[test]
    fn everything_declared_carries_the_name_of_the_plugin() {
        let manifest = Accounts::default().manifest();
        assert_eq!(manifest.id, "account");
        assert_eq!(
            manifest.entities.iter().map(|def| def.table).collect::<Vec<_>>(),
            ["auth_identifiers", "auth_invitations", "auth_imports"]
        );
        assert_eq!(manifest.errors.len(), codes::ALL.len());
        assert_eq!(manifest.events.len(), 9);
    }
}
