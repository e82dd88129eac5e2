//! Answers in a flow that is bound to somebody.

use super::{Position, Suite, VerifierCase, watch::OPENER};

/// After another method it is a further factor, and the session stands for both.
pub async fn a_right_answer_is_a_further_factor<C: VerifierCase>(suite: Suite<C>) {
    let known = suite.with_ada().await;
    let asked = known.ask(Position::Further).await;
    let right = known.right(&asked).await;
    let signed_in = known.accepts(&asked, right, "a further factor").await;
    assert_eq!(signed_in.session.principal.id, known.ada.principal, "the flow stays bound");
    let evidence = signed_in.session.evidence.get().expect("evidence is read");
    let methods: Vec<_> = evidence.iter().map(|proof| proof.method.clone()).collect();
    assert_eq!(methods, [OPENER, C::METHOD], "the session stands for both proofs");
}

/// In a flow that is bound to somebody else, the right answer is REJECTED by the verifier itself; nothing is used up,
/// and both can still answer with what is theirs.
pub async fn in_the_flow_of_another_it_proves_nothing<C: VerifierCase>(suite: Suite<C>) {
    let known = suite.with_ada().await;
    let world = &known.world;
    let bob = world.add("bob").await;
    let credential = known.case.enrol(world, &bob).await;
    world.rest();
    for name in [&known.ada.name, &bob.name] {
        let asked = world.ask_further(&bob, name).await;
        let right = known.right(&asked).await;
        let before = world.rows().await;
        let refused = known.rejects(&asked, right.clone(), "the right answer of somebody else").await;
        assert_eq!(world.rows().await, before, "an answer in the flow of another writes something");
        let log = world.log().await;
        let failure = log.iter().rev().find(|(kind, _)| kind == "login_failure");
        let blamed = failure.and_then(|(_, principal)| *principal);
        assert_eq!(blamed, Some(bob.principal), "the verifier itself takes no other principal than the flow's");
        if name == &bob.name {
            let asked = world.asked_again(&asked, &refused);
            let right = known.case.right(world, &credential, &asked).await;
            known.accepts(&asked, right, "the owner of the flow").await;
        }
    }
    known.signs_in(Position::Further).await;
}
