//! What people say: the kinds of `roadstead.dev/v1alpha1`, one file a kind.
//!
//! Types and their documentation, no behaviour. Every doc comment on a field becomes `kubectl explain`, so each says what the
//! field does, its unit, its range and its default. Defaults live in the plan, not in the schema: Git and the cluster then
//! always carry the same value.

pub mod application;
pub mod application_template;
pub mod backup;
pub mod cronjob;
mod definition;
pub mod environment;
pub mod instance;
pub mod name;
pub mod release;
pub mod restore;
mod schedule;
pub mod service;
pub mod service_class;
pub mod status;

pub use application::Application;
pub use application_template::ApplicationTemplate;
pub use backup::Backup;
pub use cronjob::Cronjob;
pub use definition::definition;
pub use environment::Environment;
pub use instance::Instance;
pub use release::Release;
pub use restore::Restore;
pub use service::Service;
pub use service_class::ServiceClass;

/// The API group of every kind.
pub const GROUP: &str = "roadstead.dev";
/// The only API version so far.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` as manifests write it.
pub const API_VERSION: &str = "roadstead.dev/v1alpha1";

/// The field manager of every write of the operator.
pub const MANAGER: &str = "roadstead";
/// The field manager that holds `replicas` for the moment in which an HPA takes over.
pub const HANDOVER: &str = "roadstead-handover";
/// The finalizer of the kinds that must act before they go.
pub const FINALIZER: &str = "roadstead.dev/finalizer";

/// Label on every child: the UID of the object it was made for. The policy that binds the operator reads it.
pub const OWNER: &str = "roadstead.dev/owner";
/// Annotation on every applied child: the hash of what was applied.
pub const APPLIED: &str = "roadstead.dev/applied";
/// Annotation on every object of ours: who made it, as the API server knows them. By the part after `roadstead.dev/`; a policy writes it.
pub const CREATED_BY: &str = "created-by";
/// Annotation on every object of ours: who last changed its spec. By the part after `roadstead.dev/`; a policy writes it.
pub const CHANGED_BY: &str = "changed-by";
/// Label on an Event: who did what it tells, as far as a label can hold the name. The annotation of the same name holds all of it.
pub const ACTOR: &str = "roadstead.dev/actor";
/// Label on a Namespace: the Instance (`metadata.name`) that it belongs to.
pub const INSTANCE: &str = "roadstead.dev/instance";
/// Annotation on an Instance's Namespace: the name that people know the Instance by. It is what makes it the holder of that name.
pub const NAME: &str = "roadstead.dev/name";
/// Label on an Instance's Namespace: `Free` or `Paid`. A policy reads it.
pub const PLAN: &str = "roadstead.dev/plan";
/// Label on an Instance's Namespace: `Active`, `Suspended` or `Frozen`. A policy reads it.
pub const STATE: &str = "roadstead.dev/state";
/// Label on the pods of an Application, with its name.
pub const APPLICATION: &str = "roadstead.dev/application";
/// Label on everything that an Environment runs.
pub const ENVIRONMENT: &str = "roadstead.dev/environment";
/// Label on the pods of a container, with its name.
pub const CONTAINER: &str = "roadstead.dev/container";
/// Label on the pods of a release command, with its place among them.
pub const COMMAND: &str = "roadstead.dev/command";
/// Label on a Release, its snapshot Secret and its pods: the number.
pub const RELEASE: &str = "roadstead.dev/release";
/// Label on everything that a Service runs.
pub const SERVICE: &str = "roadstead.dev/service";
/// Label on what a Service runs: `worker`, its engine, or `job`, a command beside it.
pub const ROLE: &str = "roadstead.dev/role";
/// Label on everything that belongs to a Backup.
pub const BACKUP: &str = "roadstead.dev/backup";
/// Label on the Secret that stays with the data of a Service: the first 8 characters of the UID that the data is named after.
pub const DATA: &str = "roadstead.dev/data";
/// Label on a Backup that the operator made: `Scheduled`, `Safety` or `Final`.
pub const TRIGGER: &str = "roadstead.dev/trigger";
/// Label on everything that a Cronjob runs.
pub const CRONJOB: &str = "roadstead.dev/cronjob";
