use std::time::Duration;

use authkit_core::{
    At, AuthError, Batch, Collection, Identifier, KeyRing, RequestContext, SecretText, TokenKind, id_type,
};

use crate::{
    entity::InvitationRow,
    error::codes,
    event::{InvitationCreated, InvitationRedeemed},
};

id_type! {
    /// One invitation.
    pub struct InvitationId;
}

/// Makes invitations and takes them back.
pub(crate) struct Invitations {
    rows: Collection<InvitationRow>,
    tokens: TokenKind,
}

/// An invitation that was shown and fits. Whether it is still unused shows when it is taken.
pub(crate) struct Invitation {
    id: InvitationId,
    secret_hash: [u8; 32],
}

impl Invitations {
    pub(crate) fn new(rows: Collection<InvitationRow>, keys: &KeyRing) -> Self {
        Self { rows, tokens: TokenKind::new(keys, "aki") }
    }

    pub(crate) async fn create(
        &self,
        cx: &RequestContext,
        invited: Option<Identifier>,
        life: Duration,
    ) -> Result<SecretText, AuthError> {
        let mut batch = Batch::new(cx);
        let secret = batch.secret(cx);
        let id: InvitationId = cx.new_id();
        let (kind, canonical) = match invited {
            Some(identifier) => (Some(identifier.kind.to_owned()), Some(identifier.canonical)),
            None => (None, None),
        };
        let row = InvitationRow { id, secret_hash: secret.hash(), kind, canonical, expires_at: cx.now().plus(life) };
        batch.insert(&self.rows, row);
        let receipt = cx.commit(InvitationCreated { invitation: id }, batch).await?;
        receipt.token(&self.tokens, id, &secret)
    }

    /// Reads the invitation that somebody shows who signs up with this identifier.
    pub(crate) async fn open(
        &self,
        cx: &RequestContext,
        shown: Option<&SecretText>,
        identifier: &Identifier,
    ) -> Result<Invitation, AuthError> {
        let refused = |reason| AuthError::new(&codes::INVITATION_INVALID).because(reason);
        let claim = shown.and_then(|text| self.tokens.parse(text.expose())).ok_or(refused("no invitation"))?;
        let row = self.rows.get(cx, At::id(claim.id.into())).await?;
        let row = row.filter(|row| claim.proves(&row.secret_hash)).ok_or(refused("used or expired"))?;
        let invited = row.kind.as_deref().zip(row.canonical.as_deref());
        if invited.is_some_and(|invited| invited != (identifier.kind, identifier.canonical.as_str())) {
            return Err(refused("for another identifier"));
        }
        Ok(Invitation { id: row.id, secret_hash: row.secret_hash })
    }

    /// Uses the invitation up in the batch: of several who try, one succeeds.
    pub(crate) fn take(&self, invitation: &Invitation, batch: &mut Batch) -> InvitationRedeemed {
        let guards = [InvitationRow::secret_hash.eq(invitation.secret_hash)];
        batch.take(&self.rows, At::id(invitation.id), guards).or(&codes::INVITATION_INVALID);
        InvitationRedeemed { invitation: invitation.id }
    }
}
