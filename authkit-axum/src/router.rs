//! Mounts the operations.

use std::{collections::BTreeMap, sync::Arc};

use authkit_core::HttpMethod;
use axum::{
    Router,
    body::Bytes,
    extract::Request,
    routing::{MethodFilter, MethodRouter, any, get, on},
};

use crate::{edge::Edge, openapi, operation};

pub(crate) fn mount(edge: &Edge) -> Router {
    let (auth, layer) = (&edge.auth, edge.layer());
    let mut routes: BTreeMap<String, MethodRouter> = BTreeMap::new();
    for operation in auth.operations() {
        let path = format!("{}{}", auth.prefix(), operation.path);
        let Some(filter) = filter(operation.method) else {
            tracing::error!(?operation, "an operation has a method that this version does not know");
            continue;
        };
        let operation = Arc::new(operation.clone());
        let handler = on(filter, move |request: Request| operation::serve(operation.clone(), request));
        let there = routes.remove(&path).unwrap_or_default();
        routes.insert(path, there.merge(handler));
    }
    let document = Bytes::from(openapi::document(auth, edge.cookies).to_string());
    let document = get(move |request: Request| operation::document(document.clone(), request));
    routes.insert("/openapi.json".to_owned(), document);

    // Not below the whole prefix: the application may have routes and a fallback of its own there.
    let unknown = any(operation::not_found).layer(layer.clone());
    let router = Router::new().route(&format!("{}/auth/{{*rest}}", auth.prefix()), unknown);
    routes.into_iter().fold(router, |router, (path, route)| {
        router.route(&path, route.fallback(operation::method_not_allowed).layer(layer.clone()))
    })
}

const fn filter(method: HttpMethod) -> Option<MethodFilter> {
    Some(match method {
        HttpMethod::Delete => MethodFilter::DELETE,
        HttpMethod::Get => MethodFilter::GET,
        HttpMethod::Patch => MethodFilter::PATCH,
        HttpMethod::Post => MethodFilter::POST,
        HttpMethod::Put => MethodFilter::PUT,
        _ => return None,
    })
}
