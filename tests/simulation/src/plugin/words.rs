//! Passwords without a hash: what `authkit-password` does to rows and records, in a tenth of the time.

use std::{fmt, sync::Arc};

use authkit_core::{
    Ability, About, Access, Act, At, AuditEvent, AuthError, Batch, Call, Collection, CredentialVerifier, Effect,
    EndSessions, Enroller, Entity, Evidence, Factors, HttpMethod, MacKey, Manifest, MethodId, Operation, Outcome,
    Plugin, Principal, PrincipalId, Problem, Prompt, Registrar, Reply, RequestContext, SecretText, SessionId,
    StepContext, Verdict, codes, id_type,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

const METHOD: MethodId = MethodId::from_static("password");

id_type! {
    /// One word.
    pub(crate) struct WordId;
}

/// The word of a principal.
#[derive(Debug, Entity)]
#[entity(table = "sim_words", durable, unique(by_principal: principal_id), references(principal_id -> auth_principals))]
pub(crate) struct WordRow {
    id: WordId,
    principal_id: PrincipalId,
    /// Pseudonym of the text.
    word: [u8; 32],
    changes: i64,
}

/// Lets principals sign in with a word.
pub(crate) struct Words;

struct Keeper {
    rows: Collection<WordRow>,
    keys: MacKey,
}

/// Sets words on behalf of others.
pub(crate) struct WordAdmin(Arc<Keeper>);

struct First(Arc<Keeper>);

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Typed {
    identifier: Option<String>,
    password: SecretText,
}

#[derive(Serialize, Deserialize)]
struct NewWord {
    word: [u8; 32],
}

#[derive(Deserialize, JsonSchema)]
struct ChangeInput {
    current_password: SecretText,
    new_password: SecretText,
}

#[derive(Debug, Serialize)]
struct Changed {
    #[serde(skip)]
    principal: PrincipalId,
    #[serde(skip)]
    session: SessionId,
}

impl AuditEvent for Changed {
    const KIND: &'static str = "password_changed";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal).session(self.session)
    }
}

#[derive(Debug, Serialize)]
struct SetByAdmin {
    #[serde(skip)]
    principal: PrincipalId,
}

impl AuditEvent for SetByAdmin {
    const KIND: &'static str = "password_set";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success).principal(self.principal)
    }
}

impl Plugin for Words {
    fn manifest(&self) -> Manifest {
        Manifest::new("words", "0.1.0").creates::<WordRow>().event::<Changed>().event::<SetByAdmin>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let keeper = Arc::new(Keeper { rows: registrar.collection()?, keys: registrar.keys().mac("simulation word") });
        registrar.verifier(keeper.clone());
        registrar.enroller(Arc::new(First(keeper.clone())));
        registrar.provide(Arc::new(WordAdmin(keeper.clone())));
        let change = move |call: Call, input: ChangeInput| {
            let keeper = keeper.clone();
            async move { keeper.change(&call, input).await }
        };
        let path = "/account/change-password";
        registrar.operation(Operation::new(HttpMethod::Post, path, Access::Session, "Changes the word.", change));
        Ok(())
    }
}

impl Keeper {
    fn pseudonym(&self, text: &SecretText) -> [u8; 32] {
        self.keys.pseudonym(&[text.expose().as_bytes()])
    }

    async fn find(&self, cx: &RequestContext, of: Option<PrincipalId>) -> Result<Option<WordRow>, AuthError> {
        let principal = of.unwrap_or_else(|| cx.new_id());
        self.rows.get(cx, At::key(WordRow::by_principal, (principal,))).await
    }

    fn replace(&self, old: &WordRow, word: [u8; 32], batch: &mut Batch) {
        let same = [WordRow::changes.eq(old.changes)];
        let changes = [WordRow::word.set(word), WordRow::changes.plus(1)];
        batch.update(&self.rows, At::id(old.id), same, changes).or(&codes::CONFLICT);
    }

    async fn change(&self, call: &Call, input: ChangeInput) -> Result<Reply<()>, AuthError> {
        let (cx, session) = (&call.cx, call.session()?);
        let response = json!({ "password": input.current_password.expose() });
        let proof = cx.prove(session, &METHOD, response, "password.change").await?;
        let old = self.find(cx, Some(proof.principal().id)).await?.ok_or(AuthError::new(&codes::CONFLICT))?;
        let mut batch = Batch::new(cx);
        let principal = proof.spend(&mut batch);
        self.replace(&old, self.pseudonym(&input.new_password), &mut batch);
        batch.raise_epoch(cx, &principal, EndSessions::Others(session));
        let event = Changed { principal: principal.id, session: session.id };
        let tokens = cx.commit_and_rotate(event, batch, session).await?;
        Ok(Reply::no_content().start(tokens))
    }
}

impl WordAdmin {
    pub(crate) async fn set(&self, cx: &RequestContext, of: &Principal, word: SecretText) -> Result<(), AuthError> {
        let old = self.0.find(cx, Some(of.id)).await?.ok_or(AuthError::new(&codes::NOT_FOUND))?;
        let mut batch = Batch::new(cx);
        self.0.replace(&old, self.0.pseudonym(&word), &mut batch);
        batch.raise_epoch(cx, of, EndSessions::All);
        cx.commit(SetByAdmin { principal: of.id }, batch).await.map(drop)
    }
}

impl fmt::Debug for WordAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WordAdmin")
    }
}

impl CredentialVerifier for Keeper {
    type Begin = ();
    type State = ();
    type Response = Typed;

    fn method(&self) -> MethodId {
        METHOD
    }

    fn begin_hint<'i>(&self, (): &'i ()) -> Option<&'i str> {
        None
    }

    fn hint<'r>(&self, typed: &'r Typed) -> Option<&'r str> {
        typed.identifier.as_deref()
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn verify(&self, cx: &mut StepContext<'_>, _: Option<()>, typed: Typed) -> Result<Verdict, AuthError> {
        let principal = cx.principal.or(cx.found).cloned();
        let row = self.find(cx, principal.as_ref().map(|principal| principal.id)).await?;
        let word = self.pseudonym(&typed.password);
        match (principal, row) {
            (Some(principal), Some(row)) if row.word == word => {
                let evidence = evidence(cx, &principal);
                Ok(Verdict::Proven { principal, evidence })
            }
            _ => Err(AuthError::new(&codes::REJECTED)),
        }
    }

    fn apply(&self, cx: &RequestContext, of: &Principal, effect: &Effect, batch: &mut Batch) -> Result<(), AuthError> {
        let NewWord { word } = effect.data()?;
        batch
            .insert(&self.rows, WordRow { id: cx.new_id(), principal_id: of.id, word, changes: 0 })
            .or(&codes::CONFLICT);
        batch.add_enrolment(cx, of, Ability::new(METHOD, Factors::KNOWLEDGE));
        Ok(())
    }
}

impl Enroller for First {
    type Begin = ();
    type State = ();
    type Response = Typed;

    fn ability(&self) -> Ability {
        Ability::new(METHOD, Factors::KNOWLEDGE)
    }

    async fn begin(&self, _: &mut StepContext<'_>, _: Option<()>) -> Result<Prompt<()>, AuthError> {
        Err(AuthError::new(&codes::UNKNOWN_METHOD))
    }

    async fn confirm(&self, cx: &mut StepContext<'_>, _: Option<()>, typed: Typed) -> Result<Effect, AuthError> {
        let principal = cx.principal.ok_or(AuthError::new(&codes::INTERNAL))?;
        let effect = Effect::new(METHOD, &NewWord { word: self.0.pseudonym(&typed.password) })?;
        Ok(effect.proving(evidence(cx, principal)))
    }
}

fn evidence(cx: &RequestContext, principal: &Principal) -> Evidence {
    Evidence::new(METHOD, Factors::KNOWLEDGE, cx.now(), principal.epoch).amr("pwd")
}
