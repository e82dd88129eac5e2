//! What clients were given.

use crate::{
    ask::{Answer, Ask, Offers},
    request::{Pick, Tenant},
};

/// A token, and who got it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    tenant: Tenant,
    client: u8,
    pub(super) text: String,
    /// What was shown with it: a badge to set up.
    pub(super) shown: Option<String>,
}

/// All tokens ever given out, oldest first.
#[derive(Default)]
pub(super) struct Wallet {
    pub(super) sessions: Vec<Held>,
    pub(super) flows: Vec<Held>,
    pub(super) grants: Vec<Held>,
    /// How many passwords were made up so far.
    pub(super) passwords: u32,
    /// The latest step that a badge was shown with.
    pub(super) steps: i64,
}

impl Wallet {
    pub(super) fn keep(&mut self, ask: &Ask, answer: &Answer) {
        let held = |text: &str, shown: Option<String>| Held {
            tenant: ask.tenant,
            client: ask.client,
            text: text.to_owned(),
            shown,
        };
        match answer {
            Answer::SignedIn { token, .. } | Answer::Renewed(token) => self.sessions.push(held(token, None)),
            Answer::Challenged { flow, offers: Offers::Shown(badge) } => {
                self.flows.push(held(flow, Some(badge.clone())))
            }
            Answer::Challenged { flow, .. } => self.flows.push(held(flow, None)),
            Answer::Granted(token) => self.grants.push(held(token, None)),
            Answer::Refused(refusal) => {
                if let Some(token) = &refusal.retry {
                    let before = self.flows.iter().rfind(|held| Some(held.text.as_str()) == ask.deed.flow());
                    let shown = before.and_then(|held| held.shown.clone());
                    self.flows.push(held(token, shown));
                }
            }
            _ => {}
        }
    }

    pub(super) fn pick(all: &[Held], tenant: Tenant, client: u8, pick: Pick) -> Option<&Held> {
        let of = |wanted: Tenant| all.iter().rev().filter(move |held| held.tenant == wanted);
        match pick {
            Pick::Own => of(tenant).find(|held| held.client == client).or_else(|| of(tenant).next()),
            Pick::Newest => of(tenant).next(),
            Pick::Nth(n) => of(tenant).nth(usize::from(n)),
            Pick::Astray(n) => of(tenant.other()).nth(usize::from(n)),
        }
    }
}
