//! Rows of sessions and principals, as a hand-written application has them.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use authkit_core::{Row, Scope, TenantId, Timestamp, Value};
use uuid::Uuid;

use crate::apps::{authkit::Population, by_hand::now};

/// Tables in memory.
#[derive(Default)]
pub(crate) struct Tables {
    sessions: HashMap<Uuid, SessionRow>,
    principals: HashMap<Uuid, PrincipalRow>,
}

#[derive(Clone)]
#[expect(dead_code, reason = "what authkit reads is read here too")]
pub(crate) struct SessionRow {
    pub(super) secret_hash: [u8; 32],
    pub(super) principal_id: Uuid,
    pub(super) epoch: i64,
    pub(super) aal: String,
    pub(super) amr: String,
    pub(super) evidence: String,
    pub(super) generation: i64,
    pub(super) refreshes: i64,
    pub(super) created_at: i64,
    pub(super) ends_at: i64,
    pub(super) last_seen_at: i64,
    pub(super) expires_at: i64,
}

#[derive(Clone)]
#[expect(dead_code, reason = "what authkit reads is read here too")]
pub(crate) struct PrincipalRow {
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) epoch: i64,
    pub(super) sessions_from: i64,
}

/// Who sends a request.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(super) session: SessionRow,
    pub(super) principal: PrincipalRow,
}

impl Tables {
    /// What authkit made.
    pub(super) async fn of(population: &Population) -> Result<Self> {
        let mut tables = Self::default();
        for cookie in &population.cookies {
            let id = population.session(cookie)?;
            let read = population.read_of(id, Timestamp::from_millis(now()));
            let row = population.store.get(&Scope::Tenant(TenantId::DEFAULT), &read).await?;
            let (session, principal) = split(row.context("a session")?)?;
            tables.insert(Uuid::from_bytes(*id.as_bytes()), session, principal);
        }
        Ok(tables)
    }

    pub(super) fn insert(&mut self, id: Uuid, session: SessionRow, principal: PrincipalRow) {
        self.principals.insert(session.principal_id, principal);
        self.sessions.insert(id, session);
    }

    pub(super) fn find(&self, id: Uuid, now: i64) -> Option<Caller> {
        let session = self.sessions.get(&id).filter(|session| session.expires_at > now)?;
        let principal = self.principals.get(&session.principal_id)?;
        Some(Caller { session: session.clone(), principal: principal.clone() })
    }
}

fn split(row: Row) -> Result<(SessionRow, PrincipalRow)> {
    let joined = row.joined.context("a principal")?;
    let mut values = row.values.into_iter().chain(joined);
    let session = SessionRow {
        secret_hash: hash(values.next())?,
        principal_id: id(values.next())?,
        epoch: int(values.next())?,
        aal: text(values.next())?,
        amr: text(values.next())?,
        evidence: text(values.next())?,
        generation: int(values.next())?,
        refreshes: int(values.next())?,
        created_at: int(values.next())?,
        ends_at: int(values.next())?,
        last_seen_at: int(values.next())?,
        expires_at: int(values.next())?,
    };
    let principal = PrincipalRow {
        kind: text(values.next())?,
        status: text(values.next())?,
        epoch: int(values.next())?,
        sessions_from: int(values.next())?,
    };
    Ok((session, principal))
}

fn hash(value: Option<Value>) -> Result<[u8; 32]> {
    match value {
        Some(Value::Bytes(bytes)) => bytes.try_into().ok().context("32 bytes"),
        other => bail!("{other:?} is no hash"),
    }
}

fn id(value: Option<Value>) -> Result<Uuid> {
    match value {
        Some(Value::Id(id)) => Ok(Uuid::from_bytes(*id.as_bytes())),
        other => bail!("{other:?} is no id"),
    }
}

fn int(value: Option<Value>) -> Result<i64> {
    match value {
        Some(Value::Int(int)) => Ok(int),
        Some(Value::Time(at)) => Ok(at.millis()),
        other => bail!("{other:?} is no number"),
    }
}

fn text(value: Option<Value>) -> Result<String> {
    match value {
        Some(Value::Text(text) | Value::Json(text)) => Ok(text),
        other => bail!("{other:?} is no text"),
    }
}
