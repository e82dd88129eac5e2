use std::sync::Arc;

use async_trait::async_trait;
use authkit_core::{AuthError, RequestContext, Task};

use crate::admin::AccountAdmin;

/// Removes accounts whose grace is over.
pub(crate) struct Purge(pub(crate) Arc<AccountAdmin>);

#[async_trait]
impl Task for Purge {
    async fn run(&self, cx: &RequestContext) -> Result<(), AuthError> {
        let removed = self.0.purge(cx).await?;
        tracing::debug!(removed, "deleted accounts were purged");
        Ok(())
    }
}
