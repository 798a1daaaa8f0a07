//! What can be shown without a cluster: decisions, and what this project says about itself.

mod ledger;
