use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    hash::{Argon2Params, BcryptCost, Scheme},
    policy::Policy,
    pool::PoolConfig,
};

/// What the application may choose; the section `password` of a configuration tree.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PasswordConfig {
    /// Characters that a new password has at least, 15 to 64; 15 unless set (NIST SP 800-63B-4 §3.1.1.2).
    pub min_length: usize,
    /// Name of the service, of which a new password must not mostly consist.
    pub service_name: Option<String>,
    /// Further words of which a new password must not mostly consist; those under four characters are ignored.
    pub blocked_words: Vec<String>,
    /// How new passwords are hashed; Argon2id unless set.
    pub algorithm: Algorithm,
    /// What one hash of Argon2id costs.
    pub argon2: Argon2Config,
    /// What one hash of bcrypt costs.
    pub bcrypt: BcryptConfig,
    /// With what new hashes are keyed; nothing unless set.
    pub pepper: PepperSource,
    /// One hash of each cost that imported accounts have, whose work is done wherever the answer is no.
    pub decoys: Vec<String>,
    /// Threads that hash, 1 to 64; one per core unless set. Each holds the memory of one hash.
    pub threads: Option<usize>,
    /// Hashes that may wait for a thread, 1 to 65 536; 256 unless set. Beyond, a request is told to come back.
    pub queue: usize,
    /// Hashes of one client that may wait, at least 1; an eighth of the queue unless set.
    pub queue_per_client: Option<usize>,
    /// Questions of one client to the strength meter in any minute, 1 to 10 000; 60 unless set.
    pub strength_per_client: u32,
}

/// What one Argon2id hash costs; one lane always.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Argon2Config {
    /// Memory in KiB, 19 456 to 1 048 576; 19 456 unless set.
    pub memory_kib: u32,
    /// Passes over the memory, 2 to 64; 2 unless set.
    pub passes: u32,
}

/// What one bcrypt hash costs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BcryptConfig {
    /// Logarithm of the rounds, 12 to 16; 12 unless set.
    pub cost: u32,
}

/// How new passwords are hashed. Every known kind is verified, whatever is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Algorithm {
    /// Argon2id (RFC 9106).
    #[default]
    Argon2id,
    /// bcrypt.
    Bcrypt,
}

/// With what new hashes are keyed, so that a stolen table alone is not worth guessing at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PepperSource {
    /// A key that is derived from the newest secret of the key ring.
    KeyRing,
    /// Nothing.
    #[default]
    None,
}

/// Which costs are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Costs {
    /// Any that work.
    Any,
    /// Those that protect a stolen table.
    #[default]
    Sound,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            min_length: Policy::MIN_LENGTH,
            service_name: None,
            blocked_words: Vec::new(),
            algorithm: Algorithm::default(),
            argon2: Argon2Config::default(),
            bcrypt: BcryptConfig::default(),
            pepper: PepperSource::default(),
            decoys: Vec::new(),
            threads: None,
            queue: 256,
            queue_per_client: None,
            strength_per_client: 60,
        }
    }
}

impl Default for Argon2Config {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2 }
    }
}

impl Default for BcryptConfig {
    fn default() -> Self {
        Self { cost: 12 }
    }
}

impl Argon2Config {
    /// A hash of microseconds.
    pub(crate) const DANGEROUSLY_WEAK: Self = Self { memory_kib: 64, passes: 1 };
}

impl PasswordConfig {
    /// What the settings amount to.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with them, and what to do about it.
    pub(crate) fn check(&self, costs: Costs) -> Result<(Policy, Scheme), String> {
        match (self.policy(), self.scheme(costs), self.strength()) {
            (Ok(policy), Ok(scheme), Ok(())) => Ok((policy, scheme)),
            (policy, scheme, strength) => {
                let all = [policy.err(), scheme.err(), strength.err()];
                Err(all.into_iter().flatten().collect::<Vec<_>>().join("; "))
            }
        }
    }

    fn policy(&self) -> Result<Policy, String> {
        let policy = Policy::default().length(self.min_length).map_err(|error| {
            let given = self.min_length;
            format!(
                "min_length is {given}, but {error}; fewer are sound only where every sign-in demands a second factor, \
                 which is not checked yet"
            )
        })?;
        Ok(policy.blocked_words(&self.service_name).blocked_words(&self.blocked_words))
    }

    fn scheme(&self, costs: Costs) -> Result<Scheme, String> {
        match (self.algorithm, costs) {
            (Algorithm::Argon2id, costs) => self.params(costs).map(Scheme::Argon2id),
            (Algorithm::Bcrypt, Costs::Any) => Ok(Scheme::Bcrypt(BcryptCost::dangerously_weak())),
            (Algorithm::Bcrypt, Costs::Sound) => {
                let cost = self.bcrypt.cost;
                let sound = BcryptCost::new(cost).map(Scheme::Bcrypt);
                sound.map_err(|error| format!("bcrypt has cost {cost}, but {error}"))
            }
        }
    }

    fn strength(&self) -> Result<(), String> {
        match self.strength_per_client {
            1..=10_000 => Ok(()),
            given => Err(format!("strength_per_client is {given}, but has to be 1 to 10000")),
        }
    }

    fn params(&self, costs: Costs) -> Result<Argon2Params, String> {
        let Argon2Config { memory_kib, passes } = self.argon2;
        let params = match costs {
            Costs::Any => Argon2Params::dangerously_weak(memory_kib, passes, 1),
            Costs::Sound => Argon2Params::new(memory_kib, passes, 1),
        };
        params.map_err(|error| {
            format!("argon2 has memory_kib {memory_kib} and passes {passes}, but {error}; leave it out for the default")
        })
    }

    /// How much may be hashed at once.
    pub(crate) fn pool(&self) -> PoolConfig {
        let pool = PoolConfig::default().waiting(self.queue);
        let pool = self.threads.into_iter().fold(pool, PoolConfig::threads);
        self.queue_per_client.into_iter().fold(pool, PoolConfig::waiting_per_client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(config: &PasswordConfig) -> String {
        config.check(Costs::Sound).unwrap_err()
    }

    #[test]
    fn default_is_fifteen_characters_and_the_first_choice_of_owasp() {
        let (policy, _) = PasswordConfig::default().check(Costs::Sound).unwrap();
        assert_eq!(policy.min_length(), 15);
        let Argon2Config { memory_kib, passes } = Argon2Config::default();
        assert_eq!(Argon2Params::new(memory_kib, passes, 1).unwrap(), Argon2Params::default());
    }

    #[test]
    fn short_minimum_is_refused_with_what_to_do() {
        let text = problem(&PasswordConfig { min_length: 12, ..PasswordConfig::default() });
        assert!(text.contains("min_length is 12") && text.contains("15 to 64"), "{text}");
    }

    #[test]
    fn cheap_hash_is_refused_unless_asked_for_by_name() {
        let config = PasswordConfig { argon2: Argon2Config::DANGEROUSLY_WEAK, ..PasswordConfig::default() };
        assert!(problem(&config).contains("memory_kib 64"));
        assert!(config.check(Costs::Any).is_ok());
    }

    #[test]
    fn cheap_bcrypt_is_refused() {
        let mut config = PasswordConfig { algorithm: Algorithm::Bcrypt, ..PasswordConfig::default() };
        assert_eq!(config.check(Costs::Sound).unwrap().1, Scheme::Bcrypt(BcryptCost::new(12).unwrap()));
        config.bcrypt.cost = 10;
        assert!(problem(&config).contains("bcrypt has cost 10, but the cost of bcrypt must be 12 to 16"));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let argon2 = Argon2Config { memory_kib: 19_456, passes: 1 };
        let config = PasswordConfig { min_length: 65, argon2, strength_per_client: 0, ..PasswordConfig::default() };
        let text = problem(&config);
        assert!(text.contains("min_length is 65") && text.contains("passes 1"), "{text}");
        assert!(text.contains("strength_per_client is 0"), "{text}");
    }

    #[test]
    fn unknown_keys_are_refused() {
        let tree = serde_json::json!({ "memory_kib": 19_456, "passes": 2, "lanes": 4 });
        assert!(serde_json::from_value::<Argon2Config>(tree).is_err());
    }
}
