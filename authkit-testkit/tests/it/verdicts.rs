//! What the suite says to a method, clause by clause.

use std::{pin::Pin, sync::Arc, thread};

use authkit_core::Store;
use authkit_store_memory::MemoryStore;

/// Whether a clause held.
pub(crate) fn holds<F: Future<Output = ()>>(clause: impl FnOnce() -> F + Send + 'static) -> bool {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(clause());
    };
    thread::spawn(run).join().is_ok()
}

pub(crate) fn memory() -> Pin<Box<dyn Future<Output = Arc<dyn Store>>>> {
    Box::pin(async { Arc::new(MemoryStore::new()) as Arc<dyn Store> })
}

/// The clauses of the verifier suite that do not hold of a case.
macro_rules! broken_clauses {
    ((@case $case:ident) $($module:ident { $($fact:ident)+ })+) => {{
        let mut broken: Vec<&'static str> = Vec::new();
        $($(
            let clause = move || {
                let suite = authkit_testkit::verifier_suite::Suite::new($crate::verdicts::memory, $case);
                authkit_testkit::verifier_suite::$module::$fact(suite)
            };
            if !$crate::verdicts::holds(clause) {
                broken.push(stringify!($fact));
            }
        )+)+
        broken
    }};
    ($case:expr) => {{
        let case = $case;
        authkit_testkit::__verifier_clauses! { [$crate::verdicts::broken_clauses] @case case }
    }};
}
pub(crate) use broken_clauses;
