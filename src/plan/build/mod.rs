//! Children that several kinds make.

pub mod configuration;
pub mod memory;
pub mod meta;
pub mod pod;
pub mod snapshot;
pub mod variables;
