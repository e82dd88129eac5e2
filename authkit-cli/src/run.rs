use std::{ffi::OsString, io, path::Path, process::ExitCode, sync::Arc};

use authkit_core::{AuthManager, PrincipalId, TenantId};
use clap::error::ErrorKind;
use serde_json::Value as JsonValue;

use crate::{
    arguments::{self, Field},
    console::{Form, Operator, Reader, Terminal, tell},
    escape, failure, secret,
};

/// Runs the command that the arguments name; none if there are no arguments beside the name of the program.
///
/// Values go to standard output, everything else to standard error. The code is 0 when done, 1 when refused or failed, 2
/// for arguments that make no sense, 75 for what may succeed if it is tried again.
///
/// # Cancel safety
///
/// Dropped at any point, every act that was made is whole, and none is made after.
///
/// # Examples
///
/// Between `build()` and the server, so that `app accounts create …` is a command and `app` alone serves:
///
/// ```
/// use std::process::ExitCode;
/// use authkit_core::{AuthError, AuthManager};
///
/// async fn start(auth: AuthManager) -> Result<ExitCode, AuthError> {
///     if let Some(code) = authkit_cli::run(&auth, std::env::args_os()).await {
///         return Ok(code);
///     }
///     auth.migrate().await?;
///     // … and then the server.
///     Ok(ExitCode::SUCCESS)
/// }
/// ```
pub async fn run(auth: &AuthManager, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Option<ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    if arguments.len() < 2 {
        return None;
    }
    Some(ExitCode::from(run_code(auth, &arguments).await))
}

async fn run_code(auth: &AuthManager, arguments: &[OsString]) -> u8 {
    let program = arguments.first().and_then(|path| Path::new(path).file_stem()?.to_str()).unwrap_or("app");
    let matches = match arguments::program(program, auth.commands()).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return misunderstood(auth, arguments, &error),
    };
    let Some((command, given)) = arguments::chosen(auth.commands(), &matches) else {
        return failure::USAGE;
    };
    let fields = Field::all(command);
    let mut input = arguments::input(&fields, &given);
    let secrets = fields.iter().filter(|field| field.is_asked_for(&given));
    let read = match given.try_get_one::<bool>("stdin") {
        Ok(Some(true)) => secret::read(&mut io::stdin().lock(), secrets, &mut input),
        _ => secret::ask(secrets, &mut input),
    };
    if let Err(refusal) = read {
        tell(&format!("error: {refusal}\n"));
        return failure::USAGE;
    }

    let operator = Operator {
        tenant: given.get_one::<TenantId>("tenant").copied().unwrap_or(TenantId::DEFAULT),
        actor: given.get_one::<PrincipalId>("actor").copied(),
    };
    let form = if given.get_flag("json") { Form::Json } else { Form::Text };
    let terminal = Arc::new(Terminal::new(auth, operator, form, command));
    let outcome = command.run(terminal.clone(), JsonValue::Object(input)).await;
    if terminal.reader() == Reader::Gone {
        return 0;
    }
    let written = terminal.finish();
    if let Err(error) = outcome {
        tell(&if form == Form::Json { failure::json(&error) } else { failure::text(&error) });
        return failure::code(&error);
    }
    if let Err(error) = written {
        tell(&format!("error: the output cannot be written ({error})\n"));
        return failure::FAILED;
    }
    if terminal.is_empty() {
        tell("There are none.\n");
    }
    0
}

/// Shows help, or what is wrong with the arguments.
fn misunderstood(auth: &AuthManager, arguments: &[OsString], error: &clap::Error) -> u8 {
    let help = matches!(error.kind(), ErrorKind::DisplayHelp);
    if !help
        && !matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
        && arguments::may_hold_secret(auth.commands(), arguments)
    {
        tell(
            "error: the arguments make no sense; see --help. They are not repeated: one may be a secret.\n\
             Secrets are asked for, or read with --stdin; what was typed here is in the shell's history.\n",
        );
        return failure::USAGE;
    }
    if help {
        return if error.print().is_ok() { 0 } else { failure::USAGE };
    }
    // It repeats what was typed, which may have come from somebody else.
    tell(&escape::lines(&error.to_string()));
    failure::USAGE
}
