//! Mounts the operations.

use std::{collections::BTreeMap, mem, sync::Arc};

use authkit_core::HttpMethod;
use axum::{
    Router,
    body::Bytes,
    extract::Request,
    routing::{MethodFilter, MethodRouter, any, get, on},
};
use http::Method;

use crate::{cors::CorsLayer, edge::Edge, layer::AuthLayer, openapi, operation};

pub(crate) fn mount(edge: &Edge) -> Router {
    let (auth, layer) = (&edge.auth, edge.layer());
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for operation in auth.operations() {
        let path = operation.path_below(auth.prefix());
        let Some((method, filter)) = method(operation.method) else {
            tracing::error!(?operation, "an operation has a method that this version does not know");
            continue;
        };
        let operation = Arc::new(operation.clone());
        let handler = on(filter, move |request: Request| operation::serve(operation.clone(), request));
        places.entry(path).or_default().add(method, handler);
    }
    let document = Bytes::from(openapi::document(auth, edge.cookies).to_string());
    let document = get(move |request: Request| operation::document(document.clone(), request));
    places.entry("/openapi.json".to_owned()).or_default().add(Method::GET, document);

    // Not below the whole prefix: the application may have routes and a fallback of its own there.
    let unknown = Place { route: any(operation::not_found), methods: Vec::new() };
    let unknown = unknown.behind(edge, layer.clone());
    let router = Router::new().route(&format!("{}/auth/{{*rest}}", auth.prefix()), unknown);
    places.into_iter().fold(router, |router, (path, mut place)| {
        place.route = place.route.fallback(operation::method_not_allowed);
        router.route(&path, place.behind(edge, layer.clone()))
    })
}

/// What is at one path.
#[derive(Default)]
struct Place {
    route: MethodRouter,
    methods: Vec<Method>,
}

impl Place {
    fn add(&mut self, method: Method, handler: MethodRouter) {
        self.route = mem::take(&mut self.route).merge(handler);
        self.methods.push(method);
    }

    fn behind(self, edge: &Edge, layer: AuthLayer) -> MethodRouter {
        let route: MethodRouter = self.route.layer(layer);
        if edge.origins.is_empty() { route } else { route.layer(CorsLayer::new(edge, self.methods)) }
    }
}

const fn method(method: HttpMethod) -> Option<(Method, MethodFilter)> {
    Some(match method {
        HttpMethod::Delete => (Method::DELETE, MethodFilter::DELETE),
        HttpMethod::Get => (Method::GET, MethodFilter::GET),
        HttpMethod::Patch => (Method::PATCH, MethodFilter::PATCH),
        HttpMethod::Post => (Method::POST, MethodFilter::POST),
        HttpMethod::Put => (Method::PUT, MethodFilter::PUT),
        _ => return None,
    })
}
