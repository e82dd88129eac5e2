//! The commands of core: they serve every setup, whatever is registered.

use std::{collections::HashMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;

use crate::{
    audit::{AuditRecord, Outcome, Settlement},
    batch::Batch,
    collection::Scan,
    command::{Command, Run},
    context::RequestContext,
    error::{AuthError, codes},
    event::SessionsRevokedAll,
    id::{AuditId, FlowId, PrincipalId, SessionId},
    keys,
    principal::{EndSessions, Principal, PrincipalRow, Status},
    session::SessionSummary,
    timestamp::Timestamp,
};

pub(crate) fn all() -> Vec<Command> {
    vec![
        Command::list("audit tail", "Shows the latest records of the audit log, and those that follow.", tail),
        Command::new("keys generate", "Makes a root key, to be put in front of those in AUTHKIT_KEYS.", generate),
        Command::new("migrate", "Makes the tables as the plugins declare them.", migrate),
        Command::new("sessions end", "Ends all sessions of an account.", end_sessions),
        Command::list("sessions end-all", "Ends the sessions of every account: everybody is signed out.", end_all),
        Command::list("sessions list", "Lists the sessions of an account, newest first.", sessions),
    ]
}

#[derive(Deserialize, JsonSchema)]
struct MigrateInput {
    /// Prints the statements for an empty database, and runs none.
    #[serde(default)]
    print: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Migrated {
    /// The statements.
    Printed(String),
    /// What is there now.
    Made {
        /// How many tables there are.
        tables: usize,
    },
}

async fn migrate(run: Run<Migrated>, input: MigrateInput) -> Result<Migrated, AuthError> {
    let engine = run.cx().engine;
    if input.print {
        return Ok(Migrated::Printed(engine.migration_sql()));
    }
    engine.migrate().await?;
    Ok(Migrated::Made { tables: engine.defs.len() })
}

/// Takes no input.
#[derive(Deserialize, JsonSchema)]
struct Nothing {}

async fn generate(run: Run<String>, _: Nothing) -> Result<String, AuthError> {
    Ok(keys::fresh_root(run.cx().engine.rng.as_ref()).to_string())
}

#[derive(Deserialize, JsonSchema)]
struct TailInput {
    /// How many of the latest records are shown first, at most 1000.
    #[serde(default = "twenty")]
    last: usize,
    /// Goes on with what happens from now on, until it is interrupted.
    #[serde(default)]
    follow: bool,
    /// Seconds between one look and the next, where it goes on.
    #[serde(default = "two")]
    every: u64,
    /// Only records of this event, such as `login_failure`.
    kind: Option<String>,
    /// Only records about this account: its id or one of its identifiers.
    account: Option<String>,
}

const fn twenty() -> usize {
    20
}

const fn two() -> u64 {
    2
}

/// A record of the audit log, what matters most first.
#[derive(Serialize, JsonSchema)]
struct Logged {
    /// When the request began.
    at: Timestamp,
    /// Name of the event.
    kind: String,
    /// How the act ended.
    outcome: Outcome,
    /// Which principal it concerns.
    principal_id: Option<PrincipalId>,
    /// The method that was used.
    method: Option<String>,
    /// Address of the client.
    ip: Option<String>,
    /// What the client said it is.
    user_agent: Option<String>,
    /// The event.
    data: JsonValue,
    /// Who did it, where that is another one.
    actor_id: Option<PrincipalId>,
    /// The session in which it happened.
    session_id: Option<SessionId>,
    /// The flow to which it belongs.
    flow_id: Option<FlowId>,
    /// The request, as in the logs.
    request_id: Option<String>,
    /// Whether it has landed.
    settlement: Settlement,
    /// Unique.
    id: AuditId,
}

impl From<&AuditRecord> for Logged {
    fn from(record: &AuditRecord) -> Self {
        Self {
            at: record.created_at,
            kind: record.kind.clone(),
            outcome: record.outcome,
            principal_id: record.principal_id,
            method: record.method.clone(),
            ip: record.ip.clone(),
            user_agent: record.user_agent.clone(),
            data: record.data.get().unwrap_or_default(),
            actor_id: record.actor_id,
            session_id: record.session_id,
            flow_id: record.flow_id,
            request_id: record.request_id.clone(),
            settlement: record.settlement,
            id: record.id,
        }
    }
}

async fn tail(run: Run<Logged>, input: TailInput) -> Result<(), AuthError> {
    let cx = run.cx();
    let principal = match &input.account {
        Some(account) => Some(run.principal(&cx, account).await?.id),
        None => None,
    };
    let watch = Watch { principal, kind: input.kind };
    let mut known = HashMap::new();
    if input.follow {
        // Before the latest are read: what comes between is then shown once, not never.
        watch.look(&cx, &mut known, None).await?;
    }
    if input.last > 0 {
        let latest = watch.scan().descending().limit(input.last);
        let latest = cx.engine.audit.records.query(&cx, latest).await?;
        for record in latest.items.iter().rev() {
            known.insert(record.id, record.created_at);
            run.show(&record.into()).await?;
        }
    }
    if known.is_empty() {
        watch.require_kind(&cx)?;
    }
    if !input.follow {
        return Ok(());
    }
    loop {
        run.sleep(Duration::from_secs(input.every.max(1))).await;
        watch.look(&run.cx(), &mut known, Some(&run)).await?;
    }
}

/// A record says when its request began, and is there once that has committed: what takes longer is not noticed.
const LATE: Duration = Duration::from_secs(120);

/// The records that somebody watches.
struct Watch {
    principal: Option<PrincipalId>,
    kind: Option<String>,
}

impl Watch {
    fn scan(&self) -> Scan<AuditRecord> {
        let scan = match (self.principal, &self.kind) {
            (Some(id), None) => Scan::of(AuditRecord::by_principal, (Some(id),)),
            (Some(id), Some(kind)) => {
                Scan::of(AuditRecord::by_principal, (Some(id),)).filter(AuditRecord::kind.eq(kind.clone()))
            }
            (None, Some(kind)) => Scan::of(AuditRecord::by_kind, (kind.clone(),)),
            (None, None) => Scan::of(AuditRecord::by_time, ()),
        };
        scan.filter(AuditRecord::settlement.ne(Settlement::Aborted))
    }

    /// Refuses an event that no plugin declares. Of one that is gone there may still be records.
    fn require_kind(&self, cx: &RequestContext) -> Result<(), AuthError> {
        let declared = &cx.engine.audit.kinds;
        match &self.kind {
            Some(kind) if !declared.contains_key(kind.as_str()) => {
                let mut names: Vec<&str> = declared.keys().copied().collect();
                names.sort_unstable();
                let known = format!("No event has this name. Those that are recorded: {}.", names.join(", "));
                Err(AuthError::new(&codes::INVALID_INPUT).field("kind", known))
            }
            _ => Ok(()),
        }
    }

    /// Takes note of the records of late and shows those that are new. Neither ids nor times are in the order of
    /// commits, so each look covers again what may have been committed since.
    async fn look(
        &self,
        cx: &RequestContext,
        known: &mut HashMap<AuditId, Timestamp>,
        shown: Option<&Run<Logged>>,
    ) -> Result<(), AuthError> {
        let since = cx.now().minus(LATE);
        known.retain(|_, at| *at >= since);
        let mut after = None;
        loop {
            let scan = self.scan().at_least(since).limit(Scan::<AuditRecord>::MAX_LIMIT).after(after);
            let page = cx.engine.audit.records.query(cx, scan).await?;
            for record in &page.items {
                let new = known.insert(record.id, record.created_at).is_none();
                if let (true, Some(run)) = (new, shown) {
                    run.show(&record.into()).await?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

#[derive(Deserialize, JsonSchema)]
struct AccountInput {
    /// The account: its id or one of its identifiers.
    account: String,
}

#[derive(Serialize, JsonSchema)]
struct Ended {
    /// Whose sessions.
    account: PrincipalId,
}

async fn end_sessions(run: Run<Ended>, input: AccountInput) -> Result<Ended, AuthError> {
    let cx = run.cx();
    let principal = run.principal(&cx, &input.account).await?;
    end_all_of(&cx, &principal).await?;
    Ok(Ended { account: principal.id })
}

async fn end_all_of(cx: &RequestContext, principal: &Principal) -> Result<(), AuthError> {
    let mut batch = Batch::new(cx);
    batch.raise_epoch(cx, principal, EndSessions::All);
    let event = SessionsRevokedAll { principal: principal.id, session: None, kept: None };
    cx.commit(event, batch).await?;
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
struct EndAllInput {
    /// Confirms that everybody is to be signed out.
    #[serde(default)]
    yes: bool,
    /// Goes on after an interruption: the last time that was shown in the column through.
    from: Option<Timestamp>,
}

/// How far it came.
#[derive(Serialize, JsonSchema)]
struct EndedAll {
    /// How many accounts are done.
    accounts: u64,
    /// Every account that has been active since this time or before is done; an interrupted run goes on from it.
    through: Timestamp,
}

/// Accounts are taken in the order in which they became active, so one that does so meanwhile is not missed.
async fn end_all(run: Run<EndedAll>, input: EndAllInput) -> Result<(), AuthError> {
    if !input.yes {
        return Err(AuthError::new(&codes::INVALID_INPUT).field("yes", UNCONFIRMED));
    }
    let (mut accounts, mut after) = (0, None);
    loop {
        let cx = run.cx();
        // Of other accounts the sessions ended when they ceased to be active.
        let active =
            Scan::of(PrincipalRow::by_status, (Status::Active,)).at_least(input.from.unwrap_or(Timestamp::MIN));
        let page = cx.engine.spine.principals.query(&cx, active.limit(AT_A_TIME).after(after)).await?;
        let Some(through) = page.items.last().map(|row| row.status_at) else {
            return Ok(());
        };
        for row in &page.items {
            end_whatever_changes(&run, row.into()).await?;
            accounts += 1;
            run.progress(accounts, None);
        }
        run.show(&EndedAll { accounts, through }).await?;
        // What was shown is written before more is done: whoever interrupts this knows how far it came.
        run.sleep(Duration::ZERO).await;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Ends the sessions of a principal that may have changed since it was read.
async fn end_whatever_changes(run: &Run<EndedAll>, mut principal: Principal) -> Result<(), AuthError> {
    loop {
        let cx = run.cx();
        let refused = match end_all_of(&cx, &principal).await {
            Err(error) if *error.code() == codes::CONFLICT => error,
            ended => return ended,
        };
        match cx.principal(principal.id).await? {
            Some(same) if same == principal => return Err(refused),
            Some(changed) if changed.status == Status::Active => principal = changed,
            // What removed it or shut it out ended its sessions.
            _ => return Ok(()),
        }
    }
}

/// Accounts that are read at once.
const AT_A_TIME: usize = 100;
const UNCONFIRMED: &str = "This signs everybody out, each on every device. To do it, add --yes.";

async fn sessions(run: Run<SessionSummary>, input: AccountInput) -> Result<(), AuthError> {
    let cx = run.cx();
    let principal = run.principal(&cx, &input.account).await?.id;
    let mut after = None;
    loop {
        let page = cx.engine.sessions.list(&cx, principal, after).await?;
        for session in &page.items {
            run.show(session).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
