//! What it means to have a credential.

use authkit_core::OfferAction;

use super::{Suite, VerifierCase};

/// Whoever enrolled is offered the method as a further factor: the enrolment is written with the credential.
pub async fn enrolling_it_offers_it<C: VerifierCase>(suite: Suite<C>) {
    let known = suite.with_ada().await;
    let challenge = known.world.open(&known.ada).await;
    let offered = challenge.offers.iter().find(|offer| offer.method == C::METHOD);
    let action = offered.map(|offer| offer.action);
    assert_eq!(action, Some(OfferAction::Verify), "whoever enrolled is offered to answer with it");
}

/// A credential that is added to somebody ends what was proved before: the epoch rises.
pub async fn enrolling_it_raises_the_epoch<C: VerifierCase>(suite: Suite<C>) {
    let world = suite.world().await;
    let ada = world.add("ada").await;
    let epoch = async || world.cx().principal(ada.principal).await.expect("a read").expect("a principal").epoch;
    let before = epoch().await;
    suite.case.enrol(&world, &ada).await;
    assert!(epoch().await > before, "the epoch is not raised in the commit that enrols");
}
