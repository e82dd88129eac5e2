//! Schemathesis calls everything that the OpenAPI document describes, and holds every answer to it.

use std::process::Command;

use schemathesis::Program;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_the_one_that_the_document_describes() {
    let tool = schemathesis::install().unwrap();
    let program = Program::start().await.unwrap();
    let base = format!("http://{}", program.address);
    let here = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(tool)
        .arg(format!("--config-file={here}/schemathesis.toml"))
        .args(["run", &format!("{base}/openapi.json"), "--url", &base, "--max-time", seconds()])
        .env("AUTHKIT_BASE", &base)
        .env("PYTHONPATH", here)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .current_dir(program.directory())
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{report}");
}

/// For how long it calls.
#[expect(clippy::disallowed_methods, reason = "the full check says so in the environment")]
fn seconds() -> &'static str {
    if std::env::var_os("AUTHKIT_FULL").is_some() { "600" } else { "60" }
}
