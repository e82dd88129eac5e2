//! The scripts: each call of the store is one, so each is atomic and one round trip.

use std::sync::LazyLock;

use redis::Script;

/// Redis refuses a script with this line before it runs, if it could not write to the end.
macro_rules! script {
    ($flags:literal, $($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!("#!lua flags=", $flags, "\n", $(include_str!(concat!("lua/", $file))),+)))
    };
}

pub(crate) static COMMIT: LazyLock<Script> = script!("no-cluster", "shared.lua", "write.lua", "commit.lua");
pub(crate) static GET: LazyLock<Script> = script!("no-cluster,no-writes", "shared.lua", "get.lua");
pub(crate) static MIGRATE: LazyLock<Script> = script!("no-cluster", "shared.lua", "migrate.lua");
pub(crate) static PROBE: LazyLock<Script> = script!("no-cluster", "shared.lua", "probe.lua");
pub(crate) static QUERY: LazyLock<Script> = script!("no-cluster,no-writes", "shared.lua", "query.lua");
pub(crate) static SWEEP: LazyLock<Script> = script!("no-cluster", "shared.lua", "write.lua", "sweep.lua");
