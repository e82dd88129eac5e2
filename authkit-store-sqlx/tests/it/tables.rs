//! What a database administrator sees.

use authkit_core::{Id, Store as _, TenantId};
use sqlx::Row as _;

use crate::world::{NOW, Place, SCOPE, owner, ticket};

#[tokio::test]
async fn rows_are_readable_without_the_store() {
    let place = Place::new();
    let store = place.migrated().await;
    store.commit(&SCOPE, &[owner(1, "ada"), ticket(2, 1)], NOW).await.unwrap();
    let row = sqlx::query("SELECT tenant_id, id, owner_id, expires_at FROM it_tickets");
    let row = row.fetch_one(&mut place.connection().await).await.unwrap();
    assert_eq!(row.get::<String, _>(0), Id::from(TenantId::DEFAULT).to_string());
    assert_eq!(row.get::<String, _>(1), "00000000-0000-0000-0000-000000000002");
    assert_eq!(row.get::<String, _>(2), "00000000-0000-0000-0000-000000000001");
    assert_eq!(row.get::<i64, _>(3), NOW.millis() + 1000);
}
