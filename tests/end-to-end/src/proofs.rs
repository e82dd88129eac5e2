//! What a plugin cannot write down.
//!
//! Each example that compiles is followed by those that differ from it in one place and do not.
//!
//! # No durable write without an event
//!
//! An ephemeral batch takes no durable row, neither a new one, nor a change, nor a removal, nor a count.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn add(cx: &RequestContext, rows: &Collection<Tick>, row: Tick) {
//!     EphemeralBatch::new(cx).insert(rows, row);
//! }
//! ```
//! ```compile_fail,E0271
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn add(cx: &RequestContext, rows: &Collection<Note>, row: Note) {
//!     EphemeralBatch::new(cx).insert(rows, row);
//! }
//! ```
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(cx: &RequestContext, rows: &Collection<Tick>, at: At<Tick>) {
//!     EphemeralBatch::new(cx).update(rows, at, [], [Tick::count.set(1)]);
//! }
//! ```
//! ```compile_fail,E0271
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(cx: &RequestContext, rows: &Collection<Note>, at: At<Note>) {
//!     EphemeralBatch::new(cx).update(rows, at, [], [Note::count.set(1)]);
//! }
//! ```
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn remove(cx: &RequestContext, rows: &Collection<Tick>, at: At<Tick>) {
//!     EphemeralBatch::new(cx).take(rows, at, []);
//! }
//! ```
//! ```compile_fail,E0271
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn remove(cx: &RequestContext, rows: &Collection<Note>, at: At<Note>) {
//!     EphemeralBatch::new(cx).take(rows, at, []);
//! }
//! ```
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn count(cx: &RequestContext, rows: &Collection<Tick>, row: Tick, bump: Bump) {
//!     EphemeralBatch::new(cx).bump(rows, Tick::by_name, row, Tick::count, bump);
//! }
//! ```
//! ```compile_fail,E0271
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn count(cx: &RequestContext, rows: &Collection<Note>, row: Note, bump: Bump) {
//!     EphemeralBatch::new(cx).bump(rows, Note::by_name, row, Note::count, bump);
//! }
//! ```
//!
//! Touching writes volatile columns only.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn touch(cx: &RequestContext, rows: &Collection<Note>, at: At<Note>) {
//!     EphemeralBatch::new(cx).touch(rows, at, [], [Note::seen_at.set(cx.now())]);
//! }
//! ```
//! ```compile_fail,E0271
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn touch(cx: &RequestContext, rows: &Collection<Note>, at: At<Note>) {
//!     EphemeralBatch::new(cx).touch(rows, at, [], [Note::made_at.set(cx.now())]);
//! }
//! ```
//!
//! A batch that holds rows of any kind does not pass for one that needs no record.
//!
//! ```
//! # use authkit_core::*;
//! async fn write(cx: &RequestContext, batch: EphemeralBatch) {
//!     cx.commit_ephemeral(batch).await.ok();
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*;
//! async fn write(cx: &RequestContext, batch: Batch) {
//!     cx.commit_ephemeral(batch).await.ok();
//! }
//! ```
//! ```compile_fail,E0423
//! # use authkit_core::*;
//! async fn write(cx: &RequestContext, batch: Batch) {
//!     cx.commit_ephemeral(EphemeralBatch(batch)).await.ok();
//! }
//! ```
//!
//! There is no commit without an event.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn write(cx: &RequestContext, batch: Batch) {
//!     cx.commit(Noted, batch).await.ok();
//! }
//! ```
//! ```compile_fail,E0277
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn write(cx: &RequestContext, batch: Batch) {
//!     cx.commit((), batch).await.ok();
//! }
//! ```
//! ```compile_fail,E0061
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn write(cx: &RequestContext, batch: Batch) {
//!     cx.commit(batch).await.ok();
//! }
//! ```
//!
//! The store is out of reach behind the request, the collection and the whole.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn reach(cx: &RequestContext, rows: &Collection<Note>, auth: &AuthManager) {
//!     (cx.now(), rows.clone(), auth.entities());
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn reach(cx: &RequestContext, rows: &Collection<Note>, auth: &AuthManager) {
//!     (&cx.engine, rows.clone(), auth.entities());
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn reach(cx: &RequestContext, rows: &Collection<Note>, auth: &AuthManager) {
//!     (cx.now(), &rows.table, auth.entities());
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn reach(cx: &RequestContext, rows: &Collection<Note>, auth: &AuthManager) {
//!     (cx.now(), rows.clone(), &auth.parts);
//! }
//! ```
//!
//! # No token without the receipt of its own commit
//!
//! A secret is a hash; its text comes from the receipt, at no other place.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn text(receipt: &Receipt<Noted>, batch: &Batch, kind: &TokenKind, id: Id, secret: &Secret) {
//!     receipt.token(kind, id, secret).ok();
//! }
//! ```
//! ```compile_fail,E0599
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn text(receipt: &Receipt<Noted>, batch: &Batch, kind: &TokenKind, id: Id, secret: &Secret) {
//!     batch.token(kind, id, secret).ok();
//! }
//! ```
//! ```compile_fail,E0624
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn text(receipt: &Receipt<Noted>, batch: &Batch, kind: &TokenKind, id: Id, secret: &Secret) {
//!     kind.encode(id, &secret.hash());
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn text(receipt: &Receipt<Noted>, batch: &Batch, kind: &TokenKind, id: Id, secret: &Secret) {
//!     batch.secrets.first();
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn text(receipt: &Receipt<Noted>, batch: &Batch, kind: &TokenKind, id: Id, secret: &Secret) {
//!     receipt.secrets.first();
//! }
//! ```
//!
//! A receipt comes from a commit, and there is one of it.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn receipt(cx: &RequestContext, batch: Batch) -> Result<Receipt<Noted>, AuthError> {
//!     let receipt = cx.commit(Noted, batch).await?;
//!     Ok(receipt)
//! }
//! ```
//! ```compile_fail,E0451
//! # use authkit_core::*; use end_to_end::proofs::*; use std::marker::PhantomData;
//! async fn receipt(cx: &RequestContext, batch: Batch) -> Result<Receipt<Noted>, AuthError> {
//!     let receipt = Receipt { batch: cx.new_id(), audit_id: cx.new_id(), secrets: Vec::new(), of: PhantomData };
//!     Ok(receipt)
//! }
//! ```
//! ```compile_fail,E0599
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn receipt(cx: &RequestContext, batch: Batch) -> Result<Receipt<Noted>, AuthError> {
//!     let receipt = cx.commit(Noted, batch).await?;
//!     Ok(receipt.clone())
//! }
//! ```
//!
//! # No session tokens for another commit
//!
//! They are minted for the receipt of an issuing commit. No other receipt is one, or becomes one.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn sign(cx: &RequestContext, strategy: &dyn TokenStrategy, new: &NewSession, receipt: Receipt<Issue>) {
//!     strategy.mint(cx, new, &receipt).await.ok();
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn sign(cx: &RequestContext, strategy: &dyn TokenStrategy, new: &NewSession, receipt: Receipt<Noted>) {
//!     strategy.mint(cx, new, &receipt).await.ok();
//! }
//! ```
//! ```compile_fail,E0624
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn sign(cx: &RequestContext, strategy: &dyn TokenStrategy, new: &NewSession, receipt: Receipt<Noted>) {
//!     strategy.mint(cx, new, &receipt.retype()).await.ok();
//! }
//! ```
//!
//! The mark of such a commit is no event, cannot be made one, and has no value.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn issue(cx: &RequestContext, batch: Batch, event: Noted) {
//!     cx.commit(event, batch).await.ok();
//! }
//! ```
//! ```compile_fail,E0277
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn issue(cx: &RequestContext, batch: Batch, event: Issue) {
//!     cx.commit(event, batch).await.ok();
//! }
//! ```
//!
//! ```
//! # use authkit_core::*;
//! # #[derive(serde::Serialize)]
//! # struct Own;
//! impl AuditEvent for Own {
//!     const KIND: &'static str = "issue";
//!     const ACT: Act = Act::Grants;
//!     fn about(&self) -> About { About::new(Outcome::Success) }
//! }
//! ```
//! ```compile_fail,E0117
//! # use authkit_core::*;
//! # #[derive(serde::Serialize)]
//! # struct Own;
//! impl AuditEvent for Issue {
//!     const KIND: &'static str = "issue";
//!     const ACT: Act = Act::Grants;
//!     fn about(&self) -> About { About::new(Outcome::Success) }
//! }
//! ```
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! let mark = Noted;
//! ```
//! ```compile_fail,E0423
//! # use authkit_core::*; use end_to_end::proofs::*;
//! let mark = Issue;
//! ```
//!
//! A grant is met, never made.
//!
//! ```
//! # use authkit_core::*;
//! fn grant(grant: Grant) -> Grant {
//!     grant
//! }
//! ```
//! ```compile_fail,E0639
//! # use authkit_core::*;
//! fn grant(grant: Grant) -> Grant {
//!     Grant { principal: grant.principal, evidence: grant.evidence, aal: Aal::Aal3, amr: grant.amr }
//! }
//! ```
//! ```compile_fail,E0639
//! # use authkit_core::*;
//! fn grant(grant: Grant) -> Grant {
//!     Grant { aal: Aal::Aal3, ..grant }
//! }
//! ```
//!
//! So is whoever makes a call without a session.
//!
//! ```
//! # use authkit_core::*;
//! fn caller(caller: Caller) -> Caller {
//!     caller
//! }
//! ```
//! ```compile_fail,E0639
//! # use authkit_core::*;
//! fn caller(caller: Caller) -> Caller {
//!     Caller { principal: caller.principal, evidence: caller.evidence }
//! }
//! ```
//!
//! A proof comes from the pipeline, and pays for one act.
//!
//! ```
//! # use authkit_core::*;
//! fn spend(proof: Proof, one: &mut Batch, other: Batch) {
//!     proof.spend(one);
//! }
//! ```
//! ```compile_fail,E0382
//! # use authkit_core::*;
//! fn spend(proof: Proof, one: &mut Batch, other: Batch) {
//!     proof.spend(one);
//!     proof.spend(one);
//! }
//! ```
//! ```compile_fail,E0451
//! # use authkit_core::*;
//! fn spend(proof: Proof, one: &mut Batch, other: Batch) {
//!     Proof { principal: proof.principal, batch: other, charges: Vec::new() }.spend(one);
//! }
//! ```
//!
//! It is the proof of one principal, and stays it.
//!
//! ```
//! # use authkit_core::*;
//! fn whose(mut proof: Proof, other: Principal) -> PrincipalId {
//!     proof.principal().id
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*;
//! fn whose(mut proof: Proof, other: Principal) -> PrincipalId {
//!     proof.principal = other;
//!     proof.principal().id
//! }
//! ```
//!
//! # No session without its token
//!
//! What a session store keeps is no session: it does not ask, is not raised and gets no new token.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn ask(cx: &RequestContext, session: &Session, stored: StoredSession) {
//!     cx.step_up(session, "notes.burn").await.ok();
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn ask(cx: &RequestContext, session: &Session, stored: StoredSession) {
//!     cx.step_up(&stored, "notes.burn").await.ok();
//! }
//! ```
//! ```compile_fail,E0423
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn ask(cx: &RequestContext, session: &Session, shown: Shown) {
//!     cx.step_up(&Session(shown), "notes.burn").await.ok();
//! }
//! ```
//! ```compile_fail,E0624
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn ask(cx: &RequestContext, session: &Session, shown: Shown) {
//!     cx.step_up(&Session::shown(shown), "notes.burn").await.ok();
//! }
//! ```
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn raise(cx: &RequestContext, session: &Session, stored: StoredSession) {
//!     cx.raise(session, Aal::Aal2).await.ok();
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn raise(cx: &RequestContext, session: &Session, stored: StoredSession) {
//!     cx.raise(&stored, Aal::Aal2).await.ok();
//! }
//! ```
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn renew(cx: &RequestContext, batch: Batch, session: &Session, stored: StoredSession) {
//!     cx.commit_and_rotate(Noted, batch, session).await.ok();
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn renew(cx: &RequestContext, batch: Batch, session: &Session, stored: StoredSession) {
//!     cx.commit_and_rotate(Noted, batch, &stored).await.ok();
//! }
//! ```
//!
//! A session stays what it is.
//!
//! ```
//! # use authkit_core::*;
//! fn read(mut session: Session) -> Aal {
//!     session.aal
//! }
//! ```
//! ```compile_fail,E0594
//! # use authkit_core::*;
//! fn read(mut session: Session) -> Aal {
//!     session.aal = Aal::Aal3;
//!     session.aal
//! }
//! ```
//!
//! # No entity of another plugin
//!
//! The right to an entity comes from the registrar, which gives out what the plugin declares.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn right(registrar: &Registrar<'_>) -> Result<Collection<Note>, Problem> {
//!     registrar.collection()
//! }
//! ```
//! ```compile_fail,E0624
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn right(registrar: &Registrar<'_>) -> Result<Collection<Note>, Problem> {
//!     Ok(Collection::new(todo!()))
//! }
//! ```
//! ```compile_fail,E0451
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn right(registrar: &Registrar<'_>) -> Result<Collection<Note>, Problem> {
//!     Ok(Collection { table: todo!(), of: std::marker::PhantomData })
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn right(registrar: &Registrar<'_>) -> Result<Collection<PrincipalRow>, Problem> {
//!     Ok(registrar.principals.clone())
//! }
//! ```
//!
//! What is lent is read and not written.
//!
//! ```
//! # use authkit_core::*;
//! fn remove(batch: &mut Batch, rows: &Collection<PrincipalRow>, id: PrincipalId) {
//!     batch.take(rows, At::id(id), []);
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*;
//! fn remove(batch: &mut Batch, rows: &ReadOnly<PrincipalRow>, id: PrincipalId) {
//!     batch.take(rows, At::id(id), []);
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*;
//! fn remove(batch: &mut Batch, rows: &ReadOnly<PrincipalRow>, id: PrincipalId) {
//!     batch.take(&rows.0, At::id(id), []);
//! }
//! ```
//!
//! # No request to another tenant
//!
//! A context is handed out by the whole, and stays what it is.
//!
//! ```
//! # use authkit_core::*;
//! fn context(auth: &AuthManager, mut cx: RequestContext, tenant: TenantId) -> RequestContext {
//!     cx
//! }
//! ```
//! ```compile_fail,E0616
//! # use authkit_core::*;
//! fn context(auth: &AuthManager, mut cx: RequestContext, tenant: TenantId) -> RequestContext {
//!     cx.tenant = tenant;
//!     cx
//! }
//! ```
//! ```compile_fail,E0451
//! # use authkit_core::*;
//! fn context(auth: &AuthManager, mut cx: RequestContext, tenant: TenantId) -> RequestContext {
//!     RequestContext { tenant, ..cx }
//! }
//! ```
//! ```compile_fail,E0624
//! # use authkit_core::*;
//! fn context(auth: &AuthManager, mut cx: RequestContext, tenant: TenantId) -> RequestContext {
//!     RequestContext::new(todo!(), tenant, Client::default())
//! }
//! ```
//! ```compile_fail,E0599
//! # use authkit_core::*;
//! fn context(auth: &AuthManager, mut cx: RequestContext, tenant: TenantId) -> RequestContext {
//!     cx.clone()
//! }
//! ```
//!
//! Reading takes the context, and no tenant beside it.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn read(cx: &RequestContext, tenant: TenantId, rows: &Collection<Note>, at: At<Note>) {
//!     rows.get(cx, at).await.ok();
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*; use end_to_end::proofs::*;
//! async fn read(cx: &RequestContext, tenant: TenantId, rows: &Collection<Note>, at: At<Note>) {
//!     rows.get(&tenant, at).await.ok();
//! }
//! ```
//!
//! # No wrong column, key or type
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(batch: &mut Batch, rows: &Collection<Note>, id: NoteId, other: PrincipalId) {
//!     batch.update(rows, At::id(id), [Note::count.lt(3)], [Note::count.set(3)]);
//! }
//! ```
//! ```compile_fail,E0599
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(batch: &mut Batch, rows: &Collection<Note>, id: NoteId, other: PrincipalId) {
//!     batch.update(rows, At::id(id), [Note::count.lt(3)], [Note::size.set(3)]);
//! }
//! ```
//! ```compile_fail,E0271
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(batch: &mut Batch, rows: &Collection<Note>, id: NoteId, other: PrincipalId) {
//!     batch.update(rows, At::id(id), [Note::count.lt(3)], [Tick::count.set(3)]);
//! }
//! ```
//! ```compile_fail,E0271
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(batch: &mut Batch, rows: &Collection<Note>, id: NoteId, other: PrincipalId) {
//!     batch.update(rows, At::id(id), [Tick::count.lt(3)], [Note::count.set(3)]);
//! }
//! ```
//! ```compile_fail,E0277
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(batch: &mut Batch, rows: &Collection<Note>, id: NoteId, other: PrincipalId) {
//!     batch.update(rows, At::id(id), [Note::count.lt(3)], [Note::count.set("3")]);
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(batch: &mut Batch, rows: &Collection<Note>, id: NoteId, other: PrincipalId) {
//!     batch.update(rows, At::id(id), [Note::count.lt("3")], [Note::count.set(3)]);
//! }
//! ```
//! ```compile_fail,E0271
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn change(batch: &mut Batch, rows: &Collection<Note>, id: NoteId, other: PrincipalId) {
//!     batch.update(rows, At::id(other), [Note::count.lt(3)], [Note::count.set(3)]);
//! }
//! ```
//!
//! Text has no order in which stores agree.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! let condition = Note::name.eq("m".to_owned());
//! ```
//! ```compile_fail,E0599
//! # use authkit_core::*; use end_to_end::proofs::*;
//! let condition = Note::name.lt("m".to_owned());
//! ```
//!
//! One row is found by a unique index, with a key of its types.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn at(name: String, owner: PrincipalId) -> At<Note> {
//!     At::key(Note::by_name, (name,))
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn at(name: String, owner: PrincipalId) -> At<Note> {
//!     At::key(Note::by_owner, (owner,))
//! }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn at(name: String, owner: PrincipalId) -> At<Note> {
//!     At::key(Note::by_name, (owner,))
//! }
//! ```
//!
//! Several rows are found by the leading columns of an index.
//!
//! ```
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn of(owner: PrincipalId, at: Timestamp) -> Scan<Note> {
//!     Scan::of(Note::by_owner, (owner,))
//! }
//! ```
//! ```compile_fail,E0277
//! # use authkit_core::*; use end_to_end::proofs::*;
//! fn of(owner: PrincipalId, at: Timestamp) -> Scan<Note> {
//!     Scan::of(Note::by_owner, (at,))
//! }
//! ```

use authkit_core::{About, Act, AuditEvent, Entity, Outcome, PrincipalId, Timestamp, id_type};
use serde::Serialize;

id_type! {
    /// One [`Note`].
    pub struct NoteId;
    /// One [`Tick`].
    pub struct TickId;
}

/// A durable row.
#[derive(Debug, Entity)]
#[entity(table = "proof_notes", durable, unique(by_name: name), index(by_owner: owner_id, made_at))]
#[expect(clippy::exhaustive_structs, reason = "its entity is as declared")]
pub struct Note {
    /// Unique.
    pub id: NoteId,
    /// Whose it is.
    pub owner_id: PrincipalId,
    /// What it is called.
    pub name: String,
    /// A recorded column.
    pub count: i64,
    /// Another one, of the type of the volatile column.
    pub made_at: Timestamp,
    /// A volatile column.
    #[entity(volatile)]
    pub seen_at: Timestamp,
}

/// An ephemeral row.
#[derive(Debug, Entity)]
#[entity(table = "proof_ticks", ephemeral, unique(by_name: name))]
#[expect(clippy::exhaustive_structs, reason = "its entity is as declared")]
pub struct Tick {
    /// Unique.
    pub id: TickId,
    /// What it is called.
    pub name: String,
    /// A column.
    pub count: i64,
}

/// An event of a plugin.
#[derive(Debug, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "it says nothing")]
pub struct Noted;

impl AuditEvent for Noted {
    const KIND: &'static str = "noted";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}
