#![doc = include_str!("../README.md")]

mod admin;
mod commands;
mod config;
mod email;
mod entity;
mod error;
mod event;
mod import;
mod invitation;
mod me;
mod plugin;
mod purge;
mod sign_up;
mod user_store;

pub use crate::{
    admin::AccountAdmin,
    config::{AccountConfig, Disclosure, SignUpPolicy},
    error::codes,
    event::{
        AccountCreated, AccountDeleted, AccountDisabled, AccountEnabled, AccountImported, AccountPurged,
        AccountRestored, InvitationCreated, InvitationRedeemed,
    },
    import::{AccountImport, ImportRun, ImportTotals, RefusedRow},
    invitation::InvitationId,
    plugin::Accounts,
    user_store::IdentifierSummary,
};
