//! What a Service, its class and its Instance come to together.

use super::{data, names::DataName, size::Size};
use crate::{
    api::{
        Service, ServiceClass,
        service::ServiceState,
        service_class::{ClassPort, HashForm},
    },
    plan::{
        Found, Kept, Seen,
        home::Home,
        service_class::{Fault, default_port, faults},
        verdict::Verdict,
    },
};

/// What is to be built.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its class.
    pub class: Found<ServiceClass>,
    /// The port that its address names.
    pub port: ClassPort,
    /// What one worker gets.
    pub size: Size,
    /// Where it runs, if anywhere in particular.
    pub region: Option<String>,
    /// Which data it works on.
    pub data: DataName,
    /// Whether a deleted Service left that data.
    pub retained: bool,
    /// Whether its engine should run.
    pub runs: bool,
    /// The Restore for which nothing of it runs.
    pub restoring: Option<String>,
    /// Whether its Instance is suspended.
    pub suspended: bool,
    /// Secrets that images are pulled with.
    pub pull: Vec<String>,
}

impl Setup {
    /// What is to be built, or why nothing can be.
    pub fn of(service: &Service, me: &Kept, seen: &Seen<'_>) -> Result<Self, Verdict> {
        let home = Home::of(me, seen);
        if matches!(home, Home::Nowhere) {
            let message =
                "Its namespace belongs to no Instance: make it in the namespace of an Instance.";
            return Err(Verdict::stalled("NoInstance", message).blocked("NoInstance", message));
        }
        let class = class(service, seen)?;
        let region = region(service, &class)?;
        own_password(service, &class)?;
        let (Some(port), Some(size)) = (
            default_port(&class.spec).cloned(),
            Size::of(&class.spec, service.spec.tier.unwrap_or_default()),
        ) else {
            return Err(inconsistent(&class, "its sizes cannot be counted"));
        };
        if let Some(refusal) = size.refused(home.plan()) {
            return Err(refusal);
        }
        let declared = service.spec.state.unwrap_or_default() == ServiceState::Running;
        Ok(Self {
            port,
            size,
            region,
            data: data::current(service, me, seen),
            retained: data::retained(service).is_some(),
            runs: declared && !home.is_suspended(),
            restoring: None,
            suspended: home.is_suspended(),
            pull: home
                .image_pull_secrets()
                .iter()
                .map(|s| s.name.clone())
                .collect(),
            class,
        })
    }
}

fn class(service: &Service, seen: &Seen<'_>) -> Result<Found<ServiceClass>, Verdict> {
    let name = &service.spec.class_ref.name;
    let Some(class) = seen.get::<ServiceClass>(name) else {
        let message = format!(
            "There is no ServiceClass {name}: `kubectl get serviceclasses` lists what there is; install the catalogue, or make this Service again with another class."
        );
        return Err(Verdict::stalled("ClassMissing", message.clone())
            .blocked(format!("ClassMissing/{name}"), message));
    };
    match faults(&class.spec).first() {
        Some(fault) => Err(inconsistent(&class, &Fault::sentence(fault))),
        None => Ok(class),
    }
}

fn inconsistent(class: &Found<ServiceClass>, why: &str) -> Verdict {
    let name = class.name();
    let message = format!("The ServiceClass {name} contradicts itself: {why}");
    Verdict::stalled("ClassInconsistent", message.clone())
        .blocked(format!("ClassInconsistent/{name}"), message)
}

fn region(service: &Service, class: &Found<ServiceClass>) -> Result<Option<String>, Verdict> {
    let offered = &class.spec.regions;
    let Some(region) = service.spec.region.as_ref().or(offered.first()) else {
        return Ok(None);
    };
    if offered.is_empty() || offered.contains(region) {
        return Ok(Some(region.clone()));
    }
    let message = format!(
        "The ServiceClass {} is not offered in the region {region}: make this Service again in one of {}.",
        class.name(),
        offered.join(", ")
    );
    Err(Verdict::stalled("UnknownRegion", message.clone())
        .blocked(format!("UnknownRegion/{region}"), message))
}

fn own_password(service: &Service, class: &Found<ServiceClass>) -> Result<(), Verdict> {
    let brought = service
        .spec
        .credentials
        .as_ref()
        .and_then(|c| c.password_hash_from.as_ref());
    if brought.is_none() {
        return Ok(());
    }
    let form = class
        .spec
        .credentials
        .as_ref()
        .and_then(|c| c.hash)
        .unwrap_or_default();
    let (reason, why) = match form {
        HashForm::None => ("HashNotAccepted", "accepts no password of your own"),
        HashForm::Sha256Base64 => (
            "HashNotYet",
            "would accept a password of your own, which is not yet there",
        ),
    };
    let message = format!(
        "The ServiceClass {} {why}: remove credentials.passwordHashFrom.",
        class.name()
    );
    Err(Verdict::stalled(reason, message.clone()).blocked(reason, message))
}
