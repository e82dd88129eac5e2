//! Commands as clap understands them, and back: arguments as the input of a command.

use std::ffi::OsString;

use authkit_core::{Command, Id, PrincipalId, TenantId, Timestamp};
use clap::{Arg, ArgAction, ArgMatches, builder::PossibleValuesParser, value_parser};
use serde_json::{Map, Value as JsonValue};

/// One field of an input.
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    required: bool,
    help: String,
    default: Option<String>,
}

/// What a field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of these.
    Choice(Vec<String>),
    /// A 128-bit id.
    Id,
    /// A whole number.
    Integer,
    /// Whatever else, as JSON.
    Json,
    /// Several.
    List(Box<Self>),
    /// A text that is not taken from the arguments.
    Secret,
    /// On if it is given.
    Switch,
    /// Any text.
    Text,
    /// A point in time, as RFC 3339 spells it.
    Time,
}

/// Every command, below the name of the program.
pub(crate) fn program(name: &str, commands: &[Command]) -> clap::Command {
    let root = clap::Command::new(name.to_owned()).about("Commands of operators.");
    let root = commands.iter().fold(root, |root, command| {
        let words: Vec<&str> = command.name.split(' ').collect();
        place(root, &words, command)
    });
    let groups: Vec<String> = root.get_subcommands().map(|group| group.get_name().to_owned()).collect();
    let root = groups.iter().fold(root, |root, group| root.mut_subcommand(group, summed_up));
    root.subcommand_required(true)
        .arg_required_else_help(true)
        .disable_version_flag(true)
        .arg(flag("json", "Writes JSON, one value a line").global(true))
        .arg(id("tenant", "The tenant; the only one unless given").value_parser(value_parser!(TenantId)).global(true))
        .arg(id("actor", "Who does it, for the audit log").value_parser(value_parser!(PrincipalId)).global(true))
}

/// Puts a command below the words of its name.
fn place(parent: clap::Command, words: &[&str], command: &Command) -> clap::Command {
    let Some((word, rest)) = words.split_first() else {
        return fill(parent, command);
    };
    let there = parent.find_subcommand(word).is_some();
    let child = |child: clap::Command| place(child, rest, command);
    if there {
        return parent.mut_subcommand(*word, child);
    }
    let group = clap::Command::new((*word).to_owned());
    let group = if rest.is_empty() { group } else { group.subcommand_required(true).arg_required_else_help(true) };
    parent.subcommand(child(group))
}

/// A group is described by what is in it.
fn summed_up(group: clap::Command) -> clap::Command {
    let names: Vec<&str> = group.get_subcommands().map(clap::Command::get_name).collect();
    if names.is_empty() {
        return group;
    }
    let names = names.join(", ");
    group.about(names)
}

fn fill(clap: clap::Command, command: &Command) -> clap::Command {
    let fields = Field::all(command);
    let clap = clap.about(sentence(command.summary));
    let clap = fields.iter().filter_map(Field::argument).fold(clap, clap::Command::arg);
    if !fields.iter().any(|field| field.kind == Kind::Secret) {
        return clap;
    }
    let names: Vec<&str> = fields.iter().filter(|f| f.kind == Kind::Secret).map(|f| f.name.as_str()).collect();
    let names = names.join(" and ").replace('_', " ");
    clap.arg(flag("stdin", "Reads what is secret from standard input, one line each"))
        .after_help(format!("Asks for the {names}. Never give it as an argument: others can see those."))
}

impl Field {
    /// The fields of a command's input: first those that are required, in their order.
    pub(crate) fn all(command: &Command) -> Vec<Self> {
        let schema = command.input.as_value();
        let required: Vec<&str> = texts(schema.get("required"));
        let properties = schema.get("properties").and_then(JsonValue::as_object);
        let mut fields: Vec<Self> = properties
            .into_iter()
            .flatten()
            .map(|(name, property)| Self::of(schema, name, property, &required))
            .collect();
        fields.sort_by_key(|field| required.iter().position(|name| *name == field.name).unwrap_or(usize::MAX));
        fields
    }

    fn of(schema: &JsonValue, name: &str, property: &JsonValue, required: &[&str]) -> Self {
        let kind = kind(schema, property);
        let default = property.get("default").filter(|_| kind != Kind::Switch);
        let default = default.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let help = property.get("description").and_then(JsonValue::as_str).map(sentence).unwrap_or_default();
        Self {
            name: name.to_owned(),
            kind,
            required: required.contains(&name),
            help,
            default: default.filter(|text| text != "null"),
        }
    }

    /// None where nothing is taken from the arguments.
    fn argument(&self) -> Option<Arg> {
        let argument = match (&self.kind, self.required) {
            (Kind::Secret, true) => return None,
            (Kind::Secret, false) => return Some(flag(&self.name, &format!("Asks for it: {}", self.help))),
            (Kind::Switch, _) => return Some(flag(&self.name, &self.help)),
            (_, true) => Arg::new(self.name.clone()).required(true),
            (_, false) => Arg::new(self.name.clone()).long(self.name.replace('_', "-")),
        };
        let (kind, action) = match &self.kind {
            Kind::List(item) => (item.as_ref(), ArgAction::Append),
            kind => (kind, ArgAction::Set),
        };
        let argument = match (kind, action, self.required) {
            (_, ArgAction::Append, true) => argument.num_args(1..),
            (_, action, _) => argument.action(action),
        };
        let argument = match kind {
            Kind::Choice(words) => argument.value_parser(PossibleValuesParser::new(words.clone())),
            Kind::Id => argument.value_parser(value_parser!(Id)),
            Kind::Integer => argument.value_parser(value_parser!(i64)),
            Kind::Json => argument.value_parser(|text: &str| serde_json::from_str::<JsonValue>(text)),
            Kind::Time => argument.value_parser(time),
            _ => argument,
        };
        let argument = argument.value_name(self.name.to_uppercase()).help(self.help.clone());
        Some(match &self.default {
            Some(default) => argument.default_value(default.clone()),
            None => argument,
        })
    }

    /// Whether a secret is to be asked for.
    pub(crate) fn is_asked_for(&self, matches: &ArgMatches) -> bool {
        self.kind == Kind::Secret && (self.required || matches.get_flag(&self.name))
    }
}

/// The input as far as it stands in the arguments.
pub(crate) fn input(fields: &[Field], matches: &ArgMatches) -> Map<String, JsonValue> {
    let value = |field: &Field| Some((field.name.clone(), value(field, matches)?));
    fields.iter().filter_map(value).collect()
}

fn value(field: &Field, matches: &ArgMatches) -> Option<JsonValue> {
    let name = &field.name;
    let one = |kind: &Kind| match kind {
        Kind::Id => matches.get_one::<Id>(name).map(|id| id.to_string().into()),
        Kind::Integer => matches.get_one::<i64>(name).map(|number| (*number).into()),
        Kind::Json => matches.get_one::<JsonValue>(name).cloned(),
        _ => matches.get_one::<String>(name).map(|text| text.as_str().into()),
    };
    let every = |kind: &Kind| -> Option<Vec<JsonValue>> {
        Some(match kind {
            Kind::Id => matches.get_many::<Id>(name)?.map(|id| id.to_string().into()).collect(),
            Kind::Integer => matches.get_many::<i64>(name)?.map(|number| (*number).into()).collect(),
            Kind::Json => matches.get_many::<JsonValue>(name)?.cloned().collect(),
            _ => matches.get_many::<String>(name)?.map(|text| text.as_str().into()).collect(),
        })
    };
    match &field.kind {
        Kind::Secret => None,
        Kind::Switch => Some(matches.get_flag(name).into()),
        Kind::List(item) => every(item).map(JsonValue::from),
        kind => one(kind),
    }
}

/// The command that was named, and what was given to it.
pub(crate) fn chosen<'c>(commands: &'c [Command], matches: &ArgMatches) -> Option<(&'c Command, ArgMatches)> {
    let (mut words, mut inner) = (Vec::new(), matches);
    while let Some((word, next)) = inner.subcommand() {
        words.push(word);
        inner = next;
    }
    let name = words.join(" ");
    let command = commands.iter().find(|command| command.name == name)?;
    Some((command, inner.clone()))
}

/// Whether the arguments name a command that takes a secret: then what is wrong with them is not repeated.
pub(crate) fn may_hold_secret(commands: &[Command], arguments: &[OsString]) -> bool {
    let names =
        |command: &&Command| command.name.split(' ').all(|word| arguments.iter().any(|argument| argument == word));
    commands.iter().filter(names).any(|command| Field::all(command).iter().any(|field| field.kind == Kind::Secret))
}

/// What a property takes: a reference is followed, and "or nothing" is dropped.
fn kind(schema: &JsonValue, property: &JsonValue) -> Kind {
    if let Some(reference) = property.get("$ref").and_then(JsonValue::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
        return target.map_or(Kind::Json, |target| kind(schema, target));
    }
    if let Some(alternatives) = ["anyOf", "oneOf"].iter().find_map(|key| property.get(key)?.as_array()) {
        return one_of(schema, alternatives);
    }
    let words = texts(property.get("enum"));
    if !words.is_empty() {
        return Kind::Choice(words.into_iter().map(str::to_owned).collect());
    }
    let types = match property.get("type") {
        Some(JsonValue::String(one)) => vec![one.as_str()],
        several => texts(several),
    };
    let types: Vec<&str> = types.into_iter().filter(|one| *one != "null").collect();
    let format = property.get("format").and_then(JsonValue::as_str);
    match (types.as_slice(), format) {
        (["string"], Some("password")) => Kind::Secret,
        (["string"], Some("uuid")) => Kind::Id,
        (["string"], Some("date-time")) => Kind::Time,
        (["string"], _) => Kind::Text,
        (["boolean"], _) => Kind::Switch,
        (["integer"], _) => Kind::Integer,
        (["array"], _) => Kind::List(Box::new(property.get("items").map_or(Kind::Json, |items| kind(schema, items)))),
        _ => Kind::Json,
    }
}

/// One of some words, or what is left beside nothing.
fn one_of(schema: &JsonValue, alternatives: &[JsonValue]) -> Kind {
    let word = |one: &JsonValue| one.get("const")?.as_str().map(str::to_owned);
    if let Some(words) = alternatives.iter().map(word).collect() {
        return Kind::Choice(words);
    }
    let mut some = alternatives.iter().filter(|one| one.get("type").and_then(JsonValue::as_str) != Some("null"));
    match (some.next(), some.next()) {
        (Some(one), None) => kind(schema, one),
        _ => Kind::Json,
    }
}

fn texts(value: Option<&JsonValue>) -> Vec<&str> {
    value.and_then(JsonValue::as_array).into_iter().flatten().filter_map(JsonValue::as_str).collect()
}

fn time(text: &str) -> Result<String, &'static str> {
    match serde_json::from_value::<Timestamp>(text.into()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_unreadable) => Err("give a time as in 2026-11-21T18:00:00Z"),
    }
}

fn flag(name: &str, help: &str) -> Arg {
    let long = name.replace('_', "-");
    Arg::new(name.to_owned()).long(long).help(help.to_owned()).action(ArgAction::SetTrue)
}

fn id(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("ID").help(help)
}

/// A sentence as help texts have it: without its full stop, in one line.
fn sentence(text: &str) -> String {
    let text = text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests;
