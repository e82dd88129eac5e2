//! Canaries: no token and no private key is in a log, an error, the audit log, debug output or the database.

use authkit_core::{base64url, from_base64url};
use authkit_session::SigningKeys;
use authkit_testkit::{Counted, Fault};
use end_to_end::{Log, on_each_store};
use serde_json::json;

use crate::{
    client::{Tokens, after_steps, get, log_out, post, refresh, send, sign_in},
    setup::{ADA, builder, with_ada},
};

/// What of the tokens must be nowhere: signatures, proofs, and the bytes of proofs as a list.
fn canaries(tokens: &Tokens) -> [String; 3] {
    let signature = tokens.access.rsplit('.').next().unwrap().to_owned();
    let bytes = from_base64url(&tokens.refresh["akr_".len()..]).unwrap();
    let listed = json!(bytes[24..56]).to_string();
    [signature, tokens.refresh[40..].to_owned(), listed[1..listed.len() - 1].to_owned()]
}

on_each_store! {
    async fn no_token_and_no_key_leaves(backend) {
        let (log, guard) = Log::keep();
        let world = with_ada(builder(backend)).await;
        let first = sign_in(&world, ADA).await;
        let second = after_steps(&world, &first, 1).await;
        let third = after_steps(&world, &second, 1).await;
        let mut refused = Vec::new();
        world.store.inject(Counted::Calls, 1, Fault::Fails);
        refused.push(refresh(&world, &third.refresh).await);
        world.store.inject(Counted::Commits, 1, Fault::UnknownBefore);
        refused.push(refresh(&world, &third.refresh).await);
        world.store.heal();
        let fourth = after_steps(&world, &third, 1).await;
        refused.push(refresh(&world, &format!("{}x", fourth.refresh)).await);
        refused.push(get(&world, "/v1/auth/me", &format!("{}x", fourth.access)).await);
        refused.push(post(&world, "/v1/auth/refresh", &fourth.access, json!({ "refresh_token": [&fourth.refresh] })).await);
        refused.push(refresh(&world, &first.refresh).await);
        refused.push(get(&world, "/v1/auth/me", &fourth.access).await);
        world.auth.capability::<SigningKeys>().unwrap().rotate(&world.cx()).await.unwrap();
        let fifth = sign_in(&world, ADA).await;
        refused.push(log_out(&world, &fifth.refresh).await);
        let events = sign_in(&world, ADA).await;
        refused.push(get(&world, "/v1/account/audit-events", &events.access).await);
        refused.push(send(&world, "GET", "/.well-known/jwks.json", &[], None).await);
        world.auth.run_due_jobs().await;
        drop(guard);

        let debug = format!("{:?} {:?} {:?} {refused:?}", world.auth, world.cx(), world.audit().await);
        let sinks = [("log", log.text()), ("store", world.everything().await), ("debug, audit and answers", debug)];
        for tokens in [first, second, third, fourth, fifth, events] {
            for canary in canaries(&tokens) {
                for (name, content) in &sinks {
                    assert!(!content.contains(&canary), "{canary} is in the {name}");
                }
            }
        }
        // RFC 8410 §7: how every private key of EdDSA begins.
        let begin = base64url(&[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70]);
        let other = base64url(&[0x30, 0x51, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70]);
        for (name, content) in &sinks {
            assert!(!content.contains(&begin) && !content.contains(&other), "a private key is in the {name}");
        }
    }
}
