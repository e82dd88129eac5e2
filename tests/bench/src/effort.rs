//! How much is measured.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Result, bail};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    Full,
    /// For trying the program out; its figures say little.
    Quick,
}

impl Effort {
    const fn pick<T: Copy>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }

    /// Rounds of requests to `/me`.
    pub(crate) const fn me_rounds(self) -> usize {
        self.pick(11, 2)
    }

    /// Requests to `/me` of one variant in one round.
    pub(crate) const fn me_requests(self) -> usize {
        self.pick(10_000, 1_000)
    }

    /// Rounds of the storm; each starts fresh processes.
    pub(crate) const fn storm_rounds(self) -> usize {
        self.pick(3, 1)
    }

    pub(crate) const fn storm_span(self) -> Duration {
        self.pick(Duration::from_secs(6), Duration::from_secs(2))
    }

    /// Rounds of the loop inside one process.
    pub(crate) const fn core_rounds(self) -> usize {
        self.pick(101, 11)
    }

    /// Rounds of calls in one process, on a database.
    pub(crate) const fn layer_rounds(self) -> usize {
        self.pick(15, 3)
    }

    /// Rounds of a bare verification and of one with everything around it.
    pub(crate) const fn jwt_rounds(self) -> usize {
        self.pick(201, 21)
    }

    /// Sign-ins of which the processor time is taken.
    pub(crate) const fn sign_ins(self) -> usize {
        self.pick(2_000, 200)
    }

    /// Refreshes of which the processor time is taken.
    pub(crate) const fn refreshes(self) -> usize {
        self.pick(2_000, 200)
    }

    /// Pairs of a commit of authkit's and one by hand.
    pub(crate) const fn commits(self) -> usize {
        self.pick(400, 40)
    }

    /// Pairs of a known and an unknown account.
    pub(crate) const fn pairs(self) -> usize {
        self.pick(4_000, 200)
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pick("full", "quick"))
    }
}

impl FromStr for Effort {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "full" => Ok(Self::Full),
            "quick" => Ok(Self::Quick),
            unknown => bail!("there is no effort {unknown}"),
        }
    }
}
