//! The plugin as an application sees it, over the in-memory store.

mod admin;
mod build;
mod change;
mod home;
mod sign_in;
mod sign_up;
