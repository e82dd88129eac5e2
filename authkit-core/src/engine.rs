//! Everything that `build()` put together.

use std::{any::TypeId, collections::BTreeMap, collections::HashMap, fmt, sync::Arc};

use crate::{
    audit::AuditLog,
    collection::Collection,
    context::{Client, RequestContext},
    error::{AuthError, codes},
    evidence::MethodId,
    flow::{ActionGrant, FlowRow},
    id::{IdSource, TenantId},
    job::{Job, JobRow},
    keys::{KeyRing, MacKey},
    outbox::Outbox,
    plugin::Capability,
    principal::{Identifier, IdentifierKinds, Principal, Spine, UserStore},
    route::Routes,
    secret::TokenKind,
    session::{SessionStore, TokenStrategy},
    slot::{Clock, Rng},
    stage::{Counter, Stage},
    store::Store,
    verifier::{AnyEnroller, AnyVerifier},
};

pub(crate) struct Engine {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) ids: IdSource,
    pub(crate) keys: KeyRing,
    pub(crate) pseudonyms: MacKey,
    pub(crate) flow_tokens: TokenKind,
    pub(crate) grant_tokens: TokenKind,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) routes: Routes,
    pub(crate) spine: Spine,
    pub(crate) flows: Collection<FlowRow>,
    pub(crate) grants: Collection<ActionGrant>,
    pub(crate) counters: Collection<Counter>,
    pub(crate) job_rows: Collection<JobRow>,
    pub(crate) audit: AuditLog,
    pub(crate) outbox: Outbox,
    pub(crate) users: Arc<dyn UserStore>,
    pub(crate) identifiers: IdentifierKinds,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) tokens: Arc<dyn TokenStrategy>,
    pub(crate) verifiers: BTreeMap<MethodId, Arc<dyn AnyVerifier>>,
    pub(crate) machines: BTreeMap<MethodId, Arc<dyn AnyVerifier>>,
    pub(crate) enrollers: BTreeMap<MethodId, Arc<dyn AnyEnroller>>,
    pub(crate) stages: Vec<Arc<dyn Stage>>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) capabilities: HashMap<TypeId, Capability>,
}

impl Engine {
    /// A context of core's own, without a client.
    pub(crate) fn context(self: &Arc<Self>, tenant: TenantId) -> RequestContext {
        RequestContext::new(self.clone(), tenant, Client::default())
    }

    pub(crate) fn verifier(&self, method: &MethodId) -> Result<&dyn AnyVerifier, AuthError> {
        let verifier = self.verifiers.get(method).ok_or(AuthError::new(&codes::UNKNOWN_METHOD))?;
        Ok(verifier.as_ref())
    }

    pub(crate) fn enroller(&self, method: &MethodId) -> Result<&dyn AnyEnroller, AuthError> {
        let enroller = self.enrollers.get(method).ok_or(AuthError::new(&codes::UNKNOWN_METHOD))?;
        Ok(enroller.as_ref())
    }

    /// Stands for an identifier wherever the text itself may not: in counters and in the log.
    pub(crate) fn identifier_pseudonym(&self, parsed: Option<&Identifier>, typed: &str) -> [u8; 32] {
        match parsed {
            Some(identifier) => {
                self.pseudonyms.pseudonym(&[identifier.kind.as_bytes(), identifier.canonical.as_bytes()])
            }
            None => self.pseudonyms.pseudonym(&[b"?", typed.to_lowercase().as_bytes()]),
        }
    }

    pub(crate) fn principal_pseudonym(&self, principal: &Principal) -> [u8; 32] {
        let id: crate::id::Id = principal.id.into();
        self.pseudonyms.pseudonym(&[b"principal", id.as_bytes()])
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}
