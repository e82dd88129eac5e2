//! What must not be seen.

use serde_json::Value as JsonValue;

use super::{Suite, VerifierCase};
use crate::plugin_suite::junk::pointers;

/// What makes an answer right, or wrong, stands in no row, no record, no prompt, no error and no debug output.
pub async fn no_secret_is_stored_or_shown<C: VerifierCase>(suite: Suite<C>) {
    for position in suite.positions() {
        let known = suite.with_ada().await;
        let world = &known.world;
        let asked = known.ask(*position).await;
        let (right, wrong) = (known.right(&asked).await, known.wrong(&asked).await);
        let mut proofs = proofs(&right, &wrong);
        assert!(!holds(&asked.prompt.to_string(), &proofs), "the prompt holds its answer: {}", asked.prompt);
        proofs.extend(self::proofs(&wrong, &right));

        let refused = known.rejects(&asked, wrong, "a wrong answer").await;
        let stored = world.everything().await;
        let asked = known.ask(*position).await;
        let right = known.right(&asked).await;
        let signed_in = known.accepts(&asked, right, "the right answer").await;
        let shown = [
            ("the text of an error", refused.to_string()),
            ("what an error tells the log", refused.internal()),
            ("the debug output of an error", format!("{refused:?}")),
            ("the debug output of a session", format!("{signed_in:?}")),
            ("what is stored after a refusal", stored),
            ("what is stored", world.everything().await),
        ];
        for (place, text) in shown {
            assert!(!holds(&text, &proofs), "{place} holds the answer: {text}");
        }
    }
}

/// The texts of an answer that another answer does not have in the same place.
fn proofs(answer: &JsonValue, other: &JsonValue) -> Vec<String> {
    let differing = pointers(answer).into_iter().filter(|at| answer.pointer(at) != other.pointer(at));
    let texts = differing.filter_map(|at| answer.pointer(&at).and_then(JsonValue::as_str).map(str::to_owned));
    // What is shorter is in many texts by chance.
    texts.filter(|text| text.len() >= 4).collect()
}

fn holds(text: &str, proofs: &[String]) -> bool {
    proofs.iter().any(|proof| text.contains(proof.as_str()))
}
