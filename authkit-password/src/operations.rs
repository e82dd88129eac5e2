use std::sync::Arc;

use authkit_core::{
    Access, AuthError, Batch, Call, EndSessions, HttpMethod, Operation, Proof, Reply, RequestContext, SecretText,
    codes::CONFLICT,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    entity::PasswordRow,
    error::codes,
    event::PasswordChanged,
    keeper::{Keeper, METHOD},
    plain::PlainPassword,
};

/// The operation by which a principal changes its own password.
pub(crate) fn change(keeper: Arc<Keeper>) -> Operation {
    let summary = "Changes the password and ends all other sessions.";
    Operation::new(HttpMethod::Post, "/account/change-password", Access::Session, summary, move |call, input| {
        let keeper = keeper.clone();
        async move { change_password(&keeper, &call, input).await }
    })
    .starts_session()
}

#[derive(Deserialize, JsonSchema)]
struct ChangeInput {
    /// The present password.
    current_password: SecretText,
    /// The one that replaces it.
    new_password: SecretText,
}

async fn change_password(keeper: &Keeper, call: &Call, input: ChangeInput) -> Result<Reply<()>, AuthError> {
    let (cx, session) = (&call.cx, call.session()?);
    let ChangeInput { current_password: current, new_password } = input;
    // What the input alone tells comes first: it costs no attempt and no hash.
    let new = keeper.accept("new_password", &new_password, &[])?;
    if is_same(&new, &current) {
        return Err(AuthError::new(&codes::TOO_WEAK).field("new_password", "The same as the present password."));
    }
    let response = json!({ "password": current.expose() });
    let proof = cx.prove(session, &METHOD, response, "password.change").await?;
    let (old, hash) = match replacement(keeper, cx, &proof, &new).await {
        Ok(replacement) => replacement,
        Err(error) => {
            proof.release(cx).await;
            return Err(error);
        }
    };

    let mut batch = Batch::new(cx);
    let principal = proof.spend(&mut batch);
    keeper.replace(cx, &old, hash, &mut batch);
    batch.raise_epoch(cx, &principal, EndSessions::Others(session));
    // Whoever copied the session before is out, too.
    let event = PasswordChanged { principal: principal.id, session: session.id };
    let tokens = cx.commit_and_rotate(event, batch, session).await?;
    Ok(Reply::no_content().start(tokens))
}

/// The row that is replaced, and the hash that replaces it.
async fn replacement(
    keeper: &Keeper,
    cx: &RequestContext,
    proof: &Proof,
    new: &PlainPassword,
) -> Result<(PasswordRow, String), AuthError> {
    let old = keeper.find(cx, Some(proof.principal().id)).await?;
    let old = old.ok_or_else(|| AuthError::new(&CONFLICT).because("the password was removed meanwhile"))?;
    Ok((old, keeper.hash(cx, new).await?))
}

/// Both are the client's own words, so the time that this takes tells nothing.
fn is_same(new: &PlainPassword, current: &SecretText) -> bool {
    PlainPassword::parse(current.expose().to_owned()).is_ok_and(|current| current.as_str() == new.as_str())
}
