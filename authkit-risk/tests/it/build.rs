use std::time::Duration;

use authkit_risk::{Limit, Lockout, LockoutAdmin, Throttle};
use authkit_store_memory::MemoryStore;
use serde_json::json;

use crate::home::builder;

fn problems(throttle: Throttle, config: serde_json::Value) -> String {
    builder().store(MemoryStore::new()).plugin(throttle).config(config).build().unwrap_err().to_string()
}

#[test]
fn one_line_is_enough_and_unlocking_is_a_capability() {
    let auth = builder().store(MemoryStore::new()).plugin(Throttle::default()).build().unwrap();
    assert!(auth.capability::<LockoutAdmin>().is_some());
}

#[test]
fn whatever_is_wrong_is_said_when_building() {
    let throttle = Throttle::default()
        .per_client(Limit::new(0, Duration::from_secs(60)))
        .lockout(Lockout::exponential().hard_stop(1000));
    let said = problems(throttle, json!({}));
    assert!(said.contains("throttle: per_client has to be") && said.contains("hard_stop has to be"), "{said}");
}

#[test]
fn a_section_of_the_configuration_lies_over_the_code_and_unknown_keys_are_refused() {
    let section = |lockout| json!({ "throttle": { "per_client": { "attempts": 30 }, "lockout": lockout } });
    let sound = section(json!({ "steps": [{ "failures": 3, "wait": 60 }] }));
    assert!(builder().store(MemoryStore::new()).plugin(Throttle::default()).config(sound).build().is_ok());
    let said = problems(Throttle::default(), section(json!({ "hard_stopp": 3 })));
    assert!(said.contains("unknown key throttle.lockout.hard_stopp"), "{said}");
    let said = problems(Throttle::default(), section(json!("off")));
    assert!(said.contains("throttle: throttle.lockout: unknown variant `off`"), "{said}");
    assert!(said.contains("`dangerously_off`, `exponential`, `fixed_15`, `fixed_30`"), "{said}");
    let said = problems(Throttle::default(), section(json!(false)));
    assert!(said.contains("throttle.lockout: invalid type: boolean `false`, expected the name of a preset"), "{said}");
}
