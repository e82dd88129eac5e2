//! A required audit logger that refuses when told.

use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{AuditEntry, AuditLogger, BoxError, LoggerRole, Manifest, Plugin, Problem, Registrar, Settlement};

use crate::store::Board;

/// Holds acts up if the board says so.
#[derive(Clone)]
pub(crate) struct Logger(pub(crate) Board);

impl Plugin for Logger {
    fn manifest(&self) -> Manifest {
        Manifest::new("logger", "0.1.0")
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        registrar.audit_logger(Arc::new(self.clone()), LoggerRole::Required);
        Ok(())
    }
}

#[async_trait]
impl AuditLogger for Logger {
    fn id(&self) -> &'static str {
        "logger"
    }

    async fn prepare(&self, entry: &AuditEntry) -> Result<(), BoxError> {
        if self.0.refuses(entry.id.to_string()) { Err("the logger was told to refuse".into()) } else { Ok(()) }
    }

    async fn settled(&self, _: &AuditEntry, _: Settlement) -> Result<(), BoxError> {
        Ok(())
    }
}
