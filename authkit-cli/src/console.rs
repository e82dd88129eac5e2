//! The terminal or pipe that the program was started from.

use std::{
    io::{self, IsTerminal as _, Read as _, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use authkit_core::{AuthManager, BoxError, Client, Command, Console, PrincipalId, RequestContext, Shows, TenantId};
use serde_json::Value as JsonValue;

use crate::{
    escape,
    table::{self, Table},
};

/// The most bytes that are read at a time.
const PIECE: u64 = 64 * 1024;

/// In whose name a command runs.
#[derive(Clone, Copy)]
pub(crate) struct Operator {
    pub(crate) tenant: TenantId,
    pub(crate) actor: Option<PrincipalId>,
}

/// How values are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON value a line.
    Json,
    /// For people.
    Text,
}

pub(crate) struct Terminal {
    auth: AuthManager,
    operator: Operator,
    form: Form,
    command: Command,
    screen: Mutex<Screen>,
}

struct Screen {
    table: Table,
    /// Whether a line of progress stands there.
    progress: bool,
    reader: Reader,
}

/// Whether anybody reads what is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Not any more, as in `accounts list | head`.
    Gone,
    There,
}

impl Terminal {
    pub(crate) fn new(auth: &AuthManager, operator: Operator, form: Form, command: &Command) -> Self {
        let screen = Screen { table: Table::of(command), progress: false, reader: Reader::There };
        Self { auth: auth.clone(), operator, form, command: command.clone(), screen: Mutex::new(screen) }
    }

    /// Writes what is left. That nobody reads it is no error.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let mut screen = self.screen();
        screen.clear_progress();
        let rest = screen.table.flush();
        match screen.write(&rest) {
            Err(error) if screen.reader == Reader::There => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn reader(&self) -> Reader {
        self.screen().reader
    }

    /// Whether it was to show any number of values, and there were none.
    pub(crate) fn is_empty(&self) -> bool {
        self.form == Form::Text && self.command.shows == Shows::Many && self.screen().table.is_empty()
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Screen {
    fn write(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.clear_progress();
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if matches!(&written, Err(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            self.reader = Reader::Gone;
        }
        written
    }

    fn clear_progress(&mut self) {
        if std::mem::take(&mut self.progress) {
            tell("\r\x1b[K");
        }
    }
}

/// Says something beside the output. That nobody listens is no failure.
pub(crate) fn tell(text: &str) {
    io::stderr().write_all(text.as_bytes()).unwrap_or_default();
}

#[async_trait]
impl Console for Terminal {
    fn cx(&self) -> RequestContext {
        let client = Client::default().user_agent(concat!("authkit-cli/", env!("CARGO_PKG_VERSION")));
        let cx = self.auth.request_to(self.operator.tenant, client);
        match self.operator.actor {
            Some(actor) => cx.acting(actor),
            None => cx,
        }
    }

    async fn show(&self, value: JsonValue) -> Result<(), BoxError> {
        let mut screen = self.screen();
        let text = match (self.form, self.command.shows) {
            (Form::Json, _) => format!("{}\n", escape::json(&value)),
            (Form::Text, Shows::One) => table::block(&self.command, &value),
            (Form::Text, Shows::Many) => screen.table.push(&value),
        };
        Ok(screen.write(&text)?)
    }

    async fn read(&self) -> Result<Vec<u8>, BoxError> {
        let source = io::stdin().lock();
        if source.is_terminal() {
            return Err("nothing is handed in; send a file to standard input, as in `… < users.jsonl`".into());
        }
        let mut piece = Vec::new();
        source.take(PIECE).read_to_end(&mut piece)?;
        Ok(piece)
    }

    fn progress(&self, done: u64, of: Option<u64>) {
        // What is shown on the same terminal is progress enough.
        let showing = self.command.shows == Shows::Many && !self.screen().table.is_empty();
        if !io::stderr().is_terminal() || (showing && io::stdout().is_terminal()) {
            return;
        }
        let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
        tell(&format!("\r\x1b[K{done}{of} "));
        self.screen().progress = true;
    }

    #[expect(clippy::disallowed_methods, reason = "a command that follows something waits for it")]
    async fn sleep(&self, span: Duration) {
        let text = self.screen().table.flush();
        if self.screen().write(&text).is_ok() {
            tokio::time::sleep(span).await;
        }
    }
}
