//! One test per fact that a store has to keep.
#![expect(clippy::expect_used, clippy::panic, reason = "this is test code, and a test fails by panicking")]

pub mod batches;
pub mod counters;
pub mod dropped;
pub mod expiry;
pub mod guards;
pub mod migrations;
pub mod queries;
pub mod races;
pub mod reads;
pub mod references;
pub mod restart;
pub mod tenants;
pub mod unique;
pub mod values;
pub(crate) mod world;

/// Holds a store to every clause of [`Store`](authkit_core::Store): one test per fact.
///
/// The argument is an expression that makes a fresh, **empty** store; it may await, and is evaluated once per test. A
/// store that keeps data over restarts also hands in what opens one and the same place, new at first, again and again:
///
/// ```
/// # use authkit_store_memory::MemoryStore as MyStore;
/// # use authkit_testkit::store_suite;
/// store_suite!(
///     make = MyStore::new(),
///     reopen = {
///         let place = MyStore::new();
///         move || std::future::ready(place.clone())
///     },
/// );
/// # fn main() {}
/// ```
///
/// `reopen` is evaluated once, in the test that restarts. It yields a closure that returns a future of a store.
///
/// Races run a few rounds; with the environment variable `AUTHKIT_FULL` they run a thousand.
///
/// # Examples
///
/// The whole of `tests/conformance.rs` of a store:
///
/// ```
/// use authkit_store_memory::MemoryStore;
///
/// authkit_testkit::store_suite!(MemoryStore::new());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! store_suite {
    (make = $make:expr, reopen = $reopen:expr $(,)?) => {
        $crate::store_suite!($make);

        #[$crate::__private::tokio::test(flavor = "multi_thread", crate = "authkit_testkit::__private::tokio")]
        async fn acknowledged_rows_outlive_a_restart() {
            $crate::store_suite::restart::acknowledged_rows_outlive_a_restart($reopen).await;
        }
    };
    ($make:expr $(,)?) => {
        $crate::store_suite! { @each $make;
            values {
                every_value_comes_back_with_its_kind
                an_update_keeps_every_value
                null_comes_back_as_null
                json_comes_back_verbatim
                indexed_text_holds_255_characters
            }
            batches {
                a_failed_batch_leaves_nothing_and_names_op_and_index
                every_op_reports_what_it_did
                ops_of_a_batch_build_on_each_other
            }
            unique {
                unique_keys_hold_within_a_tenant
                unique_keys_are_free_in_another_tenant
                a_null_in_a_key_collides_with_none
                an_update_into_a_taken_key_is_a_duplicate
                keys_differ_where_their_bytes_do
            }
            guards {
                every_comparison_is_judged_as_declared
                text_bytes_ids_times_and_bools_are_compared
                a_write_to_an_absent_row_loses_its_guard
                a_lost_guard_changes_nothing
                an_update_that_sets_nothing_demands_its_guards
            }
            expiry {
                an_expired_row_is_not_read
                an_expired_row_satisfies_no_guard
                an_expired_row_collides_with_nothing
                an_expired_row_is_no_parent
                a_row_expires_at_the_millisecond
                a_sweep_removes_expired_rows_of_all_tenants_up_to_its_limit
            }
            tenants {
                no_read_reaches_another_tenant
                no_write_reaches_another_tenant
                references_do_not_cross_tenants
                global_rows_are_reached_with_either_scope
                rows_of_tenants_are_not_reached_with_the_global_scope
            }
            references {
                a_missing_parent_loses_the_guard
                removing_a_parent_removes_what_refers_to_it
                a_reference_of_null_needs_no_parent
            }
            counters {
                the_first_bump_is_what_was_added
                a_bump_keeps_the_other_columns
                a_bump_never_exceeds_its_maximum
                a_bump_adds_to_its_floor
                a_bump_never_leaves_64_bits
                a_bump_extends_the_expiry_and_never_shortens_it
                an_expired_counter_starts_afresh
                counters_of_tenants_and_keys_are_apart
            }
            reads {
                a_get_returns_the_wanted_columns_in_order
                a_get_finds_by_every_unique_index
                a_get_joins_the_row_it_refers_to
                a_join_of_nothing_is_none
            }
            queries {
                pages_join_up_both_ways
                bounds_select_and_exclude_null
                filters_are_applied_before_the_limit
                a_null_prefix_selects_null
                text_is_ordered_by_code_point
                a_purge_spares_one_row_and_returns_the_rest
            }
            migrations {
                a_call_before_migrate_is_an_error
                steps_are_applied_once_and_forward
                old_rows_get_the_default_of_a_new_column
                the_version_before_runs_on_the_new_schema
                an_added_unique_index_holds_and_a_dropped_one_does_not
                an_edited_step_is_refused
                a_table_that_differs_from_its_declaration_is_refused
                nodes_that_migrate_at_once_agree
            }
            races {
                one_of_many_takers_wins
                one_of_many_inserters_wins
                compare_and_set_loses_no_update
                a_bumped_counter_admits_exactly_its_maximum
                ensure_holds_against_a_racing_update
                ensure_holds_against_a_racing_purge
                a_child_never_outlives_its_parent
            }
            dropped {
                a_dropped_commit_is_whole_or_absent
            }
        }
    };
    (@each $make:expr; $($module:ident { $($fact:ident)+ })+) => { $($(
        #[$crate::__private::tokio::test(flavor = "multi_thread", crate = "authkit_testkit::__private::tokio")]
        async fn $fact() {
            $crate::store_suite::$module::$fact(::std::sync::Arc::new($make)).await;
        }
    )+)+ };
}
