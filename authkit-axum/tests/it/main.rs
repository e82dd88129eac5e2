//! The edge over a setup of one tiny plugin.

#[cfg(test)]
mod app;
mod caching;
mod cors;
mod cross_site;
mod delivery;
mod errors;
mod extract;
mod openapi;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod rate;
mod refresh;
