//! What has to be proved.

use std::time::Duration;

use crate::{
    evidence::{Aal, Evidence, MethodId, attained},
    timestamp::Timestamp,
};

/// All of some clauses. Requirements only ever add up: no stage can weaken what another one demands.
///
/// # Examples
///
/// Two factors at any time, and one of them within five minutes:
///
/// ```
/// use std::time::Duration;
/// use authkit_core::{Aal, Condition, Evidence, Factors, MethodId, Requirement, Timestamp};
///
/// let recent = Condition::level(Aal::Aal1).within(Duration::from_secs(300));
/// let demanded = Requirement::of("two_factors", Condition::level(Aal::Aal2)).join(Requirement::of("recent", recent));
///
/// let now = Timestamp::from_millis(1_800_000_000_000);
/// let password = Evidence::new(MethodId::from_static("password"), Factors::KNOWLEDGE, now, 0);
/// assert_eq!(demanded.unmet(&[password], now).map(|clause| clause.reason), Some("two_factors"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    clauses: Vec<Clause>,
}

/// Any of some conditions; without a condition it denies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Clause {
    /// Which conditions will do.
    pub any: Vec<Condition>,
    /// Why it is demanded, for client and log: `sign_in`, `new_device`.
    pub reason: &'static str,
}

/// What one or several proofs together have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Condition {
    /// The level that they reach together.
    pub level: Aal,
    /// How long ago they may have been made.
    pub within: Option<Duration>,
    /// The method that one of them has to be.
    pub method: Option<MethodId>,
    /// Whether one of them has to be bound to the origin that asked for it.
    pub phishing_resistant: bool,
}

impl Condition {
    /// Proofs that together reach this level, made at any time.
    #[must_use]
    pub const fn level(level: Aal) -> Self {
        Self { level, within: None, method: None, phishing_resistant: false }
    }

    /// Only proofs made at most so long ago count.
    #[must_use]
    pub const fn within(mut self, span: Duration) -> Self {
        self.within = Some(span);
        self
    }

    /// One of the proofs is by this method.
    #[must_use]
    pub fn method(mut self, method: MethodId) -> Self {
        self.method = Some(method);
        self
    }

    /// One of the proofs is bound to the origin that asked for it.
    #[must_use]
    pub const fn phishing_resistant(mut self) -> Self {
        self.phishing_resistant = true;
        self
    }

    /// Whether these proofs meet it at `now`.
    #[must_use]
    pub fn is_met(&self, evidence: &[Evidence], now: Timestamp) -> bool {
        let (level, by_method, bound) = self.progress(evidence, now);
        level.is_some_and(|level| level >= self.level) && by_method && bound
    }

    /// The level of the proofs that count, up to the one demanded, whether one is by the method, and whether one is bound to the origin.
    fn progress(&self, evidence: &[Evidence], now: Timestamp) -> (Option<Aal>, bool, bool) {
        let fresh: Vec<&Evidence> =
            evidence.iter().filter(|proof| self.within.is_none_or(|span| now.since(proof.at) <= span)).collect();
        let by_method = self.method.as_ref().is_none_or(|method| fresh.iter().any(|proof| proof.method == *method));
        let bound = !self.phishing_resistant || fresh.iter().any(|proof| proof.phishing_resistant);
        // What exceeds the level brings the condition no nearer.
        (attained(fresh.iter().copied()).map(|level| level.min(self.level)), by_method, bound)
    }
}

impl Clause {
    /// Any of these conditions.
    #[must_use]
    pub fn any(reason: &'static str, conditions: impl IntoIterator<Item = Condition>) -> Self {
        Self { any: conditions.into_iter().collect(), reason }
    }

    /// Whether these proofs meet it at `now`.
    #[must_use]
    pub fn is_met(&self, evidence: &[Evidence], now: Timestamp) -> bool {
        self.any.iter().any(|condition| condition.is_met(evidence, now))
    }
}

impl Requirement {
    /// Demands nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self { clauses: Vec::new() }
    }

    /// Demands one condition.
    #[must_use]
    pub fn of(reason: &'static str, condition: Condition) -> Self {
        Self { clauses: vec![Clause::any(reason, [condition])] }
    }

    /// Cannot be met.
    #[must_use]
    pub fn deny(reason: &'static str) -> Self {
        Self { clauses: vec![Clause::any(reason, [])] }
    }

    /// Demands a further clause.
    #[must_use]
    pub fn and(mut self, clause: Clause) -> Self {
        self.clauses.push(clause);
        self
    }

    /// Demands what either demands.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.clauses.extend(other.clauses);
        self
    }

    /// Why it cannot be met by anybody, if so.
    #[must_use]
    pub fn denied(&self) -> Option<&'static str> {
        self.clauses.iter().find(|clause| clause.any.is_empty()).map(|clause| clause.reason)
    }

    /// The first clause that these proofs do not meet at `now`.
    #[must_use]
    pub fn unmet(&self, evidence: &[Evidence], now: Timestamp) -> Option<&Clause> {
        self.clauses.iter().find(|clause| !clause.is_met(evidence, now))
    }

    /// Whether the later proofs bring a clause nearer that the earlier ones do not meet.
    pub(crate) fn is_furthered(&self, earlier: &[Evidence], later: &[Evidence], now: Timestamp) -> bool {
        let unmet = self.clauses.iter().filter(|clause| !clause.is_met(earlier, now));
        unmet.flat_map(|clause| &clause.any).any(|condition| {
            let (before, after) = (condition.progress(earlier, now), condition.progress(later, now));
            after.0 > before.0 || (after.1 && !before.1) || (after.2 && !before.2)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Factors;

    const MINUTE: Duration = Duration::from_secs(60);

    fn proof(method: &'static str, factors: Factors, at: i64) -> Evidence {
        Evidence::new(MethodId::from_static(method), factors, Timestamp::from_millis(at), 0)
    }

    #[test]
    fn every_clause_counts_and_any_condition_within_one() {
        let now = Timestamp::from_millis(1_000_000);
        let either = Clause::any(
            "either",
            [
                Condition::level(Aal::Aal1).method(MethodId::from_static("passkey")),
                Condition::level(Aal::Aal2).method(MethodId::from_static("totp")),
            ],
        );
        let requirement = Requirement::of("fresh", Condition::level(Aal::Aal1).within(5 * MINUTE)).and(either);
        let password = proof("password", Factors::KNOWLEDGE, 999_000);
        let totp = proof("totp", Factors::POSSESSION, 0);
        assert_eq!(requirement.unmet(std::slice::from_ref(&password), now).unwrap().reason, "either");
        assert_eq!(requirement.unmet(std::slice::from_ref(&totp), now).unwrap().reason, "fresh");
        assert!(requirement.unmet(&[password, totp], now).is_none());
        assert!(requirement.unmet(&[proof("passkey", Factors::POSSESSION, 999_999)], now).is_none());
    }

    #[test]
    fn joining_never_weakens() {
        let now = Timestamp::from_millis(0);
        let strong = Requirement::of("strong", Condition::level(Aal::Aal2));
        let weak = Requirement::of("weak", Condition::level(Aal::Aal1));
        let evidence = [proof("password", Factors::KNOWLEDGE, 0)];
        for joined in [strong.clone().join(weak.clone()), weak.clone().join(strong), weak.join(Requirement::deny("no"))]
        {
            assert!(joined.unmet(&evidence, now).is_some(), "{joined:?}");
        }
        assert_eq!(Requirement::deny("no").join(Requirement::none()).denied(), Some("no"));
    }
}
