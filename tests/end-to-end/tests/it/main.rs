//! What several plugins do together, over every store.

mod build;
mod contracts;
mod drops;
mod enumeration;
mod faults;
mod flows;
mod input;
mod limits;
mod races;
mod second_factor;
mod secrets;
mod tenants;
