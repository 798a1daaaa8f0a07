//! Children that several kinds make.

pub mod meta;
pub mod pod;
