//! A plugin of something that is good once.

use std::sync::Arc;

use authkit_core::{
    About, Act, AuditEvent, Collection, Entity, Manifest, Outcome, Plugin, Problem, Registrar, id_type,
};
use serde::Serialize;

id_type! {
    /// One voucher.
    pub(crate) struct VoucherId;
}

/// Good once.
#[derive(Debug, Entity)]
#[entity(table = "test_vouchers", durable, index(by_number: number))]
pub(crate) struct Voucher {
    pub(crate) id: VoucherId,
    pub(crate) number: i64,
}

#[derive(Debug, Serialize)]
pub(crate) struct VouchersMade;

#[derive(Debug, Serialize)]
pub(crate) struct VoucherSpent {
    pub(crate) voucher: VoucherId,
}

impl AuditEvent for VouchersMade {
    const KIND: &'static str = "vouchers_made";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

impl AuditEvent for VoucherSpent {
    const KIND: &'static str = "voucher_spent";
    const ACT: Act = Act::Grants;

    fn about(&self) -> About {
        About::new(Outcome::Success)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Vouchers;

/// The right to touch vouchers, handed to the test.
#[derive(Debug)]
pub(crate) struct Purse(pub(crate) Collection<Voucher>);

impl Plugin for Vouchers {
    fn manifest(&self) -> Manifest {
        Manifest::new("vouchers", "0.1.0").creates::<Voucher>().event::<VouchersMade>().event::<VoucherSpent>()
    }

    fn register(&self, registrar: &mut Registrar<'_>) -> Result<(), Problem> {
        let purse = Purse(registrar.collection()?);
        registrar.provide::<Purse>(Arc::new(purse));
        Ok(())
    }
}
