//! Credentials that another system kept.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as JsonValue;

use crate::{
    batch::Batch,
    context::RequestContext,
    error::{AuthError, codes},
    evidence::MethodId,
    principal::Principal,
    verifier::Erased,
};

/// Takes over the credentials of one method that another system kept.
///
/// # Contract
///
/// 1. `import` refuses what its verifier could not verify later, or only at a cost beyond its bounds; it reads nothing and
///    takes no time to speak of.
/// 2. It adds to the batch that makes the principal. A dry run drops that batch, and finds whatever is wrong.
/// 3. No error shows anything of what was given. A [`field`](AuthError::field) says what is wrong, for a report.
///
/// # Examples
///
/// Taking over the serial numbers of hardware keys:
/// ```
/// use authkit_core::{AuthError, Batch, Collection, CredentialImporter, MethodId, Principal, RequestContext, codes};
/// # use authkit_core::{Entity, PrincipalId, id_type};
/// # id_type! { pub struct FobId; }
/// # #[derive(Entity)]
/// # #[entity(table = "fobs", durable, references(principal_id -> auth_principals))]
/// # struct Fob { id: FobId, principal_id: PrincipalId, serial: String }
///
/// struct FobImporter {
///     fobs: Collection<Fob>,
/// }
///
/// impl CredentialImporter for FobImporter {
///     type Given = String;
///
///     fn method(&self) -> MethodId {
///         MethodId::from_static("fob")
///     }
///
///     fn import(
///         &self,
///         cx: &RequestContext,
///         principal: &Principal,
///         serial: String,
///         batch: &mut Batch,
///     ) -> Result<(), AuthError> {
///         if serial.len() != 12 {
///             return Err(AuthError::new(&codes::INVALID_INPUT).field("fob", "Give the 12 characters of the serial."));
///         }
///         batch.insert(&self.fobs, Fob { id: cx.new_id(), principal_id: principal.id, serial });
///         Ok(())
///     }
/// }
/// ```
pub trait CredentialImporter: Send + Sync + 'static {
    /// A credential as records of an import have it, under the name of the method.
    type Given: DeserializeOwned;

    /// The method by which it is verified.
    fn method(&self) -> MethodId;

    /// Checks a credential and gives it to a principal that the same batch adds.
    ///
    /// # Errors
    ///
    /// Why it cannot be taken over; the whole record is then refused.
    fn import(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        given: Self::Given,
        batch: &mut Batch,
    ) -> Result<(), AuthError>;
}

/// An importer with its type erased.
pub(crate) trait AnyImporter: Send + Sync {
    fn import(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        given: JsonValue,
        batch: &mut Batch,
    ) -> Result<(), AuthError>;
}

impl<I: CredentialImporter> AnyImporter for Erased<I> {
    fn import(
        &self,
        cx: &RequestContext,
        principal: &Principal,
        given: JsonValue,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        // What serde says is dropped: it would quote the credential.
        let given = serde_json::from_value(given).map_err(|_error| {
            let text = format!("That of {} is not of the form that its plugin documents.", self.0.method());
            AuthError::new(&codes::INVALID_INPUT).field("credentials", text)
        })?;
        self.0.import(cx, principal, given, batch)
    }
}

impl RequestContext {
    /// Gives a principal that the same batch adds a credential that another system kept.
    ///
    /// # Errors
    ///
    /// [`codes::UNKNOWN_METHOD`] if no plugin imports credentials of this method, [`codes::INVALID_INPUT`] if it is of
    /// another form; else those of the importer. Then drop the batch: part of the credential may be in it.
    pub fn import_credential(
        &self,
        method: &MethodId,
        principal: &Principal,
        given: JsonValue,
        batch: &mut Batch,
    ) -> Result<(), AuthError> {
        let importer: &Arc<dyn AnyImporter> = self.engine.importers.get(method).ok_or_else(|| {
            AuthError::new(&codes::UNKNOWN_METHOD).field("credentials", "One is of a method that no plugin imports.")
        })?;
        importer.import(self, principal, given, batch)
    }
}
