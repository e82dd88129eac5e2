//! What only the types can refuse. Each pair differs in one place: the first compiles, the second does not.
//!
//! A column is a `Field`:
//!
//! ```
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable)]
//! struct Row { id: PrincipalId, ratio: i64 }
//! ```
//! ```compile_fail,E0277
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable)]
//! struct Row { id: PrincipalId, ratio: f64 }
//! ```
//!
//! The id is an id:
//!
//! ```compile_fail,E0277
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable)]
//! struct Row { id: String, ratio: i64 }
//! ```
//!
//! The expiry is a time:
//!
//! ```
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable, expires(until))]
//! struct Row { id: PrincipalId, until: Option<Timestamp> }
//! ```
//! ```compile_fail,E0080
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable, expires(until))]
//! struct Row { id: PrincipalId, until: Option<i64> }
//! ```
//!
//! A reference holds an id:
//!
//! ```
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable, references(owner -> auth_principals))]
//! struct Row { id: FlowId, owner: Option<PrincipalId> }
//! ```
//! ```compile_fail,E0080
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable, references(owner -> auth_principals))]
//! struct Row { id: FlowId, owner: String }
//! ```
//!
//! JSON is not indexed:
//!
//! ```
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable, index(by_owner: owner))]
//! struct Row { id: FlowId, owner: PrincipalId, data: Json<Vec<i64>> }
//! ```
//! ```compile_fail,E0080
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable, index(by_owner: data))]
//! struct Row { id: FlowId, owner: PrincipalId, data: Json<Vec<i64>> }
//! ```
//!
//! A default has the type of its field:
//!
//! ```
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable)]
//! struct Row { id: FlowId, #[entity(default = Some(0))] count: Option<i64> }
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable)]
//! struct Row { id: FlowId, #[entity(default = true)] count: Option<i64> }
//! ```
//!
//! A comparison has the type of the column:
//!
//! ```
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable)]
//! struct Row { id: FlowId, count: i64 }
//! let _ = Row::count.lt(3);
//! ```
//! ```compile_fail,E0308
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows", durable)]
//! struct Row { id: FlowId, count: i64 }
//! let _ = Row::count.lt("3");
//! ```
//!
//! A refused attribute stops the build:
//!
//! ```compile_fail
//! # use authkit_core::*;
//! #[derive(Entity)]
//! #[entity(table = "rows")]
//! struct Row { id: FlowId }
//! ```
