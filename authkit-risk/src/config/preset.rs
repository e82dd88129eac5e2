//! The lockout as a setting: a word or a table.

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{
        Error, IntoDeserializer as _, MapAccess, Visitor,
        value::{MapAccessDeserializer, StrDeserializer},
    },
};

use super::Lockout;

/// One of the presets, or all steps one by one.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum PresetOrSteps {
    /// By its name.
    Preset(Preset),
    /// What it does not name keeps the value given in code.
    Steps(Lockout),
}

/// The presets, as their constructors in code are called.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Preset {
    /// No lock at all.
    DangerouslyOff,
    /// Locks of 5, 15 and 60 minutes.
    Exponential,
    /// Locks of 15 minutes.
    #[serde(rename = "fixed_15")]
    Fixed15,
    /// Locks of 30 minutes.
    #[serde(rename = "fixed_30")]
    Fixed30,
}

/// Reads a [`PresetOrSteps`], and says what is wrong with either.
pub(super) fn preset_or_steps<'de, D: Deserializer<'de>>(tree: D) -> Result<Lockout, D::Error> {
    tree.deserialize_any(Choice).map(Lockout::from)
}

struct Choice;

impl<'de> Visitor<'de> for Choice {
    type Value = PresetOrSteps;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a preset, or a table of steps")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<PresetOrSteps, E> {
        let word: StrDeserializer<'_, E> = word.into_deserializer();
        Preset::deserialize(word).map(PresetOrSteps::Preset)
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<PresetOrSteps, A::Error> {
        Lockout::deserialize(MapAccessDeserializer::new(table)).map(PresetOrSteps::Steps)
    }
}

impl From<PresetOrSteps> for Lockout {
    fn from(chosen: PresetOrSteps) -> Self {
        match chosen {
            PresetOrSteps::Preset(Preset::DangerouslyOff) => Self::dangerously_off(),
            PresetOrSteps::Preset(Preset::Exponential) => Self::exponential(),
            PresetOrSteps::Preset(Preset::Fixed15) => Self::fixed_15(),
            PresetOrSteps::Preset(Preset::Fixed30) => Self::fixed_30(),
            PresetOrSteps::Steps(steps) => steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as JsonValue, json};

    use super::*;

    fn read(tree: &JsonValue) -> Result<Lockout, String> {
        preset_or_steps(tree).map_err(|error| error.to_string())
    }

    #[test]
    fn every_preset_has_a_word() {
        for (word, preset) in [
            ("exponential", Lockout::exponential()),
            ("fixed_15", Lockout::fixed_15()),
            ("fixed_30", Lockout::fixed_30()),
            ("dangerously_off", Lockout::dangerously_off()),
        ] {
            assert_eq!(read(&json!(word)), Ok(preset.clone()), "{word}");
            assert_eq!(read(&serde_json::to_value(&preset).unwrap()), Ok(preset), "{word} as a table");
        }
    }

    #[test]
    fn nothing_else_turns_it_off() {
        let words = "expected one of `dangerously_off`, `exponential`, `fixed_15`, `fixed_30`";
        for word in ["off", "none", "false", "disabled", "", "Fixed_30", "fixed-30", "dangerously off"] {
            assert!(read(&json!(word)).unwrap_err().contains(words), "{word}");
        }
        for tree in [json!(false), json!(0), json!(null), json!([]), json!(["fixed_30"])] {
            let said = read(&tree).unwrap_err();
            assert!(said.contains("expected the name of a preset, or a table of steps"), "{said}");
        }
        for tree in [json!({}), json!({ "enabled": false }), json!({ "steps": [] })] {
            assert!(read(&tree).is_err(), "{tree}");
        }
    }
}
