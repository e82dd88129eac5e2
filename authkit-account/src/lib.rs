#![doc = include_str!("../README.md")]

mod admin;
mod config;
mod email;
mod entity;
mod error;
mod event;
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
        AccountCreated, AccountDeleted, AccountDisabled, AccountEnabled, AccountPurged, AccountRestored,
        InvitationCreated, InvitationRedeemed,
    },
    invitation::InvitationId,
    plugin::Accounts,
    user_store::IdentifierSummary,
};
