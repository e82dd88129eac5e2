//! From what a client wants to what it sends, with the tokens and secrets that there are.

use authkit_core::{Aal, Id};

use super::{Run, Wallet};
use crate::{
    ask::{Ask, Deed},
    request::{Person, Show, Tenant, Two, What, Wish, Word},
};

impl Run<'_> {
    /// The request, or nothing if there is no such token or principal yet.
    pub(super) fn resolve(&mut self, client: u8, wish: Wish) -> Option<Ask> {
        let Wish { tenant, what } = wish;
        let token =
            |run: &Self, pick| Wallet::pick(&run.wallet.sessions, tenant, client, pick).map(|held| held.text.clone());
        let flow = |run: &Self, pick| Wallet::pick(&run.wallet.flows, tenant, client, pick).cloned();
        let id = |run: &Self, person| run.model.account_of(tenant, person).map(|(id, _)| id);
        let deed = match what {
            What::SignUp(Person::Nobody | Person::Slip) => return None,
            What::SignUp(person) => Deed::SignUp { address: person.address(client), password: self.new_password() },
            What::SignIn { person, spelling, word } => {
                Deed::SignIn { address: person.address(spelling), password: self.word(tenant, person, word) }
            }
            What::BadgeSignIn { person, show } => {
                let (badge, step) = self.badge(tenant, person, show);
                Deed::BadgeSignIn { badge, step }
            }
            What::Begin(pick) => Deed::Begin { flow: flow(self, pick)?.text },
            What::Enrol { flow: pick, show } => {
                let held = flow(self, pick)?;
                let badge = match show {
                    Show::Next | Show::Again => held.shown?,
                    Show::OfAnother | Show::Forged => "canary-badge-forged".to_owned(),
                };
                Deed::Enrol { flow: held.text, badge }
            }
            What::AnswerPassword { flow: pick, word } => {
                let held = flow(self, pick)?;
                let person = self.person_of(tenant, &held.text);
                Deed::AnswerPassword { password: self.word(tenant, person, word), flow: held.text }
            }
            What::AnswerBadge { flow: pick, show } => {
                let held = flow(self, pick)?;
                let (badge, step) = self.badge(tenant, self.person_of(tenant, &held.text), show);
                Deed::AnswerBadge { flow: held.text, badge, step }
            }
            What::StepUp { session, action } => Deed::StepUp { token: token(self, session)?, action },
            What::Raise { session, two } => {
                let level = if two == Two::OneFactor { Aal::Aal1 } else { Aal::Aal2 };
                Deed::Raise { token: token(self, session)?, level }
            }
            What::Redeem { session, grant, action } => {
                let grant = Wallet::pick(&self.wallet.grants, tenant, client, grant)?.text.clone();
                Deed::Redeem { token: token(self, session)?, grant, action }
            }
            What::ChangePassword { session, word } => {
                let token = token(self, session)?;
                let person = self.owner_of(tenant, &token);
                let (current, new) = (self.word(tenant, person, word), self.new_password());
                Deed::ChangePassword { token, current, new }
            }
            What::Authenticate(pick) => Deed::Authenticate { token: token(self, pick)? },
            What::List(pick) => Deed::List { token: token(self, pick)? },
            What::Logout(pick) => Deed::Logout { token: token(self, pick)? },
            What::Revoke { session, ended } => {
                let ended = self.model.tokens.session.parse(&token(self, ended)?)?.id;
                Deed::Revoke { token: token(self, session)?, ended }
            }
            What::EndOthers(pick) => Deed::EndOthers { token: token(self, pick)? },
            What::EndAll(pick) => Deed::EndAll { token: token(self, pick)? },
            What::Disable(person) => Deed::Disable(id(self, person)?),
            What::Enable(person) => Deed::Enable(id(self, person)?),
            What::Delete(person) => Deed::Delete(id(self, person)?),
            What::Restore(person) => Deed::Restore(id(self, person)?),
            What::SetPassword(person) => Deed::SetPassword { principal: id(self, person)?, new: self.new_password() },
        };
        Some(Ask { tenant, client, deed })
    }

    /// A password that nobody had before.
    fn new_password(&mut self) -> String {
        self.wallet.passwords += 1;
        format!("canary-{}-velvet kite", self.wallet.passwords)
    }

    fn word(&mut self, tenant: Tenant, person: Person, word: Word) -> String {
        let of = |tenant, person: Person| self.model.account_of(tenant, person).map(|(_, account)| account);
        let other = if person == Person::Ann { Person::Bob } else { Person::Ann };
        let found = match word {
            Word::Right => of(tenant, person).map(|account| account.password.clone()),
            Word::Former => of(tenant, person).and_then(|account| account.former.last().cloned()),
            Word::Elsewhere => of(tenant.other(), person).map(|account| account.password.clone()),
            Word::OfAnother => of(tenant, other).map(|account| account.password.clone()),
            Word::Wrong => None,
        };
        found.unwrap_or_else(|| self.new_password())
    }

    fn badge(&mut self, tenant: Tenant, person: Person, show: Show) -> (String, i64) {
        let of = |person| self.model.account_of(tenant, person).and_then(|(_, account)| account.badge.clone());
        let other = if person == Person::Ann { Person::Bob } else { Person::Ann };
        let found = match show {
            Show::Next | Show::Again => of(person),
            Show::OfAnother => of(other),
            Show::Forged => None,
        };
        if show != Show::Again {
            self.wallet.steps += 1;
        }
        (found.map_or("canary-badge-forged".to_owned(), |badge| badge.secret), self.wallet.steps)
    }

    /// Whose flow it is.
    fn person_of(&self, tenant: Tenant, token: &str) -> Person {
        let id = self.model.tokens.flow.parse(token).map(|claim| claim.id);
        let flow = id.and_then(|id| self.model.flows.get(&(tenant, id)));
        self.person(tenant, flow.map(|flow| flow.principal))
    }

    /// Whose session it is.
    fn owner_of(&self, tenant: Tenant, token: &str) -> Person {
        let id = self.model.tokens.session.parse(token).map(|claim| claim.id);
        let session = id.and_then(|id| self.model.sessions.get(&(tenant, id)));
        self.person(tenant, session.map(|session| session.principal))
    }

    fn person(&self, tenant: Tenant, principal: Option<Id>) -> Person {
        let account = principal.and_then(|id| self.model.accounts.get(&(tenant, id)));
        account.map_or(Person::Ann, |account| account.person)
    }
}
