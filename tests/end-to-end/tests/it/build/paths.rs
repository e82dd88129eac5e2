//! Paths of operations: what they look like, and which go together.

use authkit_core::Builder;

use super::{Odd, complete, parts::operation, refused};

/// A setup in which two plugins add an operation each.
fn beside(one: &'static str, other: &'static str) -> Builder {
    let at = |id, path| Odd::adding(id, move |registrar| registrar.operation(operation(path)));
    complete().plugin(at("one", one)).plugin(at("other", other))
}

#[test]
fn a_path_is_made_of_plain_words_and_names() {
    for path in [
        "",
        "/",
        "things",
        "/things/",
        "//things",
        "/Things",
        "/th ings",
        "/things?a",
        "/dïng",
        "/{}",
        "/{a b}",
        "/{*rest}",
        "/{Id}",
        "/a{id}",
        "/{id}a",
        "/{id}{id}",
        "/{{id}}",
        "/{id",
        "/id}",
        "/a:b",
        "/*",
    ] {
        let expected =
            format!("other: the path {path} has to consist of lower-case words and {{names}}, as in /sessions/{{id}}");
        refused(beside("/fine", path), [&expected]);
    }
    for path in ["/things", "/things/{id}", "/{kind}/{the_id}/v2", "/well-known/a.json", "/a_b/2"] {
        assert!(beside("/fine", path).build().is_ok(), "{path}");
    }
}

#[test]
fn what_an_edge_answers_itself_is_kept_for_it() {
    for path in ["/openapi.json", "/auth/{id}", "/auth/{id}/parts"] {
        let expected =
            format!("other: the path {path} is kept for the edge, which answers there itself; choose another");
        refused(beside("/fine", path), [&expected]);
    }
    for path in ["/auth/things/{id}", "/{kind}/openapi.json"] {
        assert!(beside("/fine", path).build().is_ok(), "{path}");
    }
}

#[test]
fn paths_that_match_the_same_are_one() {
    refused(
        beside("/things/{id}", "/things/{id}"),
        ["authkit: the route GET /things/{id} is declared more than once, by one and other; rename or drop one"],
    );
    refused(
        beside("/things/{id}", "/things/{name}"),
        ["other: the paths /things/{id} and /things/{name} are one; name their parts alike"],
    );
    for other in ["/things/mine", "/things/{number}/parts", "/{kind}/{id}", "/things"] {
        assert!(beside("/things/{id}", other).build().is_ok(), "{other}");
    }
}
