use authkit_core::{AuthError, PrincipalId, PrincipalKind, Run, SecretText};
use clap::error::ErrorKind;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Everything {
    /// Whom.
    whom: String,
    /// Which ones.
    ids: Vec<PrincipalId>,
    /// The password.
    password: SecretText,
    /// The second one.
    pin: Option<SecretText>,
    /// What it is.
    #[serde(default = "human")]
    kind: PrincipalKind,
    /// How many.
    #[serde(default)]
    how_many: u32,
    /// Whether.
    #[serde(default)]
    really: bool,
    /// What else.
    tag: Option<Vec<String>>,
    /// Since when.
    since: Option<Timestamp>,
    /// Anything.
    extra: Option<std::collections::BTreeMap<String, u8>>,
}

fn human() -> PrincipalKind {
    PrincipalKind::Human
}

async fn nothing(_: Run<u8>, _: Everything) -> Result<(), AuthError> {
    Ok(())
}

fn commands() -> Vec<Command> {
    vec![Command::list("things do", "Does things.", nothing)]
}

fn parse(arguments: &str) -> Result<JsonValue, clap::Error> {
    let commands = commands();
    let arguments = ["app"].into_iter().chain(arguments.split_whitespace());
    let matches = program("app", &commands).try_get_matches_from(arguments)?;
    let (command, given) = chosen(&commands, &matches).unwrap();
    Ok(JsonValue::Object(input(&Field::all(command), &given)))
}

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn clap_finds_no_fault_in_what_is_made() {
    program("app", &commands()).debug_assert();
}

#[test]
fn required_fields_stand_in_their_order_and_others_are_options() {
    let given = parse(&format!("things do bob@example.com {ID} {ID} --how-many 3 --really --tag a --tag b")).unwrap();
    let expected = json!({
        "whom": "bob@example.com", "ids": [ID, ID], "kind": "human", "how_many": 3, "really": true, "tag": ["a", "b"],
    });
    assert_eq!(given, expected);
}

#[test]
fn what_has_a_closed_set_of_values_takes_no_other() {
    assert_eq!(parse(&format!("things do bob {ID} --kind service")).unwrap()["kind"], "service");
    for wrong in
        [&format!("things do bob {ID} --kind robot"), "things do bob 7", &format!("things do bob {ID} --how-many x")]
    {
        let kind = parse(wrong).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::InvalidValue | ErrorKind::ValueValidation), "{wrong}: {kind}");
    }
}

#[test]
fn a_time_is_told_from_what_is_none() {
    let since = |text: &str| parse(&format!("things do bob {ID} --since {text}"));
    for text in ["2026-11-21T18:00:00Z", "2026-11-21T18:00:00.123+01:00"] {
        assert_eq!(since(text).unwrap()["since"], text);
    }
    for wrong in ["yesterday", "2026-11-21", "2026-02-30T00:00:00Z", "1800000000000"] {
        let error = since(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ValueValidation, "{wrong}");
        assert!(error.to_string().contains("give a time as in 2026-11-21T18:00:00Z"), "{error}");
    }
}

#[test]
fn json_is_taken_where_nothing_simpler_fits() {
    assert_eq!(parse(&format!("things do bob {ID} --extra {{\"a\":1}}")).unwrap()["extra"], json!({ "a": 1 }));
}

#[test]
fn no_secret_is_taken_from_the_arguments() {
    for attempt in ["--password x", "--password=x", "--pin=x", "--pin x", "-p x"] {
        assert!(parse(&format!("things do --really {attempt} bob {ID}")).is_err(), "{attempt}");
    }
    let given = parse(&format!("things do bob {ID} --pin")).unwrap();
    assert!(given.get("pin").is_none() && given.get("password").is_none(), "{given}");
}

#[test]
fn secrets_are_asked_for_if_required_or_named() {
    let commands = commands();
    let asked = |arguments: &str| -> Vec<String> {
        let arguments = format!("app things do bob {ID} {arguments}");
        let matches = program("app", &commands).try_get_matches_from(arguments.split_whitespace()).unwrap();
        let (command, given) = chosen(&commands, &matches).unwrap();
        let fields = Field::all(command);
        fields.into_iter().filter(|field| field.is_asked_for(&given)).map(|field| field.name).collect()
    };
    assert_eq!(asked(""), ["password"]);
    assert_eq!(asked("--pin"), ["password", "pin"]);
}

#[test]
fn arguments_that_may_hold_a_secret_are_known() {
    let hold = |arguments: &[&str]| {
        let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
        may_hold_secret(&commands(), &arguments)
    };
    assert!(hold(&["app", "--json", "things", "do", "hunter2"]));
    assert!(!hold(&["app", "things", "hunter2"]));
}
