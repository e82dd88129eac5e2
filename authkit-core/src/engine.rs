//! Everything that `build()` put together.

use std::{any::TypeId, collections::BTreeMap, collections::HashMap, fmt, sync::Arc};

use crate::{
    audit::AuditLog,
    charge::Counter,
    collection::Collection,
    context::{Client, RequestContext},
    entity::Def,
    error::{AuthError, codes},
    evidence::MethodId,
    flow::{ActionGrant, FlowRow},
    id::{IdSource, TenantId},
    import::AnyImporter,
    job::{Job, JobRow},
    keys::{KeyRing, MacKey},
    outbox::Outbox,
    plugin::Capability,
    principal::{Identifier, IdentifierKinds, Principal, Spine, UserStore},
    route::Routes,
    schema::Migration,
    secret::TokenKind,
    session::{SessionStore, TokenStrategy},
    slot::{Clock, Rng},
    stage::Stage,
    store::Store,
    verifier::{AnyEnroller, AnyVerifier},
};

pub(crate) struct Engine {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) ids: IdSource,
    pub(crate) keys: KeyRing,
    pub(crate) pseudonyms: MacKey,
    pub(crate) counter_keys: MacKey,
    pub(crate) flow_tokens: TokenKind,
    pub(crate) grant_tokens: TokenKind,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) routes: Routes,
    pub(crate) migrations: Vec<Migration>,
    /// What the migrations add up to.
    pub(crate) defs: Vec<Def>,
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
    pub(crate) importers: BTreeMap<MethodId, Arc<dyn AnyImporter>>,
    pub(crate) stages: Vec<Arc<dyn Stage>>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) capabilities: HashMap<TypeId, Capability>,
}

impl Engine {
    /// A context of core's own, without a client.
    pub(crate) fn context(self: &Arc<Self>, tenant: TenantId) -> RequestContext {
        RequestContext::new(self.clone(), tenant, Client::default())
    }

    pub(crate) async fn migrate(&self) -> Result<(), AuthError> {
        let main = |table: &str| self.routes.of(table).is_none();
        let steps: Vec<Migration> = self.migrations.iter().filter(|m| main(m.step.table())).cloned().collect();
        let defs: Vec<Def> = self.defs.iter().filter(|def| main(def.table)).cloned().collect();
        self.store.migrate(&steps, &defs).await?;
        for route in &self.routes.0 {
            route.store.migrate(&route.steps, &route.defs).await?;
        }
        Ok(())
    }

    pub(crate) fn migration_sql(&self) -> String {
        let text = |statement: String| format!("{statement};\n");
        let main = |m: &&Migration| self.routes.of(m.step.table()).is_none();
        let steps: Vec<Migration> = self.migrations.iter().filter(main).cloned().collect();
        let mut sql: String = self.store.statements(&steps).into_iter().map(text).collect();
        for route in &self.routes.0 {
            let tables: Vec<&str> = route.defs.iter().map(|def| def.table).collect();
            sql.push_str(&format!("-- In the store of {}:\n", tables.join(", ")));
            sql.extend(route.store.statements(&route.steps).into_iter().map(text));
        }
        sql
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
