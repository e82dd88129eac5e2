//! What clients want, before it is known which tokens there are.

use std::fmt;

use authkit_core::{Id, TenantId};

/// Two tenants in which people of the same addresses live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tenant {
    /// Demands two factors of everybody.
    North,
    /// Demands two factors of those who have a badge.
    South,
}

impl Tenant {
    pub(crate) const ALL: [Self; 2] = [Self::North, Self::South];

    pub(crate) fn id(self) -> TenantId {
        match self {
            Self::North => TenantId::DEFAULT,
            Self::South => Id::from_bytes([0x50; 16]).into(),
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::North => Self::South,
            Self::South => Self::North,
        }
    }
}

/// Who is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Person {
    Ann,
    Bob,
    /// Never signs up.
    Nobody,
    /// Types a password where the address goes.
    Slip,
}

impl Person {
    pub(crate) const ALL: [Self; 4] = [Self::Ann, Self::Bob, Self::Nobody, Self::Slip];

    /// The address, spelled in one of several ways.
    pub(crate) const fn address(self, spelling: u8) -> &'static str {
        match (self, spelling % 3) {
            (Self::Ann, 0) => "ann@post.example",
            (Self::Ann, 1) => "ANN@post.example",
            (Self::Ann, _) => " ann@Post.Example ",
            (Self::Bob, 0) => "bob@post.example",
            (Self::Bob, 1) => "Bob@POST.example",
            (Self::Bob, _) => " bob@post.example",
            (Self::Nobody, 0) => "nobody@post.example",
            (Self::Nobody, 1) => "NOBODY@post.example",
            (Self::Nobody, _) => "nobody@Post.Example  ",
            (Self::Slip, _) => "canary-slip velvet kite",
        }
    }

    pub(crate) fn of_address(text: &str) -> Option<Self> {
        let canonical = text.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|person| person.address(0) == canonical)
    }
}

/// Which password is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Right,
    /// One that was right before.
    Former,
    /// That of the same person in the other tenant.
    Elsewhere,
    /// That of another person in the same tenant.
    OfAnother,
    Wrong,
}

/// Which badge is shown, and with which step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// The person's own, with the next step.
    Next,
    /// The person's own, with a step that was used or is on its way.
    Again,
    /// That of another person, with the next step.
    OfAnother,
    /// One that nobody has.
    Forged,
}

/// Which of the tokens known so far is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The newest that this client got.
    Own,
    /// The newest that anybody got in this tenant.
    Newest,
    /// Any of this tenant, counted from the newest.
    Nth(u8),
    /// Any of the other tenant, counted from the newest.
    Astray(u8),
}

/// What a grant permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Action {
    /// Wants one fresh proof.
    Plain,
    /// Wants two fresh factors.
    Grave,
}

impl Action {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "simulation.plain",
            Self::Grave => "simulation.grave",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Plain, Self::Grave].into_iter().find(|action| action.name() == name)
    }
}

/// A request to one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) tenant: Tenant,
    pub(crate) what: What,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    SignUp(Person),
    SignIn {
        person: Person,
        spelling: u8,
        word: Word,
    },
    BadgeSignIn {
        person: Person,
        show: Show,
    },
    Begin(Pick),
    /// Answers the enrolment that was begun.
    Enrol {
        flow: Pick,
        show: Show,
    },
    AnswerPassword {
        flow: Pick,
        word: Word,
    },
    AnswerBadge {
        flow: Pick,
        show: Show,
    },
    StepUp {
        session: Pick,
        action: Action,
    },
    Raise {
        session: Pick,
        two: Two,
    },
    Redeem {
        session: Pick,
        grant: Pick,
        action: Action,
    },
    ChangePassword {
        session: Pick,
        word: Word,
    },
    Authenticate(Pick),
    List(Pick),
    Logout(Pick),
    Revoke {
        session: Pick,
        ended: Pick,
    },
    EndOthers(Pick),
    EndAll(Pick),
    Disable(Person),
    Enable(Person),
    Delete(Person),
    Restore(Person),
    SetPassword(Person),
}

/// To which level a session is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Two {
    OneFactor,
    TwoFactors,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?}", self.what, self.tenant)
    }
}
