//! `copy`: an Environment or an Application that starts as one that is there.

use clap::ValueEnum;
use clap_complete::ArgValueCompleter;
use kube::{
    Resource,
    api::{DynamicObject, PostParams},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    complete,
    fail::Failure,
    progress::{Progress, note},
    reach::{MANAGER, bare},
    scope::{Cluster, Scope},
    standing::state,
    target::{Target, short, word},
    wait::Waiting,
};
use crate::{
    api::{
        Application, Environment,
        application::{ApplicationCopy, ApplicationSpec, CopyType},
        environment::{Attachment, CopyFrom, EnvironmentSpec, EnvironmentState},
        name::Ref,
    },
    kinds::Of,
};

/// What to copy, and what the copy is.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// The environment; or an application, as rapp/NAME
    #[arg(value_name = "ENVIRONMENT|rapp/NAME", add = ArgValueCompleter::new(complete::copyable))]
    pub from: String,
    /// Name of the copy
    #[arg(long, value_name = "NAME")]
    pub to: String,
    /// How an application is copied
    #[arg(long = "as", value_enum, value_name = "TYPE")]
    pub type_: Option<Type>,
    /// An environment's copy: a service of its own, such as DEFAULT=shop-next-db; may be repeated
    #[arg(long = "service", value_name = "PREFIX=SERVICE", value_parser = attachment)]
    pub services: Vec<Attachment>,
    /// An environment's copy: leave it stopped, to look at it first
    #[arg(long)]
    pub stopped: bool,
}

/// How an Application is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Type {
    /// It goes its own way
    Fork,
    /// It runs the image of its source, later ones too
    Mirror,
}

/// What stands under the help.
pub const HELP: &str = "\
An environment's copy has its branch, image, variables and containers, and no release, no data and none of its services.
An application's copy has what the application says, and no environment yet. The source is left as it is.

With kubectl alone:
  kubectl create -f - <<EOF
  apiVersion: roadstead.dev/v1alpha1
  kind: Environment
  metadata: {name: shop-next, namespace: instance-acme}
  spec:
    applicationRef: {name: shop}
    copyFrom: {environmentRef: {name: shop-live}}
    services: [{name: shop-next-db, prefix: DEFAULT}]
  ---
  apiVersion: roadstead.dev/v1alpha1
  kind: Application
  metadata: {name: shop-eu, namespace: instance-acme}
  spec:
    copyFrom: {applicationRef: {name: shop}, type: Mirror}
  EOF";

fn attachment(text: &str) -> Result<Attachment, String> {
    let pair = text.split_once('=');
    let whole = pair.filter(|(prefix, name)| !prefix.is_empty() && !name.is_empty());
    let (prefix, name) = whole.ok_or("write PREFIX=SERVICE, such as DEFAULT=shop-next-db")?;
    Ok(Attachment {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
    })
}

/// Copies.
pub async fn run(args: &Args, scope: &Scope) -> Result<(), Failure> {
    let from = Target::parse_bare(&args.from, &[Of::Environment, Of::Application])?;
    let to = Target::parse(&args.to, &[from.of])?;
    check(args, &from, &to)?;
    let cluster = scope.connect().await?;
    if from.of == Of::Application {
        let _: Application = cluster.get(from.of, &from.name).await?;
        make(&cluster, &application(args, &from, &to), &to).await?;
    } else {
        let source: Environment = cluster.get(from.of, &from.name).await?;
        for one in unshared(&source, &args.services) {
            note(&format!(
                "note: service/{} ({}) is not shared: name one of the copy's own with --service {}=NAME, or later in spec.services",
                one.name, one.prefix, one.prefix
            ));
        }
        make(&cluster, &environment(args, &source, &to), &to).await?;
    }
    if scope.no_wait {
        let sentence = format!("{to} was asked for, a copy of {from}.");
        return scope
            .output
            .answer(&sentence, &bare(&cluster.read(&to).await?));
    }
    let mut progress = Progress::start();
    let waiting = Waiting {
        scope,
        what: to.to_string(),
        look: format!(
            "kubectl roadstead why {}/{} -n {}",
            short(to.of.entry()),
            to.name,
            cluster.namespace
        ),
    };
    let copy = waiting.settle(&cluster, &to, &mut progress).await?;
    drop(progress);
    let sentence = sentence(args, &from, &to, &copy);
    scope.output.answer(&sentence, &bare(&copy))
}

/// What the line says must fit together.
fn check(args: &Args, from: &Target, to: &Target) -> Result<(), Failure> {
    if from == to {
        return Err(Failure::usage(
            format!("{from} cannot be a copy of itself"),
            "give the copy another name with --to",
        ));
    }
    let is_application = from.of == Of::Application;
    if is_application && args.type_.is_none() {
        return Err(Failure::usage(
            "it is not said how the application is copied",
            "add --as fork, and it goes its own way; or --as mirror, and it runs the image of its source",
        ));
    }
    if is_application && (args.stopped || !args.services.is_empty()) {
        return Err(Failure::usage(
            "--stopped and --service are for the copy of an environment",
            "leave them out, and say them of the environments that you make of the copy",
        ));
    }
    if !is_application && args.type_.is_some() {
        return Err(Failure::usage(
            "--as is for the copy of an application",
            format!("leave it out, or name an application as rapp/{}", from.name),
        ));
    }
    Ok(())
}

fn application(args: &Args, from: &Target, to: &Target) -> Application {
    let spec = ApplicationSpec {
        copy_from: Some(ApplicationCopy {
            application_ref: Ref {
                name: from.name.clone(),
            },
            type_: match args.type_ {
                Some(Type::Mirror) => CopyType::Mirror,
                Some(Type::Fork) | None => CopyType::Fork,
            },
            data: None,
        }),
        ..ApplicationSpec::default()
    };
    Application::new(&to.name, spec)
}

fn environment(args: &Args, source: &Environment, to: &Target) -> Environment {
    let spec = EnvironmentSpec {
        application_ref: source.spec.application_ref.clone(),
        copy_from: Some(CopyFrom {
            environment_ref: Ref {
                name: source.metadata.name.clone().unwrap_or_default(),
            },
            data: None,
        }),
        services: args.services.clone(),
        state: args.stopped.then_some(EnvironmentState::Stopped),
        ..EnvironmentSpec::default()
    };
    Environment::new(&to.name, spec)
}

/// The Services of the source that the copy has nothing in place of.
fn unshared<'a>(source: &'a Environment, own: &[Attachment]) -> Vec<&'a Attachment> {
    let is_own = |prefix: &str| own.iter().any(|a| a.prefix == prefix);
    let all = source.spec.services.iter();
    all.filter(|a| !is_own(&a.prefix)).collect()
}

async fn make<K>(cluster: &Cluster, object: &K, to: &Target) -> Result<(), Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    let params = PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    };
    match cluster.api::<K>().create(&params, object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Err(Failure::refused(
            format!("there is {to} already"),
            "give the copy another name with --to",
        )),
        Err(e) => Err(Failure::from_api(&e, &format!("make {to}"))),
    }
}

fn sentence(args: &Args, from: &Target, to: &Target, copy: &DynamicObject) -> String {
    match args.type_ {
        Some(type_) => {
            let how = if type_ == Type::Fork {
                "fork"
            } else {
                "mirror"
            };
            format!("{to} is a {how} of {from}; nothing of it runs until it has an environment.")
        }
        None => {
            let is = state(copy).unwrap_or("there");
            format!("{to} is {is}, a copy of {} {}.", word(from.of), from.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::cli::fail::Exit;

    fn args(from: &str) -> Args {
        Args {
            from: from.into(),
            to: "next".into(),
            ..Args::default()
        }
    }

    fn target(of: Of, name: &str) -> Target {
        Target::new(of, name)
    }

    fn live() -> Environment {
        let mut live = Environment::new("shop-live", EnvironmentSpec::default());
        live.spec.application_ref.name = "shop".into();
        live.spec.services = vec![attachment("DEFAULT=shop-db").unwrap()];
        live
    }

    #[test]
    fn a_copy_says_whose_it_is_and_nothing_else() {
        let made = environment(
            &args("shop-live"),
            &live(),
            &target(Of::Environment, "next"),
        );
        assert_eq!(
            to_value(made.spec).unwrap(),
            json!({"applicationRef": {"name": "shop"}, "copyFrom": {"environmentRef": {"name": "shop-live"}}})
        );
        let from = target(Of::Application, "shop");
        let mirror = Args {
            type_: Some(Type::Mirror),
            ..args("rapp/shop")
        };
        let made = application(&mirror, &from, &target(Of::Application, "next"));
        assert_eq!(
            to_value(made.spec).unwrap(),
            json!({"copyFrom": {"applicationRef": {"name": "shop"}, "type": "Mirror"}})
        );
    }

    #[test]
    fn services_that_the_copy_has_none_of_are_known() {
        assert_eq!(unshared(&live(), &[]).len(), 1);
        let own = attachment("DEFAULT=next-db").unwrap();
        assert!(unshared(&live(), &[own]).is_empty());
        assert!(attachment("next-db").is_err());
        assert!(attachment("DEFAULT=").is_err());
    }

    #[test]
    fn a_line_that_does_not_fit_is_refused_before_anything_is_asked() {
        let refused = |args: &Args, of: Of, from: &str| {
            let checked = check(args, &target(of, from), &target(of, "next"));
            checked.map_err(|f| f.exit)
        };
        let (renv, rapp) = (Of::Environment, Of::Application);
        let plain = args("shop");
        assert_eq!(refused(&plain, renv, "shop"), Ok(()));
        assert_eq!(refused(&plain, renv, "next"), Err(Exit::Usage));
        assert_eq!(refused(&plain, rapp, "shop"), Err(Exit::Usage));
        let fork = Args {
            type_: Some(Type::Fork),
            ..args("shop")
        };
        assert_eq!(refused(&fork, rapp, "shop"), Ok(()));
        assert_eq!(refused(&fork, renv, "shop"), Err(Exit::Usage));
        let stopped = Args {
            stopped: true,
            ..fork
        };
        assert_eq!(refused(&stopped, rapp, "shop"), Err(Exit::Usage));
    }
}
