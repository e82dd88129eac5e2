//! The application: the real core and plugins over a store that fails as planned.

use std::{sync::Arc, time::Duration};

use authkit_account::{Accounts, Disclosure};
use authkit_core::{
    AuthManager, EntityDef, Field as _, KeyRing, Lookup, Op, Scope, Set, Shape, Status, Store as _, Timestamp, Value,
    Write,
};
use authkit_password::Passwords;
use authkit_risk::{Limit, Lockout, Throttle};
use authkit_session::Sessions;
use authkit_testkit::TestClock;

use crate::{
    choice::Dice,
    ground::{Emptied, Ground},
    plugin::{Badges, Demand, Logger, Words},
    request::Tenant,
    rows::Shapes,
    schedule::block_on,
    store::{Board, Gate},
};

/// How many guesses at one account are judged within a minute.
pub(crate) const GUESSES: usize = 3;
/// How many guesses of one client are judged within a minute.
pub(crate) const GUESSES_OF_CLIENT: usize = 8;
/// How many failures in a row are judged at all.
pub(crate) const FAILURES: u32 = 6;
/// When every history begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Which setup a history runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setup {
    pub(crate) passwords: Hashing,
    pub(crate) logging: Logging,
}

/// How passwords are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hashing {
    /// By `authkit-password`, with its cheapest hash.
    Real,
    /// By the simulation's own plugin, without a hash.
    None,
}

/// Whether there is a required audit logger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Logging {
    Plain,
    Required,
}

/// Where the application of a history stands: what it takes its calls, its time and its chance from.
pub(crate) struct Site {
    pub(crate) board: Board,
    pub(crate) gate: Gate,
    pub(crate) clock: TestClock,
    pub(crate) dice: Dice,
}

/// Sets the application up.
type Build = Box<dyn Fn(&Site) -> AuthManager>;

/// The application of a history, and everything around it. Kept from one history to the next, emptied in between.
pub(crate) struct House {
    pub(crate) site: Site,
    pub(crate) auth: AuthManager,
    pub(crate) shapes: Shapes,
    build: Build,
}

impl House {
    pub(crate) fn new(ground: Arc<dyn Ground>, build: impl Fn(&Site) -> AuthManager + 'static) -> Self {
        let board = Board::default();
        let gate = Gate::new(board.clone(), ground);
        let site = Site { board, gate, clock: TestClock::new(START), dice: Dice::default() };
        let auth = build(&site);
        let shapes = auth.entities().iter().map(|def| (def.table, Arc::new(Shape::whole(def)))).collect();
        Self { site, auth, shapes, build: Box::new(build) }
    }

    /// Empties the house for a history.
    pub(crate) fn clear(&mut self, seed: u64) {
        self.site.board.clear();
        self.site.clock.set(START);
        self.site.dice.restart(seed);
        if self.site.gate.empty() == Emptied::Everything {
            block_on(self.auth.migrate()).expect("migrations");
        }
    }

    /// Everything in memory is gone; the store stays.
    pub(crate) fn crash(&mut self) {
        self.auth = (self.build)(&self.site);
    }

    /// What somebody with access to the database does to a principal, without the application.
    pub(crate) fn by_hand(&self, tenant: Tenant, principal: authkit_core::Id, deed: ByHand) {
        let def = &self.shapes.get("auth_principals").expect("the table").def;
        let column = |name: &str| def.columns.iter().position(|column| column.name == name).expect("the column");
        let set = match deed {
            ByHand::Status(status) => vec![Set::To(column("status"), status.into_value())],
            ByHand::SessionsFrom(epoch) => {
                vec![Set::To(column("epoch"), Value::Int(epoch)), Set::To(column("sessions_from"), Value::Int(epoch))]
            }
        };
        let at = Lookup { index: EntityDef::PRIMARY_KEY, key: vec![Value::Id(principal)] };
        let op = Op { def: def.clone(), write: Write::Update { at, guards: Vec::new(), set } };
        let scope = Scope::Tenant(tenant.id());
        block_on(self.site.gate.commit(&scope, &[op], Timestamp::MIN)).expect("a write by hand");
    }
}

/// A change of a principal's row around the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByHand {
    Status(Status),
    /// Sessions below this epoch end, and it becomes the present one.
    SessionsFrom(i64),
}

/// The application of the histories of accounts.
pub(crate) fn build(setup: Setup, site: &Site) -> AuthManager {
    let minute = Duration::from_secs(60);
    let limits = Throttle::default()
        .per_client(Limit::new(GUESSES_OF_CLIENT as u32, minute))
        .per_subject(Limit::new(GUESSES as u32, minute))
        .lockout(Lockout::dangerously_off().hard_stop(FAILURES));
    let sessions = Sessions::opaque().idle(Duration::from_secs(20 * 60)).absolute(Duration::from_secs(60 * 60));
    let builder = AuthManager::builder()
        .public_url("http://localhost:3000")
        .keys(keys())
        .store(site.gate.clone())
        .clock(site.clock.clone())
        .rng(site.dice.clone())
        .plugin(Accounts::default().disclosure(Disclosure::Conceal))
        .plugin(sessions)
        .plugin(limits)
        .plugin(Badges)
        .plugin(Demand);
    let builder = match setup.passwords {
        Hashing::Real => builder.plugin(Passwords::default().dangerously_weak_hashing().threads(1)),
        Hashing::None => builder.plugin(Words),
    };
    let builder = match setup.logging {
        Logging::Plain => builder,
        Logging::Required => builder.plugin(Logger(site.board.clone())),
    };
    builder.build().expect("a complete setup")
}

/// Fixed, so that runs are alike.
fn keys() -> KeyRing {
    let secret = std::array::from_fn(|at| (at as u8).wrapping_mul(29).wrapping_add(7));
    KeyRing::new([secret]).expect("a good key")
}
