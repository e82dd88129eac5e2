//! What a shell could not offer.

use authkit_core::{AuthError, Command, Registrar, Run};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Odd, complete, refused, twice, with};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Reserved {
    json: bool,
}

async fn nothing<I>(_: Run<u8>, _: I) -> Result<u8, AuthError> {
    Ok(0)
}

fn named(name: &'static str) -> impl Fn(&mut Registrar<'_>) {
    move |registrar| registrar.command(Command::new(name, "Does nothing.", nothing::<Nothing>))
}

#[test]
fn commands_are_found_by_their_names() {
    let auth = with(Odd::adding("odd", named("odd things-do"))).build().unwrap();
    let names: Vec<&str> = auth.commands().iter().map(|command| command.name).collect();
    assert!(names.is_sorted() && names.contains(&"odd things-do"), "{names:?}");
    let core = ["audit tail", "keys generate", "migrate", "sessions end", "sessions end-all", "sessions list"];
    assert!(core.iter().all(|name| names.contains(name)), "{names:?}");
}

#[test]
fn a_command_is_declared_once() {
    refused(
        twice(|registrar| named("odd do")(registrar)),
        ["authkit: the command odd do is declared more than once, by one and other; rename or drop one"],
    );
}

#[test]
fn a_command_is_no_group_of_others() {
    refused(
        complete().plugin(Odd::adding("one", named("odd"))).plugin(Odd::adding("other", named("odd do"))),
        ["one: the command odd begins the name of odd do; rename one"],
    );
    assert!(with(Odd::adding("odd", named("migrations list"))).build().is_ok());
}

#[test]
fn a_command_is_made_of_plain_words() {
    for name in ["", "Odd", "odd  do", "odd do ", "-odd", "odd_do", "odd\u{1b}"] {
        let expected = format!("odd: the command {name:?} has to consist of lower-case words, as in accounts list");
        refused(with(Odd::adding("odd", named(name))), [expected.as_str()]);
    }
    refused(
        with(Odd::adding("odd", named("help me"))),
        ["odd: the command \"help me\" has to consist of lower-case words, as in accounts list"],
    );
}

#[test]
fn a_command_takes_a_struct_without_words_of_the_shell() {
    let text = |registrar: &mut Registrar<'_>| {
        registrar.command(Command::new("odd do", "Does nothing.", nothing::<String>));
    };
    refused(with(Odd::adding("odd", text)), ["odd: the command odd do has to take a struct"]);
    let reserved = |registrar: &mut Registrar<'_>| {
        registrar.command(Command::new("odd do", "Does nothing.", nothing::<Reserved>));
    };
    refused(
        with(Odd::adding("odd", reserved)),
        ["odd: the command odd do takes json, which is the shell's own word; rename the field"],
    );
}
