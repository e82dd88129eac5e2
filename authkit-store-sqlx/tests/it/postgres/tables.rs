//! What a database administrator sees.

use authkit_core::{Id, Store as _, TenantId};
use sqlx::Row as _;

use super::Schema;
use crate::world::{NOW, SCOPE, owner, ticket};

#[tokio::test]
async fn rows_are_readable_without_the_store() {
    let schema = Schema::new().await;
    let store = schema.migrated().await;
    store.commit(&SCOPE, &[owner(1, "ada"), ticket(2, 1)], NOW).await.unwrap();
    let text = "SELECT tenant_id::text, id::text, owner_id::text, expires_at::text FROM it_tickets";
    let row = sqlx::query(text).fetch_one(&mut schema.connection().await).await.unwrap();
    assert_eq!(row.get::<String, _>(0), Id::from(TenantId::DEFAULT).to_string());
    assert_eq!(row.get::<String, _>(1), "00000000-0000-0000-0000-000000000002");
    assert_eq!(row.get::<String, _>(2), "00000000-0000-0000-0000-000000000001");
    assert_eq!(row.get::<String, _>(3), "2027-01-15 08:00:01+00");
}
