//! Roadstead gives a team its own platform on Kubernetes.
//!
//! ```text
//! what people say (api)  →  what we decide (plan: pure, synchronous)  →  what we do (run: the only async code)
//!                                                                         how people say it by hand (cli)
//! ```
//!
//! - [`api`]: the kinds, with the documentation that becomes `kubectl explain`.
//! - [`cli`]: `kubectl roadstead`, one file a verb.
//! - [`kinds`]: the registry: one line for each kind.
//! - [`plan`]: from an object and what is seen of the world to children, status and the next time to look.
//! - [`run`]: the only async code: it watches, carries plans out, and knows no kind by name.

pub mod api;
pub mod cli;
pub mod kinds;
pub mod plan;
pub mod run;
