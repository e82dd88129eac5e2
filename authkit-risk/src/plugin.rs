use std::{sync::Arc, time::Duration};

use authkit_core::{Manifest, Plugin, Problem, Registrar};

use crate::{
    admin::LockoutAdmin,
    commands,
    config::{Limit, Lockout, ThrottleConfig},
    device::Devices,
    entity::LockRow,
    event::{AccountLocked, AccountUnlocked},
    lockout::{Lockouts, Plan},
    throttle::ClientLimit,
};

/// Limits for clients and accounts, lockout, and known devices that it cannot shut out.
///
/// # Examples
///
/// An internal service: fewer attempts, and half an hour after five failures:
///
/// ```
/// use std::time::Duration;
/// use authkit_core::{AuthManager, Builder};
/// use authkit_risk::{Limit, Lockout, Throttle};
///
/// fn builder() -> Builder {
///     let per_client = Limit::new(5, Duration::from_secs(60));
///     AuthManager::builder().plugin(Throttle::default().per_client(per_client).lockout(Lockout::fixed_30()))
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    config: ThrottleConfig,
}

impl Throttle {
    /// Attempts of one client prefix: an IPv4 address, or the first 64 bits of an IPv6 address.
    #[must_use]
    pub const fn per_client(mut self, limit: Limit) -> Self {
        self.config.per_client = limit;
        self
    }

    /// Attempts on one account, or on one identifier that leads to none.
    #[must_use]
    pub const fn per_subject(mut self, limit: Limit) -> Self {
        self.config.per_subject = limit;
        self
    }

    /// What happens to whoever fails too often.
    #[must_use]
    pub fn lockout(mut self, lockout: Lockout) -> Self {
        self.config.lockout = lockout;
        self
    }

    /// How long a device is known after a sign-in.
    #[must_use]
    pub const fn device_life(mut self, span: Duration) -> Self {
        self.config.device_life = span;
        self
    }
}

impl Plugin for Throttle {
    fn manifest(&self) -> Manifest {
        Manifest::new("throttle", env!("CARGO_PKG_VERSION"))
            .creates::<LockRow>()
            .event::<AccountLocked>()
            .event::<AccountUnlocked>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let config = registrar.config(&self.config)?;
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(registrar.problem(problems.join("; ")));
        }
        let counters = registrar.keys().mac("risk counter");
        let devices = Devices { mac: registrar.keys().mac("risk device"), life: config.device_life };
        let plan = Arc::new(Plan::new(&config, counters.clone()));
        let rows = registrar.collection::<LockRow>()?;
        registrar.stage(Arc::new(ClientLimit { limit: config.per_client, keys: counters }));
        registrar.stage(Arc::new(Lockouts { plan: plan.clone(), devices, rows: rows.clone() }));
        let admin = Arc::new(LockoutAdmin { rows, plan });
        registrar.command(commands::unlock(admin.clone()));
        registrar.provide(admin);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn released_steps_have_not_changed() {
        let manifest = Throttle::default().manifest();
        let checksums: Vec<String> = manifest.migrations.iter().map(|step| step.checksum()).collect();
        assert_eq!(checksums, ["9063773cf017e87debc2c841da0b02329b750320ef4ced33d3a597cf986fed7c"]);
    }
}
