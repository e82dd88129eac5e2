//! What this store does beyond the contract, and how it keeps what the contract says.

mod cancellation;
mod crash;
mod in_the_way;
mod migrations;
mod nodes;
mod secrecy;
mod tables;
mod world;
