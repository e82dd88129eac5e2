//! The plugins of the simulation's own, as a third party would write them.

mod badge;
mod demand;
mod logger;
mod words;

pub(crate) use self::{
    badge::{BADGE, Badges, SMALLEST_STEP},
    demand::Demand,
    logger::Logger,
    words::{WordAdmin, Words},
};
