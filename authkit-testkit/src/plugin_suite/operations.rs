//! What the operations of a plugin say of themselves.

use std::time::Duration;

use authkit_core::{Access, Call, codes};

use super::{
    Subject,
    declared::is_sentence,
    junk::{plausible, property_names},
};

/// Every operation has a path of plain parts below the prefix, says in a sentence what it does, and takes an object.
pub async fn its_operations_say_what_they_are(subject: Subject) {
    for operation in subject.place().await.operations {
        let path = operation.path;
        let parts: Vec<_> = path.strip_prefix('/').unwrap_or_default().split('/').collect();
        assert!(parts.iter().all(|part| is_part(part)), "{operation:?}: the path has to be like /things/{{id}}");
        assert!(is_sentence(operation.summary), "{operation:?}: the summary is no sentence: {}", operation.summary);
        let input = operation.input.as_value();
        let object = input.get("type").is_none_or(|kind| kind == "object");
        assert!(object, "{operation:?}: the input is no object: {input}");
    }
}

/// Addresses end up in logs and histories, so nothing secret is in them, nor in a query.
pub async fn no_operation_takes_a_secret_in_an_address(subject: Subject) {
    for operation in subject.place().await.operations {
        let parts = operation.path.split(['{', '}']).skip(1).step_by(2).map(str::to_owned);
        let query = if operation.method.has_body() { Vec::new() } else { property_names(&operation.input) };
        for name in parts.chain(query) {
            let secret =
                SECRETS.iter().find(|secret| name.to_lowercase().split(['_', '-']).any(|word| word == **secret));
            assert!(secret.is_none(), "{operation:?} takes {name} in its address; take it in a body");
        }
    }
}

/// Without a session there is no answer but for public operations, nor with one that is not fresh enough; and no call
/// of the store is made for it.
pub async fn no_operation_lets_strangers_past_its_access(subject: Subject) {
    let place = subject.place().await;
    let old = place.session().await;
    place.around.clock.advance(Duration::from_secs(23 * 60 * 60));
    for operation in &place.operations {
        let input = plausible(&operation.input);
        let call = |session| Call { cx: place.cx(), session, input: input.clone(), path: Vec::new() };
        if operation.access != Access::Public {
            let before = place.around.store.calls();
            let refused = operation.call(call(None)).await.expect_err("a stranger is refused");
            assert_eq!(refused.code(), &codes::UNAUTHENTICATED, "{operation:?} to a stranger");
            assert_eq!(place.around.store.calls(), before, "{operation:?} calls the store for a stranger");
        }
        if let Access::FreshSession(age) = operation.access {
            assert!(age <= Duration::from_secs(22 * 60 * 60), "{operation:?}: a session of {age:?} is not fresh");
            let refused = operation.call(call(Some(old.clone()))).await.expect_err("an old session is refused");
            assert_eq!(refused.code(), &codes::STEP_UP_REQUIRED, "{operation:?} to an old session");
        }
    }
}

const SECRETS: [&str; 6] = ["code", "otp", "passphrase", "password", "secret", "token"];

/// A plain word, or the name of a part in braces.
fn is_part(part: &str) -> bool {
    let name = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    let name = name.unwrap_or(part);
    !name.is_empty() && name.chars().all(plain)
}
