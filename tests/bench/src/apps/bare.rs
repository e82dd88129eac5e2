//! axum alone: what any application pays.

use anyhow::Result;
use axum::{Router, http::header, routing::get};

use crate::{apps::Application, machine};

pub(super) fn build() -> Result<Application> {
    const BODY: &str = r#"{"id":"019a5b52-7f3a-7c4d-9e21-5b6f0c1d2e3f","kind":"human","status":"active"}"#;
    let router = Router::new().route("/me", get(async || ([(header::CONTENT_TYPE, "application/json")], BODY)));
    let idle_kib = machine::resident_kib(std::process::id())?;
    Ok(Application::new(router, vec!["none=none".to_owned()], idle_kib, None))
}
