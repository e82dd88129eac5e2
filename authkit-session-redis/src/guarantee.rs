//! What a server can be relied on for, by its own settings.

use std::collections::HashMap;

use authkit_core::{Acknowledgement, StoreError, Timestamp};

use crate::{
    config::Promise,
    connection::Connection,
    error::{Fault, unavailable},
    script,
};

/// The oldest version whose scripts can be refused before they run.
const OLDEST: u32 = 7;

/// What keeps acknowledged writes on the disk of one server, and why.
const KEEPING: [(&str, &str); 3] = [
    ("appendonly", "yes"),
    ("appendfsync", "always"),
    // With `yes`, nothing is brought to the disk while the file is rewritten.
    ("no-appendfsync-on-rewrite", "no"),
];

/// Refuses a server that cannot be used as the application wants, and says all that is wrong with it.
pub(crate) async fn ask(connection: &Connection, promise: Promise) -> Result<Acknowledgement, StoreError> {
    let info = connection.info().await?;
    let facts = facts(&info);
    let mut problems = unfit(&facts);
    if promise == Promise::Asked {
        let names = KEEPING.map(|(name, _)| name);
        problems.extend(forgetful(&facts, connection.settings(&names).await?));
    }
    if !problems.is_empty() {
        return Err(unavailable(Fault::Unfit(problems)));
    }
    let probed = connection.write(&script::PROBE, &connection.arguments(Timestamp::MIN)).await;
    probed.map_err(|error| match error {
        // What a script may not do is told in other words by each version.
        StoreError::Corrupt(_) => unavailable(Fault::Rights),
        error => error,
    })?;
    Ok(match promise {
        Promise::Asked | Promise::Vouched => Acknowledgement::Kept,
        Promise::None => Acknowledgement::MayBeLost,
    })
}

/// What the server says of itself, by name.
fn facts(info: &str) -> HashMap<&str, &str> {
    info.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

/// Why nobody may use the server.
fn unfit(facts: &HashMap<&str, &str>) -> Vec<String> {
    let mut problems = Vec::new();
    let version = facts.get("redis_version").copied().unwrap_or("unknown");
    let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major| major < OLDEST) {
        problems.push(format!("its version is {version}; Redis {OLDEST} or newer is needed"));
    }
    if facts.get("cluster_enabled") != Some(&"0") {
        problems.push("it is a node of a Redis Cluster, which is not supported; use a Redis of one node".to_owned());
    }
    if facts.get("role") != Some(&"master") {
        problems.push("it is a replica; use the URL of its master".to_owned());
    }
    let policy = facts.get("maxmemory_policy").copied().unwrap_or("unknown");
    if policy != "noeviction" {
        let text = format!(
            "it removes rows when its memory is full; set `maxmemory-policy noeviction` in redis.conf (it is {policy})"
        );
        problems.push(text);
    }
    problems
}

/// Why the server may forget what it acknowledged.
fn forgetful(facts: &HashMap<&str, &str>, settings: Option<Vec<(String, String)>>) -> Vec<String> {
    let mut problems = Vec::new();
    match settings {
        None => problems.push(
            "it does not show its settings (CONFIG GET), so nobody knows whether it keeps what it acknowledges; if it \
             does, say so with `RedisConfig::dangerously_vouch_for_durability`"
                .to_owned(),
        ),
        Some(settings) => {
            for (name, wanted) in KEEPING {
                let given = settings.iter().find(|(setting, _)| setting == name).map(|(_, value)| value.as_str());
                if given != Some(wanted) {
                    let given = given.unwrap_or("unknown");
                    problems.push(format!(
                        "it may forget what it acknowledged; set `{name} {wanted}` in redis.conf (it is {given})"
                    ));
                }
            }
        }
    }
    if facts.get("connected_slaves") != Some(&"0") {
        let text = "it has replicas, and one that is promoted lacks the last writes; use a Redis without, or say that \
                    none is promoted with `RedisConfig::dangerously_vouch_for_durability`";
        problems.push(text.to_owned());
    }
    if !problems.is_empty() {
        problems.push(
            "for tables that can bear a loss, such as counters, `RedisConfig::may_lose_writes` accepts it as it is"
                .to_owned(),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{KEEPING, facts, forgetful, unfit};

    const FIT: &str = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\nconnected_slaves:0\r\n\
                       cluster_enabled:0\r\nmaxmemory_policy:noeviction\r\n";

    fn kept() -> Vec<(String, String)> {
        KEEPING.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    #[test]
    fn a_server_that_keeps_what_it_acknowledges_has_no_problem() {
        assert!(unfit(&facts(FIT)).is_empty());
        assert!(forgetful(&facts(FIT), Some(kept())).is_empty());
    }

    #[test]
    fn each_problem_of_a_server_is_named() {
        for (good, bad, word) in [
            ("7.0.15", "6.2.14", "version is 6.2.14"),
            ("7.0.15", "seven", "version is seven"),
            ("role:master", "role:slave", "a replica"),
            ("cluster_enabled:0", "cluster_enabled:1", "Cluster"),
            ("noeviction", "allkeys-lru", "(it is allkeys-lru)"),
            ("maxmemory_policy", "other", "(it is unknown)"),
        ] {
            let info = FIT.replace(good, bad);
            let problems = unfit(&facts(&info));
            assert!(matches!(&problems[..], [problem] if problem.contains(word)), "{bad}: {problems:?}");
        }
        assert_eq!(unfit(&facts("")).len(), 4);
    }

    #[test]
    fn each_way_to_forget_is_named() {
        for (name, value) in [("appendonly", "no"), ("appendfsync", "everysec"), ("no-appendfsync-on-rewrite", "yes")] {
            let mut settings = kept();
            settings.retain(|(setting, _)| setting != name);
            assert_eq!(forgetful(&facts(FIT), Some(settings.clone())).len(), 2, "{name} is not shown");
            settings.push((name.to_owned(), value.to_owned()));
            let problems = forgetful(&facts(FIT), Some(settings));
            assert!(problems[0].contains(&format!("`{name} ")) && problems.len() == 2, "{problems:?}");
        }
        let replicated = FIT.replace("connected_slaves:0", "connected_slaves:1");
        assert!(forgetful(&facts(&replicated), Some(kept()))[0].contains("replicas"));
        assert!(forgetful(&facts(FIT), None)[0].contains("dangerously_vouch_for_durability"));
    }
}
