use std::{fmt, mem, sync::Arc};

use authkit_core::{
    At, AuthError, Batch, Class, Collection, Principal, PrincipalId, RequestContext, TenantId, codes as core_codes,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{entity::ImportRow, error::codes, event::AccountImported, user_store::Identifiers};

mod lines;
mod planned;
mod record;

use self::{
    lines::{Line, Lines},
    planned::Planned,
    record::{Record, invalid},
};

/// Takes over accounts of another system; `auth.capability::<AccountImport>()` returns it.
///
/// An account is taken over once. It never changes one that exists: a record whose account is there already is counted,
/// one that collides with another account is refused. So whatever ended an import, it is begun again from the start of the
/// file.
///
/// # Examples
///
/// Taking over a file of records, 64 KiB at a time:
/// ```no_run
/// use std::{error::Error, io::Read};
/// use authkit_account::AccountImport;
/// use authkit_core::{AuthManager, Client};
///
/// async fn move_in(auth: &AuthManager, mut file: impl Read) -> Result<(), Box<dyn Error>> {
///     let import = auth.capability::<AccountImport>().ok_or("there are no accounts")?;
///     let mut run = import.begin();
///     let mut piece = vec![0; 64 * 1024];
///     loop {
///         let read = file.read(&mut piece)?;
///         let cx = auth.request(Client::default());
///         let refused = match piece.get(..read) {
///             Some(bytes) if read > 0 => run.feed(&cx, bytes).await?,
///             _ => run.finish(&cx).await?,
///         };
///         for row in refused {
///             println!("line {}: {} ({})", row.line, row.reason, row.code);
///         }
///         if read == 0 {
///             break;
///         }
///     }
///     println!("{:?}", run.totals());
///     Ok(())
/// }
/// ```
pub struct AccountImport {
    pub(crate) identifiers: Arc<Identifiers>,
    pub(crate) rows: Collection<ImportRow>,
}

impl AccountImport {
    /// Begins an import.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> ImportRun {
        ImportRun::new(self.clone(), None)
    }

    /// Begins a dry run: everything is checked, nothing is written.
    ///
    /// To find what collides within the file, it remembers 16 bytes for each id and identifier.
    #[must_use]
    pub fn begin_dry_run(self: &Arc<Self>) -> ImportRun {
        ImportRun::new(self.clone(), Some(Planned::default()))
    }

    /// The account that was taken over under this id of the other system.
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// # Examples
    ///
    /// An old profile of the application is joined to the account that was taken over:
    ///
    /// ```
    /// use authkit_account::AccountImport;
    /// use authkit_core::{AuthError, PrincipalId, RequestContext};
    ///
    /// async fn owner(import: &AccountImport, cx: &RequestContext, old: u64) -> Result<Option<PrincipalId>, AuthError> {
    ///     import.find(cx, &old.to_string()).await
    /// }
    /// ```
    pub async fn find(&self, cx: &RequestContext, source_id: &str) -> Result<Option<PrincipalId>, AuthError> {
        let row = self.rows.get(cx, At::key(ImportRow::by_source, (source_id.to_owned(),))).await?;
        Ok(row.map(|row| row.principal_id))
    }

    /// Checks everything about a record but what is stored, and says what to write.
    fn stage(&self, cx: &RequestContext, record: &Record) -> Result<(AccountImported, Batch), AuthError> {
        let principal = Principal::read(cx.new_id(), record.kind, record.status, 0);
        let mut batch = Batch::new(cx);
        batch.add_principal_since(cx, &principal, record.created_at);
        self.identifiers.add(cx, &principal, &record.identifiers, &mut batch);
        let row = ImportRow {
            id: cx.new_id(),
            source_id: record.source_id.clone(),
            principal_id: principal.id,
            imported_at: cx.now(),
        };
        batch.insert(&self.rows, row).or(&core_codes::CONFLICT);
        for (method, given) in &record.credentials {
            cx.import_credential(method, &principal, given.clone(), &mut batch)?;
        }
        let event = AccountImported {
            principal: principal.id,
            principal_kind: record.kind,
            credentials: record.credentials.keys().cloned().collect(),
        };
        Ok((event, batch))
    }

    /// How a record stands to what is stored.
    async fn standing(&self, cx: &RequestContext, record: &Record) -> Result<Standing, AuthError> {
        let by_id = self.find(cx, &record.source_id).await?;
        let mut by_identifier = Vec::new();
        for known in &record.identifiers {
            by_identifier.push(cx.find_principal(&known.identifier).await?.map(|principal| principal.id));
        }
        Ok(Standing::of(by_id, by_identifier))
    }

    /// Takes over one account, or says that it is there already.
    async fn take_over(&self, cx: &RequestContext, record: &Record) -> Result<Outcome, AuthError> {
        let mut lost = AuthError::new(&core_codes::CONFLICT);
        for _ in 0..TRIES {
            if let Some(outcome) = self.standing(cx, record).await?.outcome()? {
                return Ok(outcome);
            }
            let (event, batch) = self.stage(cx, record)?;
            match cx.commit(event, batch).await {
                // Another import was faster, or somebody signed up.
                Err(error) if *error.code() == core_codes::CONFLICT => lost = error,
                committed => return committed.map(|_| Outcome::Imported),
            }
        }
        Err(lost)
    }
}

impl fmt::Debug for AccountImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountImport")
    }
}

/// One pass over the records of another system, which come as JSON Lines in UTF-8, in pieces of any size.
///
/// Memory is bounded: a line has at most 64 KiB, and 100 accounts are written in one commit. An account that fails there
/// is tried alone.
pub struct ImportRun {
    import: Arc<AccountImport>,
    /// There in a dry run.
    planned: Option<Planned>,
    /// That of the first call.
    tenant: Option<TenantId>,
    lines: Lines,
    waiting: Read,
    totals: ImportTotals,
    /// Some lines were read that may not have been settled.
    torn: bool,
}

/// How many records came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ImportTotals {
    /// Accounts that were taken over, or would be.
    pub imported: u64,
    /// Accounts that had been taken over before.
    pub present: u64,
    /// Records that were refused.
    pub refused: u64,
}

/// Why a record was not taken over. Nothing of the record is quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct RefusedRow {
    /// The line of the file, counted from 1.
    pub line: u64,
    /// Code of the error.
    pub code: &'static str,
    /// What is wrong, for people.
    pub reason: String,
}

impl ImportRun {
    fn new(import: Arc<AccountImport>, planned: Option<Planned>) -> Self {
        let (lines, waiting) = (Lines::default(), Vec::new());
        Self { import, planned, tenant: None, lines, waiting, totals: ImportTotals::default(), torn: false }
    }

    /// Takes the next bytes of the file; returns the records that are refused, in the order of the file.
    ///
    /// What is taken may be written by a later call, up to [`ImportRun::finish`]. Give each call a new request to the same
    /// tenant, so that its time is right.
    ///
    /// # Errors
    ///
    /// When the store fails, or an earlier call failed or was dropped: begin the import again. What was written stays.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any point, no account is written in part. The run is over then.
    pub async fn feed(&mut self, cx: &RequestContext, mut bytes: &[u8]) -> Result<Vec<RefusedRow>, AuthError> {
        self.begin_call(cx)?;
        let mut refused = Vec::new();
        while let Some(line) = self.lines.next(&mut bytes) {
            self.take(cx, &line);
            if self.waiting.len() >= TOGETHER {
                self.settle(cx, &mut refused).await?;
            }
        }
        self.torn = false;
        Ok(refused)
    }

    /// Settles what is left at the end of the file; returns the records that are refused.
    ///
    /// # Errors
    ///
    /// As [`ImportRun::feed`].
    ///
    /// # Cancel safety
    ///
    /// As [`ImportRun::feed`].
    pub async fn finish(&mut self, cx: &RequestContext) -> Result<Vec<RefusedRow>, AuthError> {
        self.begin_call(cx)?;
        let mut refused = Vec::new();
        if let Some(line) = self.lines.rest() {
            self.take(cx, &line);
        }
        self.settle(cx, &mut refused).await?;
        self.torn = false;
        Ok(refused)
    }

    /// What has been settled so far.
    #[must_use]
    pub const fn totals(&self) -> ImportTotals {
        self.totals
    }

    /// How many lines have been read, for progress.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines.ended()
    }

    fn begin_call(&mut self, cx: &RequestContext) -> Result<(), AuthError> {
        if *self.tenant.get_or_insert(cx.tenant()) != cx.tenant() {
            return Err(AuthError::new(&core_codes::INTERNAL).because("an import went on in another tenant"));
        }
        if mem::replace(&mut self.torn, true) {
            let reason = "an import went on after a call that failed or was dropped; begin it again";
            return Err(AuthError::new(&core_codes::INTERNAL).because(reason));
        }
        Ok(())
    }

    fn take(&mut self, cx: &RequestContext, line: &Line) {
        let record = match &line.text {
            Some(text) if line.number == 1 => Record::read(cx, text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)),
            Some(text) => Record::read(cx, text),
            None => Err(invalid("record", "The line is longer than 64 KiB.")),
        };
        self.waiting.extend(record.transpose().map(|record| (line.number, record)));
    }

    /// Settles all records that wait.
    async fn settle(&mut self, cx: &RequestContext, refused: &mut Vec<RefusedRow>) -> Result<(), AuthError> {
        let records = mem::take(&mut self.waiting);
        let settled = match self.planned.as_mut() {
            Some(planned) => rehearse(&self.import, planned, cx, records).await?,
            None => write(&self.import, cx, records).await?,
        };
        for (line, outcome) in settled {
            match outcome {
                Ok(Outcome::Imported) => self.totals.imported += 1,
                Ok(Outcome::Present) => self.totals.present += 1,
                Err(error) => {
                    self.totals.refused += 1;
                    refused.push(RefusedRow::new(line, &error));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ImportRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportRun").field("totals", &self.totals).finish_non_exhaustive()
    }
}

impl RefusedRow {
    fn new(line: u64, error: &AuthError) -> Self {
        let fields: Vec<String> =
            error.fields().iter().map(|field| format!("{}: {}", field.field, field.message)).collect();
        let reason = if fields.is_empty() { error.to_string() } else { fields.join(" ") };
        Self { line, code: error.code().code, reason }
    }
}

/// How a record stands to the accounts that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its id is that of an account with other identifiers.
    Differs,
    /// Nobody has its id or any of its identifiers.
    New,
    /// It was taken over before.
    Present,
    /// Another account has one of its identifiers.
    Taken,
}

impl Standing {
    /// Judges by whose the id and each of the identifiers is.
    fn of<O: PartialEq>(by_id: Option<O>, by_identifier: impl IntoIterator<Item = Option<O>>) -> Self {
        let mut by_identifier = by_identifier.into_iter();
        match by_id {
            Some(_) if by_identifier.all(|owner| owner == by_id) => Self::Present,
            Some(_) => Self::Differs,
            None if by_identifier.any(|owner| owner.is_some()) => Self::Taken,
            None => Self::New,
        }
    }

    /// What there is to say without writing.
    fn outcome(self) -> Result<Option<Outcome>, AuthError> {
        match self {
            Self::Differs => Err(AuthError::new(&codes::IMPORTED_OTHERWISE)),
            Self::New => Ok(None),
            Self::Present => Ok(Some(Outcome::Present)),
            Self::Taken => Err(AuthError::new(&codes::IDENTIFIER_TAKEN)),
        }
    }
}

/// What became of a record that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Imported,
    Present,
}

/// Records by line, as far as they could be read.
type Read = Vec<(u64, Result<Record, AuthError>)>;
/// Records by line, and what became of them.
type Settled = Vec<(u64, Result<Outcome, AuthError>)>;

/// Writes records in one commit; where that is lost, each in one of its own.
async fn write(import: &AccountImport, cx: &RequestContext, records: Read) -> Result<Settled, AuthError> {
    let mut settled = Settled::new();
    let (mut sound, mut events, mut batch) = (Vec::new(), Vec::new(), Batch::new(cx));
    for (line, record) in records {
        match record.and_then(|record| Ok((import.stage(cx, &record)?, record))) {
            Ok(((event, own), record)) => {
                sound.push((line, record));
                events.push(event);
                batch.absorb(own);
            }
            Err(error) => settled.push((line, Err(about_record(error)?))),
        }
    }
    let Some(last) = events.pop() else {
        return Ok(settled);
    };
    events.iter().for_each(|event| batch.record(event));
    match cx.commit(last, batch).await {
        Ok(_) => settled.extend(sound.into_iter().map(|(line, _)| (line, Ok(Outcome::Imported)))),
        Err(error) => {
            about_record(error)?;
            for (line, record) in sound {
                let outcome = match import.take_over(cx, &record).await {
                    Ok(outcome) => Ok(outcome),
                    Err(error) => Err(about_record(error)?),
                };
                settled.push((line, outcome));
            }
        }
    }
    settled.sort_by_key(|(line, _)| *line);
    Ok(settled)
}

/// Checks records as [`write`] does, and writes nothing.
async fn rehearse(
    import: &AccountImport,
    planned: &mut Planned,
    cx: &RequestContext,
    records: Read,
) -> Result<Settled, AuthError> {
    let mut settled = Settled::new();
    for (line, record) in records {
        let outcome = match record.and_then(|record| import.stage(cx, &record).map(|_| record)) {
            Err(error) => Err(about_record(error)?),
            Ok(record) => match import.standing(cx, &record).await?.outcome() {
                Ok(None) => planned.add(&record).outcome().map(|outcome| outcome.unwrap_or(Outcome::Imported)),
                Ok(Some(outcome)) => Ok(outcome),
                Err(error) => Err(error),
            },
        };
        settled.push((line, outcome));
    }
    Ok(settled)
}

/// Tells what is wrong with a record from what ends the import.
fn about_record(error: AuthError) -> Result<AuthError, AuthError> {
    match error.code().class {
        Class::Conflict | Class::Forbidden | Class::Invalid | Class::TooLarge => Ok(error),
        _ => Err(error),
    }
}

/// So many accounts are written in one commit.
const TOGETHER: usize = 100;
/// How often one account is tried against others who make it.
const TRIES: usize = 3;
/// Stands at the beginning of some files in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
