use std::sync::Arc;

use authkit_core::{Command, PrincipalId, Run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::LockoutAdmin;

#[derive(Deserialize, JsonSchema)]
struct UnlockInput {
    /// The account: its id or one of its identifiers.
    account: String,
}

#[derive(Serialize, JsonSchema)]
struct Unlocked {
    /// Whose.
    account: PrincipalId,
    /// How many locks were lifted.
    locks: usize,
}

pub(crate) fn unlock(admin: Arc<LockoutAdmin>) -> Command {
    let handler = move |run: Run<Unlocked>, input: UnlockInput| {
        let admin = admin.clone();
        async move {
            let cx = run.cx();
            let account = run.principal(&cx, &input.account).await?.id;
            let locks = admin.unlock(&cx, account, None).await?;
            Ok(Unlocked { account, locks })
        }
    };
    Command::new("accounts unlock", "Lifts the locks of an account that failed too often.", handler)
}
