//! Settings: what is wrong with a section, and what is wrong with values, in code and in a tree alike.

use std::{collections::HashMap, time::Duration};

use authkit_account::Accounts;
use authkit_core::Builder;
use authkit_password::Passwords;
use authkit_risk::{Limit, LockStep, Lockout, Throttle};
use authkit_session::Sessions;
use serde_json::{Value as JsonValue, json};

use super::{Odd, bare, complete, passwords, problems, refused, with};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is said in the name of one plugin; without it, roles are open besides.
fn of(plugin: &str, builder: Builder) -> Vec<String> {
    let own = format!("{plugin}: ");
    problems(builder).into_iter().filter_map(|problem| problem.strip_prefix(&own).map(str::to_owned)).collect()
}

#[track_caller]
fn in_tree(plugin: &str, section: JsonValue, expected: &str) {
    let said = of(plugin, complete().config(json!({ plugin: section })));
    assert_eq!(said, [expected]);
}

#[test]
fn a_key_that_is_not_known_is_named_with_those_that_are() {
    in_tree("session", json!({ "idel": 1 }), "unknown key session.idel; there are absolute, idle, remember");
    in_tree(
        "account",
        json!({ "signup": "open" }),
        "unknown key account.signup; there are deletion_grace, disclosure, sign_up",
    );
    in_tree(
        "password",
        json!({ "argon2": { "lanes": 4 } }),
        "unknown key password.argon2.lanes; there are memory_kib, passes",
    );
    in_tree(
        "throttle",
        json!({ "lockout": { "hard_stopp": 5 } }),
        "unknown key throttle.lockout.hard_stopp; there are account_steps, delays, hard_stop, steps",
    );
    in_tree(
        "throttle",
        json!({ "lockout": { "steps": [{ "failures": 5, "wait": 60, "unit": "s" }] } }),
        "throttle.lockout.steps: unknown field `unit`, expected `failures` or `wait`",
    );
}

#[test]
fn a_value_of_another_form_is_told_by_its_key() {
    in_tree("session", json!({ "idle": "5m" }), "session.idle: invalid type: string \"5m\", expected u64");
    in_tree("session", json!({ "idle": -1 }), "session.idle: invalid value: integer `-1`, expected u64");
    in_tree("session", json!(5), "the section [session]: invalid type: integer `5`, expected struct SessionConfig");
    in_tree("session", json!(null), "the section [session]: invalid type: null, expected struct SessionConfig");
    in_tree(
        "account",
        json!({ "sign_up": "nobody" }),
        "account.sign_up: unknown variant `nobody`, expected one of `closed`, `invite`, `open`",
    );
    in_tree(
        "throttle",
        json!({ "per_client": { "attempts": 4_294_967_296_u64 } }),
        "throttle.per_client.attempts: invalid value: integer `4294967296`, expected u32",
    );
}

#[test]
fn settings_without_a_json_form_are_the_plugins_fault_and_told() {
    let odd = Odd::trying("odd", |registrar| registrar.config(&HashMap::from([([0_u8; 2], 1_u8)])).map(drop));
    refused(with(odd), ["odd: key must be a string"]);
}

#[test]
fn a_tree_lies_over_code() {
    let config = json!({ "session": { "idle": 3600 } });
    assert!(complete().config(config.clone()).build().is_ok());
    let rest = || bare().plugin(Accounts::default()).plugin(passwords());
    assert!(rest().plugin(Sessions::opaque().idle(Duration::ZERO)).config(config).build().is_ok());
}

#[test]
fn spans_of_sessions_are_possible_ones() {
    let short = "idle has to be at least 60 seconds";
    let shorter = "absolute has to be at least as long as idle";
    let long = "absolute has to be at most 400 days, which is as long as browsers keep a cookie";
    in_tree("session", json!({ "idle": 59 }), short);
    in_tree("session", json!({ "idle": 3600, "absolute": 3599 }), shorter);
    in_tree("session", json!({ "absolute": 400 * 86_400 + 1 }), long);
    let in_code = |sessions: Sessions| of("session", bare().plugin(sessions));
    assert_eq!(in_code(Sessions::opaque().idle(Duration::from_secs(59))), [short]);
    assert_eq!(in_code(Sessions::opaque().absolute(MINUTE)), [shorter]);
    assert_eq!(in_code(Sessions::opaque().absolute(401 * DAY)), [long]);
}

#[test]
fn the_grace_of_deleted_accounts_is_bounded() {
    let long = "deletion_grace has to be at most 3650 days";
    in_tree("account", json!({ "deletion_grace": 3650 * 86_400 + 1 }), long);
    assert_eq!(of("account", bare().plugin(Accounts::default().deletion_grace(3651 * DAY))), [long]);
}

#[test]
fn a_password_is_long_and_its_hash_is_dear() {
    let length = |given: usize| {
        format!(
            "min_length is {given}, but the minimum length of a password must be 15 to 64 characters; fewer are sound \
             only where every sign-in demands a second factor, which is not checked yet"
        )
    };
    let cost = |memory: u32, passes: u32, why: &str| {
        format!("argon2 has memory_kib {memory} and passes {passes}, but {why}; leave it out for the default")
    };
    let memory = "the memory of a password hash must be 19456 to 1048576 KiB";
    let passes = "the passes of a password hash must be 2 to 64";
    let in_code = |passwords: Passwords| of("password", bare().plugin(passwords));
    in_tree("password", json!({ "min_length": 8 }), &length(8));
    assert_eq!(in_code(Passwords::default().min_length(14)), [length(14)]);
    assert_eq!(in_code(Passwords::default().min_length(65)), [length(65)]);
    for (kib, count, why) in
        [(64, 2, memory), (1_048_577, 2, memory), (19_456, 1, passes), (19_456, 65, passes), (64, 1, memory)]
    {
        assert_eq!(in_code(Passwords::default().argon2(kib, count)), [cost(kib, count, why)]);
    }
    let both = [length(8), cost(64, 2, memory)].join("; ");
    assert_eq!(in_code(Passwords::default().min_length(8).argon2(64, 2)), [both]);
}

#[test]
fn the_pool_of_hashing_threads_is_bounded() {
    let pool = |why: &str| format!("the pool of hashing threads is misconfigured: {why}");
    let threads = "threads must be 1 to 64";
    let waiting = "queue has to be 1 to 65536";
    let share = "queue_per_client has to be at least 1";
    in_tree("password", json!({ "threads": 0 }), &pool(threads));
    in_tree("password", json!({ "threads": 65 }), &pool(threads));
    in_tree("password", json!({ "queue": 0 }), &pool(waiting));
    in_tree("password", json!({ "queue": 65_537 }), &pool(waiting));
    in_tree("password", json!({ "queue_per_client": 0 }), &pool(share));
    let all = of("password", bare().plugin(Passwords::default().threads(0).queue(0).queue_per_client(0)));
    assert_eq!(all, [pool(&[threads, waiting, share].join("; "))]);
}

#[test]
fn limits_and_lockout_are_possible_ones() {
    let client = "per_client has to be 1 to 10000 attempts within 1 second to 1 day";
    let subject = "per_subject has to be 1 to 10000 attempts within 1 second to 1 day";
    let device = "device_life has to be 1 second to 400 days, which is as long as browsers keep a cookie";
    let step = "a step of the lockout has to be at least 1 failure, and 1 second to 30 days";
    let grow = "each list of lockout steps has to grow, in failures and in wait";
    let missing = "lockout.hard_stop is missing; only Lockout::dangerously_off() has none";
    let range = "lockout.hard_stop has to be from 1 to 100";
    let last = "lockout.hard_stop has to come after all other steps";
    let throttle = Throttle::default;
    let lockout = || Lockout::fixed_15();
    let mut endless = lockout();
    endless.hard_stop = None;
    let at = |failures, wait| LockStep::new(failures, wait);
    for (throttle, expected) in [
        (throttle().per_client(Limit::new(0, MINUTE)), client),
        (throttle().per_client(Limit::new(10_001, MINUTE)), client),
        (throttle().per_client(Limit::new(10, Duration::ZERO)), client),
        (throttle().per_client(Limit::new(10, 2 * DAY)), client),
        (throttle().per_subject(Limit::new(0, MINUTE)), subject),
        (throttle().per_subject(Limit::new(5, 2 * DAY)), subject),
        (throttle().device_life(Duration::ZERO), device),
        (throttle().device_life(401 * DAY), device),
        (throttle().lockout(lockout().delays([at(0, MINUTE)])), step),
        (throttle().lockout(lockout().steps([at(5, Duration::ZERO)])), step),
        (throttle().lockout(lockout().account_steps([at(5, 31 * DAY)])), step),
        (throttle().lockout(lockout().steps([at(5, MINUTE), at(5, DAY)])), grow),
        (throttle().lockout(lockout().steps([at(5, DAY), at(6, MINUTE)])), grow),
        (throttle().lockout(endless), missing),
        (throttle().lockout(lockout().hard_stop(0)), range),
        (throttle().lockout(lockout().hard_stop(101)), range),
        (throttle().lockout(lockout().hard_stop(20)), last),
    ] {
        assert_eq!(of("throttle", bare().plugin(throttle)), [expected]);
    }
    in_tree("throttle", json!({ "per_client": { "attempts": 0 } }), client);
    in_tree("throttle", json!({ "lockout": { "hard_stop": null } }), missing);
    in_tree(
        "throttle",
        json!({
            "per_client": { "attempts": 0 }, "per_subject": { "within": 0 }, "device_life": 0,
            "lockout": { "steps": [{ "failures": 9, "wait": 0 }, { "failures": 8, "wait": 0 }], "hard_stop": 101 },
        }),
        &[client, subject, step, grow, range, device].join("; "),
    );
}
