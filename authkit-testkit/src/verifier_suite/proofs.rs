//! What an answer proves, and how often.

use authkit_core::{Class, Clock as _, Factors, Progress};

use super::{Suite, Uses, VerifierCase, all};

/// How many answers race.
const RACERS: usize = 50;

/// The right answer signs in whoever has the credential.
pub async fn a_right_answer_proves_its_principal<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let known = suite.with_ada().await;
        let asked = known.ask(*position).await;
        let right = known.right(&asked).await;
        let signed_in = known.accepts(&asked, right, "the right answer").await;
        let principal = signed_in.session.principal.id;
        assert_eq!(principal, known.ada.principal, "the right answer proves somebody else");
    }
}

/// Evidence names the method, some factor, this moment, and the principal's present epoch; and it proves what the
/// enrolment promised, or core would offer it in vain.
pub async fn its_evidence_is_of_this_method_and_moment<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let known = suite.with_ada().await;
        let world = &known.world;
        let asked = known.ask(*position).await;
        let right = known.right(&asked).await;
        let principal = world.cx().principal(known.ada.principal).await.expect("a read").expect("a principal");
        world.seen();
        known.accepts(&asked, right, "the right answer").await;
        let evidence = world.seen().evidence;
        let [proof] = &evidence[..] else {
            panic!("one answer is one proof: {evidence:?}");
        };
        assert_eq!(proof.method, C::METHOD, "evidence names the method");
        assert_ne!(proof.factors, Factors::NONE, "evidence is of some factor");
        assert_eq!(proof.at, world.clock.now(), "evidence is of the time of the request");
        assert_eq!(proof.epoch, principal.epoch, "evidence carries the principal's epoch");
        let (factors, channel, phishing_resistant) = world.promised(&known.ada).await;
        assert!(proof.factors.contains(factors), "the enrolment promises {factors:?}: {proof:?}");
        assert_eq!(proof.channel, channel, "the enrolment names the channel of the proof");
        assert!(proof.phishing_resistant || !phishing_resistant, "the enrolment promises a binding: {proof:?}");
    }
}

/// A wrong answer is REJECTED, issues nothing, is recorded as a failure of its owner, and does not stand in the way of
/// the right one.
pub async fn a_wrong_answer_is_rejected<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let known = suite.with_ada().await;
        let asked = known.ask(*position).await;
        let wrong = known.wrong(&asked).await;
        let before = known.world.sign_ins().await;
        known.rejects(&asked, wrong, "a wrong answer").await;
        assert_eq!(known.world.sign_ins().await, before, "a wrong answer issues a session");
        let failures = known.world.log().await.iter().filter(|(kind, _)| kind == "login_failure").count();
        assert_eq!(failures, 1, "a wrong answer is recorded once");
        known.signs_in(*position).await;
    }
}

/// A right answer that counts once is REJECTED from then on, in every flow; one that is declared reusable counts again.
pub async fn a_right_answer_counts_as_often_as_declared<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        for again in suite.positions() {
            let known = suite.with_ada().await;
            let asked = known.ask(*position).await;
            let right = known.right(&asked).await;
            known.accepts(&asked, right.clone(), "the right answer").await;
            let asked = known.ask(*again).await;
            match C::USES {
                Uses::Single => drop(known.rejects(&asked, right, "a right answer that was used").await),
                Uses::Reusable => drop(known.accepts(&asked, right, "a reusable answer").await),
            }
        }
    }
}

/// Of many right answers at the same moment one counts if answers are single-use, and the others are refused; all
/// count if they are reusable. Every racer meets every other at every call of the store.
pub async fn of_racing_right_answers_as_many_count_as_declared<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let known = suite.with_ada().await;
        let mut questions = vec![known.ask(*position).await];
        // An answer to a challenge belongs to its flow; any other may be given in many flows at once.
        let one_flow = questions[0].begun;
        while !one_flow && questions.len() < RACERS {
            questions.push(known.ask(*position).await);
        }
        let right = known.right(&questions[0]).await;
        let world = &known.world;
        let before = world.sign_ins().await;
        world.slow();
        let racers = questions.iter().cycle().take(RACERS).map(|asked| world.answer(asked, right.clone()));
        let outcomes = all(racers).await;
        world.store.heal();
        let won = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Progress::SignedIn(_)))).count();
        let expected = if C::USES == Uses::Single || one_flow { 1 } else { RACERS };
        assert_eq!(won, expected, "of {RACERS} racing right answers so many count: {outcomes:?}");
        assert_eq!(world.sign_ins().await - before, expected, "as many are recorded as count");
        for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert_eq!(error.code().class, Class::Rejected, "whoever loses a race is refused: {error:?}");
        }
    }
}
