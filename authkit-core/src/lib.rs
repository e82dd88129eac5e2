//! Contracts and the pipeline of authkit, the authentication framework of plugin crates.
//!
//! This crate holds what every plugin agrees on, and the one pipeline that every authentication passes. It knows no
//! hash, no token format, no SQL, no HTTP framework, no async runtime and no clock of its own: those are plugins.
//!
//! | you write | start at |
//! |---|---|
//! | an application | [`AuthManager::builder`], [`AuthManager::request`] |
//! | a plugin | [`Plugin`], [`Manifest`], [`Registrar`] |
//! | data of a plugin | [`macro@Entity`], [`Collection`], [`Batch`], [`Scan`] |
//! | a method to sign in with | [`CredentialVerifier`], [`Enroller`], [`Evidence`] |
//! | credentials from another system | [`CredentialImporter`] |
//! | a limit, a policy, a risk check | [`Stage`], [`Charge`], [`Requirement`] |
//! | a limit of an act of your own | [`RequestContext::charge`], [`Charge::window`] |
//! | where users live | [`UserStore`], [`IdentifierKind`] |
//! | how sessions live and look | [`SessionStore`], [`TokenStrategy`] |
//! | a storage backend | [`Store`], [`EntityDef`], [`Op`] |
//! | calls of programs | [`RequestContext::call`], [`Registrar::machine_verifier`] |
//! | an audit sink or a listener | [`AuditEvent`], [`AuditLogger`], [`Subscriber`] |
//! | work after a commit, work at times | [`Deliver`], [`Task`] |
//! | an HTTP edge | [`Operation`], [`Call`], [`Reply`], [`AuthError`] |
//! | what operators do from a shell | [`Command`], [`Run`], [`Console`] |
//! | clock, randomness, messages | [`Clock`], [`Rng`], [`Notifier`] |
//!
//! Core's own operations, which serve every method: `POST /auth/login`, `POST /auth/challenges/begin`,
//! `POST /auth/challenges/answer`, `POST /auth/step-up`, `POST /auth/logout`, `GET /sessions`, `DELETE /sessions/{id}`, `DELETE /sessions/all`,
//! `GET /account/audit-events`.

extern crate self as authkit_core;

mod audit;
mod batch;
mod builder;
mod charge;
mod collection;
mod command;
mod commands;
mod context;
mod engine;
mod entity;
mod error;
mod event;
mod evidence;
mod flow;
mod id;
mod import;
mod job;
mod keys;
mod manager;
mod operation;
mod operations;
mod outbox;
mod pipeline;
mod plugin;
mod principal;
mod public_url;
mod requirement;
mod route;
mod schema;
mod secret;
mod session;
mod slot;
mod stage;
mod store;
mod timestamp;
mod value;
mod verifier;

/// Declares a struct as the rows of a table; see `authkit-derive` for the attributes.
pub use authkit_derive::Entity;

pub use crate::{
    audit::{
        About, Act, AuditEntry, AuditEvent, AuditLogger, AuditRecord, EventKind, LoggerRole, Outcome, Settlement,
        Subscriber,
    },
    batch::{Batch, Bump, EphemeralBatch, Receipt, Written},
    builder::{BuildError, Builder},
    charge::{Charge, Charged, Settle},
    collection::{At, Collection, Cursor, JoinedReader, Page, ReadOnly, Reader, Scan},
    command::{Command, Console, Run, Shows},
    context::{Client, RequestContext},
    entity::{
        Change, Column, ColumnDef, Def, Durability, DurabilityKind, Durable, Entity, EntityDef, Ephemeral, Index,
        IndexDef, Key, Ordered, PrefixOf, Projection, Reach, Recorded, ReferenceDef, Shared, Unique, Uniqueness,
        Volatile, When,
    },
    error::{AuthError, BoxError, Class, ErrorCode, FieldError, codes},
    event::{
        ActionGranted, ActionRedeemed, ChallengeIssued, LoginFailure, LoginSuccess, Logout, RefreshTokenReused,
        SessionRaised, SessionRevoked, SessionsRevokedAll, SignUpRefused, SignedUp, TokenRefreshed,
    },
    evidence::{Aal, Channel, Evidence, Factor, Factors, KeyBinding, MethodId},
    flow::{ActionGrantId, Challenge, Offer, OfferAction, Purpose},
    id::{AuditId, FlowId, Id, InvalidId, PrincipalId, SessionId, TenantId},
    import::CredentialImporter,
    job::Task,
    keys::{KeyRing, KeyRingError, MacKey, Sealed, base64url, from_base64url},
    manager::AuthManager,
    operation::{Access, Call, HttpMethod, Operation, Reply, SessionChange},
    outbox::{Deliver, Parcel},
    pipeline::{Caller, FRESH, Proof, SignUp},
    plugin::{Manifest, Plugin, Problem, Registrar, Required, Section},
    principal::{
        Ability, EndSessions, Enrolment, EnrolmentId, Identifier, IdentifierKind, Principal, PrincipalKind,
        PrincipalRow, Status, UserStore,
    },
    public_url::{InvalidPublicUrl, PublicUrl},
    requirement::{Clause, Condition, Requirement},
    schema::{Migration, Step},
    secret::{Secret, SecretText, TokenClaim, TokenKind},
    session::{
        Ending, Grant, Issue, Kept, NewSession, Progress, RefreshState, RefreshToken, Renewal, ReuseEnds, Rotation,
        Session, SessionStore, SessionSummary, SessionTimes, Shown, SignedIn, StoredSession, TokenStrategy, Tokens,
    },
    slot::{Clock, Notice, Notifier, OsRng, Rng, SystemClock},
    stage::{Admission, Aftermath, Attempt, End, FlowView, Mark, Order, Signals, Stage, StageId, StepKind},
    store::{
        Acknowledgement, BatchSpan, Capabilities, Comparison, Direction, Done, Get, Guard, Join, Lookup, Op, Query,
        Row, Scope, Set, Shape, Store, StoreError, Write, order_columns,
    },
    timestamp::{Timestamp, seconds},
    value::{ColumnKind, DecodeError, Field, Json, Value},
    verifier::{CredentialVerifier, Effect, Enroller, MethodSchemas, Prompt, StepContext, Verdict},
};

/// For the macros.
#[doc(hidden)]
pub mod __private {
    pub use schemars;
    pub use serde;
}
