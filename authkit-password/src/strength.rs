//! How good a password is, for sign-up forms.

use std::{sync::Arc, time::Duration};

use authkit_core::{Access, AuthError, Call, Charge, HttpMethod, Operation, Reply, RequestContext, SecretText, codes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{config::PasswordConfig, keeper::Keeper, plain::PlainPassword, policy::Weakness};

/// The operation that judges a password that somebody is about to choose.
pub(crate) fn estimate(keeper: Arc<Keeper>, config: &PasswordConfig) -> Operation {
    let summary = "Tells how good a password is, and what the policy says to it.";
    let most = config.strength_per_client;
    Operation::new(HttpMethod::Post, "/auth/password/strength", Access::Public, summary, move |call: Call, input| {
        let keeper = keeper.clone();
        async move {
            count(&call.cx, most).await?;
            strength(&keeper, &call.cx, input).await.map(Reply::ok)
        }
    })
}

/// Counts the question, so that nobody keeps the hashing threads busy by it; clients without an address count as one.
async fn count(cx: &RequestContext, most: u32) -> Result<(), AuthError> {
    let client = cx.client().prefix().map(|prefix| prefix.to_string()).unwrap_or_default();
    let key = cx.counter_key(&[NAME.as_bytes(), client.as_bytes()]);
    cx.charge(&Charge::window(NAME, key, cx.now(), most, MINUTE)).await.map(drop)
}

#[derive(Deserialize, JsonSchema)]
struct StrengthInput {
    /// The password.
    password: SecretText,
    /// What else the form holds, such as an e-mail address and a name: up to eight texts of up to 255 bytes.
    #[serde(default)]
    #[schemars(length(max = 8))]
    context: Vec<String>,
}

/// How good a password is.
#[derive(Serialize, JsonSchema)]
struct Strength {
    /// From 0, guessed at once, to 4, out of reach even of whoever has stolen the hash.
    #[schemars(range(min = 0, max = 4))]
    score: u8,
    /// Whether the policy accepts it. The score has no part in that.
    accepted: bool,
    /// The rules of the policy that refuse it.
    refused_by: Vec<Rule>,
    /// Sentences on what to change, the most important first; of those above first.
    feedback: Vec<String>,
}

/// A rule of the policy that refuses a password.
#[derive(Serialize, JsonSchema)]
struct Rule {
    /// A stable word: `common`, `contextual`, `long`, `repetitive`, `sequential`, `short`.
    rule: &'static str,
    /// A sentence on what to change.
    feedback: String,
}

async fn strength(keeper: &Keeper, cx: &RequestContext, input: StrengthInput) -> Result<Strength, AuthError> {
    let StrengthInput { password, context } = input;
    if context.len() > MAX_CONTEXT || context.iter().any(|text| text.len() > MAX_CONTEXT_BYTES) {
        return Err(AuthError::new(&codes::INVALID_INPUT).field("context", "Too much."));
    }
    let Ok(password) = PlainPassword::parse(password.expose().to_owned()) else {
        let feedback = format!("Too long: at most {} bytes.", PlainPassword::MAX_BYTES);
        let rule = Rule { rule: "long", feedback: feedback.clone() };
        return Ok(Strength { score: 0, accepted: false, refused_by: vec![rule], feedback: vec![feedback] });
    };
    keeper.off_thread(cx, move |policy| judge(&policy.check(&password, &refs(&context)), &password, &context)).await
}

fn judge(verdict: &Result<(), Vec<Weakness>>, password: &PlainPassword, context: &[String]) -> Strength {
    let weaknesses = verdict.as_ref().err().map_or(&[][..], Vec::as_slice);
    let refused_by: Vec<Rule> = weaknesses
        .iter()
        .map(|weakness| Rule { rule: weakness.code(), feedback: weakness.feedback().into_owned() })
        .collect();
    // Looks at the first 100 characters, so that the time is bounded.
    let entropy = zxcvbn::zxcvbn(password.as_str(), &refs(context));
    let told = entropy.feedback().into_iter().flat_map(|feedback| {
        let suggestions = feedback.suggestions().iter().map(ToString::to_string);
        feedback.warning().map(|warning| warning.to_string()).into_iter().chain(suggestions)
    });
    Strength {
        score: entropy.score().into(),
        accepted: verdict.is_ok(),
        feedback: refused_by.iter().map(|rule| rule.feedback.clone()).chain(told).collect(),
        refused_by,
    }
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Of the limit, in log and audit.
const NAME: &str = "password.strength";
const MINUTE: Duration = Duration::from_secs(60);
const MAX_CONTEXT: usize = 8;
const MAX_CONTEXT_BYTES: usize = 255;
