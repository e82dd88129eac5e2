use std::sync::Arc;

use authkit_core::{
    At, AuthError, Command, PrincipalId, PrincipalKind, PrincipalRow, RequestContext, Run, Scan, Status, Timestamp,
    codes as core_codes,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    admin::AccountAdmin,
    error::codes,
    import::{AccountImport, RefusedRow},
};

/// What operators do with accounts.
pub(crate) fn all(admin: &Arc<AccountAdmin>) -> [Command; 7] {
    [
        create(admin.clone()),
        list(admin.clone()),
        show(admin.clone()),
        change(admin.clone(), Change::Delete),
        change(admin.clone(), Change::Disable),
        change(admin.clone(), Change::Enable),
        change(admin.clone(), Change::Restore),
    ]
}

/// An account, as operators see it.
#[derive(Serialize, JsonSchema)]
struct Account {
    /// Unique.
    id: PrincipalId,
    /// What it is.
    kind: PrincipalKind,
    /// Whether it may authenticate.
    status: Status,
    /// By what it is found, as it was typed.
    identifiers: Vec<String>,
    /// When it was made.
    created_at: Timestamp,
    /// When it last signed in.
    last_login_at: Option<Timestamp>,
}

impl AccountAdmin {
    async fn account(&self, cx: &RequestContext, row: PrincipalRow) -> Result<Account, AuthError> {
        let identifiers = self.identifiers.of(cx, row.id).await?;
        Ok(Account {
            id: row.id,
            kind: row.kind,
            status: row.status,
            identifiers: identifiers.into_iter().map(|identifier| identifier.value).collect(),
            created_at: row.created_at,
            last_login_at: row.last_login_at,
        })
    }

    async fn account_of(&self, cx: &RequestContext, id: PrincipalId) -> Result<Account, AuthError> {
        let row = self.principals.get(cx, At::id(id)).await?.ok_or(AuthError::new(&core_codes::NOT_FOUND))?;
        self.account(cx, row).await
    }
}

#[derive(Deserialize, JsonSchema)]
struct CreateInput {
    /// By what it is found: an e-mail address. The first one is primary.
    identifiers: Vec<String>,
    /// What it is.
    #[serde(default = "human")]
    kind: PrincipalKind,
}

const fn human() -> PrincipalKind {
    PrincipalKind::Human
}

fn create(admin: Arc<AccountAdmin>) -> Command {
    let handler = move |run: Run<Account>, input: CreateInput| {
        let admin = admin.clone();
        async move {
            let cx = run.cx();
            let identifiers: Vec<&str> = input.identifiers.iter().map(String::as_str).collect();
            let made = admin.create(&cx, input.kind, &identifiers).await?;
            admin.account_of(&cx, made.id).await
        }
    };
    Command::new("accounts create", "Makes an account. It cannot sign in before it gets a credential.", handler)
}

#[derive(Deserialize, JsonSchema)]
struct ListInput {
    /// Only accounts in this status.
    status: Option<Status>,
}

fn list(admin: Arc<AccountAdmin>) -> Command {
    let handler = move |run: Run<Account>, input: ListInput| {
        let admin = admin.clone();
        async move {
            let statuses = match input.status {
                Some(status) => vec![status],
                None => vec![Status::Active, Status::Disabled, Status::Deleted],
            };
            let mut shown = 0;
            for status in statuses {
                let mut after = None;
                loop {
                    let cx = run.cx();
                    let page = Scan::of(PrincipalRow::by_status, (status,)).after(after);
                    let page = admin.principals.query(&cx, page).await?;
                    for row in page.items {
                        run.show(&admin.account(&cx, row).await?).await?;
                        shown += 1;
                    }
                    run.progress(shown, None);
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
            }
            Ok(())
        }
    };
    Command::list(
        "accounts list",
        "Lists accounts by status, and those of one status by when they came to it.",
        handler,
    )
}

#[derive(Deserialize, JsonSchema)]
struct AccountInput {
    /// The account: its id or one of its identifiers.
    account: String,
}

fn show(admin: Arc<AccountAdmin>) -> Command {
    let handler = move |run: Run<Account>, input: AccountInput| {
        let admin = admin.clone();
        async move {
            let cx = run.cx();
            let id = run.principal(&cx, &input.account).await?.id;
            admin.account_of(&cx, id).await
        }
    };
    Command::new("accounts show", "Shows an account.", handler)
}

#[derive(Deserialize, JsonSchema)]
struct ImportInput {
    /// Checks everything and writes nothing.
    #[serde(default)]
    dry_run: bool,
}

/// What became of records of an import: first those that were refused, at the end all in numbers.
#[derive(Serialize, JsonSchema)]
struct Imported {
    /// The line of a record that was refused.
    line: Option<u64>,
    /// `imported`, `present` or `refused`; of a dry run `importable` for the first; of a record that was refused, the code.
    outcome: &'static str,
    /// How many records.
    records: u64,
    /// Why it was refused.
    reason: Option<String>,
}

impl From<RefusedRow> for Imported {
    fn from(row: RefusedRow) -> Self {
        Self { line: Some(row.line), outcome: row.code, records: 1, reason: Some(row.reason) }
    }
}

pub(crate) fn import(import: Arc<AccountImport>) -> Command {
    let handler = move |run: Run<Imported>, input: ImportInput| {
        let import = import.clone();
        async move {
            let mut pass = if input.dry_run { import.begin_dry_run() } else { import.begin() };
            loop {
                let piece = run.read().await?;
                let refused = match piece.as_slice() {
                    [] => pass.finish(&run.cx()).await?,
                    bytes => pass.feed(&run.cx(), bytes).await?,
                };
                for row in refused {
                    run.show(&row.into()).await?;
                }
                run.progress(pass.lines(), None);
                if piece.is_empty() {
                    break;
                }
            }
            let totals = pass.totals();
            let taken = if input.dry_run { "importable" } else { "imported" };
            let all = [(taken, totals.imported), ("present", totals.present), ("refused", totals.refused)];
            for (outcome, records) in all {
                run.show(&Imported { line: None, outcome, records, reason: None }).await?;
            }
            if totals.refused > 0 { Err(AuthError::new(&codes::ROWS_REFUSED)) } else { Ok(()) }
        }
    };
    Command::list("accounts import", "Takes over accounts of another system: JSON Lines from standard input.", handler)
}

/// What an operator does to the status of an account.
#[derive(Clone, Copy)]
enum Change {
    Delete,
    Disable,
    Enable,
    Restore,
}

fn change(admin: Arc<AccountAdmin>, change: Change) -> Command {
    let handler = move |run: Run<Account>, input: AccountInput| {
        let admin = admin.clone();
        async move {
            let cx = run.cx();
            let account = run.principal(&cx, &input.account).await?;
            let changed = match change {
                Change::Delete => admin.delete(&cx, account.id).await,
                Change::Disable => admin.disable(&cx, account.id).await,
                Change::Enable => admin.enable(&cx, account.id).await,
                Change::Restore => admin.restore(&cx, account.id).await,
            };
            changed.map_err(|error| explained(error, account.status))?;
            admin.account_of(&cx, account.id).await
        }
    };
    let (name, summary) = match change {
        Change::Delete => {
            ("accounts delete", "Ends an account's sessions and shuts it out. It is purged when its grace is over.")
        }
        Change::Disable => ("accounts disable", "Ends an account's sessions and shuts it out."),
        Change::Enable => ("accounts enable", "Lets a disabled account in again."),
        Change::Restore => ("accounts restore", "Brings a deleted account back. It is disabled; enable lets it in."),
    };
    Command::new(name, summary, handler)
}

/// Says what the status is that does not permit a change.
fn explained(error: AuthError, status: Status) -> AuthError {
    if *error.code() != codes::WRONG_STATUS {
        return error;
    }
    let text = match status {
        Status::Active => "The account is active; only a deleted one can be restored.",
        Status::Deleted => "The account is deleted; restore brings it back while its grace lasts.",
        _ => return error,
    };
    error.field("account", text)
}
