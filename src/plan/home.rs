//! The Instance that an object stands in: nothing works outside one.

use super::{Found, Kept, Seen, facts};
use crate::api::{
    self, Instance,
    instance::{InstancePlan, InstanceState},
};

/// Where an object stands.
#[derive(Clone, Debug)]
pub enum Home {
    /// In a namespace that no Instance owns.
    Nowhere,
    /// In this Instance.
    In(Found<Instance>),
}

impl Home {
    /// Where the object of this plan stands.
    pub fn of(me: &Kept, seen: &Seen<'_>) -> Self {
        let Some(namespace) = seen.get::<facts::Namespace>(&me.id.ns) else {
            return Self::Nowhere;
        };
        let Some(name) = namespace.kept.label("instance") else {
            return Self::Nowhere;
        };
        if *me.id.ns != *namespace_of(name) {
            return Self::Nowhere;
        }
        seen.get::<Instance>(name).map_or(Self::Nowhere, Self::In)
    }

    /// Whether everything acts as if stopped.
    pub fn is_suspended(&self) -> bool {
        matches!(self, Self::In(i) if i.spec.state == Some(InstanceState::Suspended))
    }

    /// Whether nothing that is declared may change.
    pub fn is_frozen(&self) -> bool {
        matches!(self, Self::In(i) if i.spec.state == Some(InstanceState::Frozen))
    }

    /// How many Environments one Application may have.
    pub fn environment_limit(&self) -> usize {
        match self.plan() {
            InstancePlan::Free => 10,
            InstancePlan::Paid => 100,
        }
    }

    /// When data is backed up where nobody says it.
    pub fn backup(&self) -> Option<&api::instance::BackupDefaults> {
        match self {
            Self::In(i) => i.spec.defaults.as_ref()?.backup.as_ref(),
            Self::Nowhere => None,
        }
    }

    /// How much may be asked for.
    pub fn plan(&self) -> InstancePlan {
        match self {
            Self::In(i) => i.spec.plan.unwrap_or_default(),
            Self::Nowhere => InstancePlan::Free,
        }
    }

    /// Secrets that images are pulled with.
    pub fn image_pull_secrets(&self) -> &[api::name::Ref] {
        match self {
            Self::In(i) => &i.spec.image_pull_secrets,
            Self::Nowhere => &[],
        }
    }
}

/// The namespace of the Instance of this `metadata.name`.
pub fn namespace_of(instance: &str) -> String {
    format!("instance-{instance}")
}
