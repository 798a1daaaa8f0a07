//! How big a Service is: the fixed size of its tier.

use std::fmt;

use crate::{
    api::{
        instance::InstancePlan,
        service::Tier,
        service_class::{ScalingMode, ServiceClassSpec},
    },
    plan::verdict::Verdict,
};

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(u64);

const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;

impl Bytes {
    /// The amount, as a class writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text
            .strip_suffix("Mi")
            .map(|n| (n, MI))
            .or_else(|| text.strip_suffix("Gi").map(|n| (n, GI)))?;
        let number: u64 = number.parse().ok().filter(|n| *n > 0)?;
        number.checked_mul(unit).map(Self)
    }

    fn times(self, count: i32) -> Option<Self> {
        self.0.checked_mul(u64::try_from(count).ok()?).map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(GI) {
            write!(f, "{}Gi", self.0 / GI)
        } else {
            write!(f, "{}Mi", self.0 / MI)
        }
    }
}

/// What one worker gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    /// Memory, in the class's Gb.
    pub gb: i32,
    /// Memory, as Kubernetes writes it.
    pub memory: String,
    /// CPU, as Kubernetes writes it.
    pub cpu: String,
}

impl Size {
    /// The size of this tier.
    pub fn of(class: &ServiceClassSpec, tier: Tier) -> Option<Self> {
        let production = &class.tiers.production;
        let gb = match (tier, production.scaling) {
            (Tier::Development, _) => class.tiers.development.memory_gb,
            (Tier::Production, Some(ScalingMode::Horizontal)) => {
                production.worker_memory_gb.unwrap_or(12)
            }
            (Tier::Production, _) => production.memory_gb.unwrap_or(24),
        };
        let cpu = match tier {
            Tier::Production => production.cpu.as_ref(),
            Tier::Development => None,
        };
        let one = Bytes::parse(class.gigabyte.as_deref().unwrap_or("1Gi"))?;
        Some(Self {
            gb,
            memory: one.times(gb)?.to_string(),
            cpu: cpu.unwrap_or(&class.tiers.development.cpu).clone(),
        })
    }

    /// Why an Instance of this plan cannot have it.
    pub fn refused(&self, plan: InstancePlan) -> Option<Verdict> {
        let most = match plan {
            InstancePlan::Free => 360,
            InstancePlan::Paid => 720,
        };
        (self.gb > most).then(|| {
            let message = format!(
                "Its class and tier give it {} Gb; the Instance's plan allows {most}: choose another class, or the plan Paid.",
                self.gb
            );
            Verdict::stalled("MemoryAbovePlanLimit", message.clone())
                .blocked("MemoryAbovePlanLimit", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_is_what_the_class_says() {
        let times = |one: &str, n| {
            Bytes::parse(one)
                .and_then(|b| b.times(n))
                .map(|b| b.to_string())
        };
        assert_eq!(times("1Gi", 24).as_deref(), Some("24Gi"));
        assert_eq!(times("64Mi", 2).as_deref(), Some("128Mi"));
        assert_eq!(times("512Mi", 2).as_deref(), Some("1Gi"));
        assert_eq!(Bytes::parse("0Gi"), None);
        assert_eq!(Bytes::parse("1G"), None);
    }
}
