//! What an Instance consists of: its Namespace, who may do what in it, how much it may use and who reaches it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    api::{
        self, Instance,
        instance::{Access, AccessKind, Isolation},
    },
    kinds::Of,
    plan::{
        Kept, Seen, Step, Watched,
        build::meta::Child,
        facts::{LimitRange, NetworkPolicy, ResourceQuota, RoleBinding},
        home::namespace_of,
    },
};

/// The API group of roles, bindings and what they bind.
const RBAC: &str = "rbac.authorization.k8s.io";
/// How much of a subject's name fits in an object's name as it is, and how much before a hash.
const LEGIBLE: (usize, usize) = (35, 24);

/// Everything, in the order in which it is made: first the right to make the rest.
pub fn all(instance: &Instance, me: &Kept, account: (&str, &str), name: Option<&str>) -> Vec<Step> {
    let mut children = vec![namespace(instance, me, name), operator(me, account)];
    children.extend(quota(instance, me));
    children.extend(limits(instance, me));
    children.extend(policies(instance, me));
    children.extend(
        instance
            .spec
            .access
            .iter()
            .map(|access| binding(me, access)),
    );
    children
        .into_iter()
        .map(|child| Step::Apply(child.want()))
        .collect()
}

/// Everything that there is, as it is: while the Namespace goes, nothing in it is made, changed or removed.
pub fn kept(seen: &Seen<'_>) -> Vec<Step> {
    fn of<K: Watched>(seen: &Seen<'_>) -> impl Iterator<Item = Step> {
        seen.owned::<K>()
            .into_iter()
            .map(|child| Step::Keep(child.kept.id.clone()))
    }
    of::<RoleBinding>(seen)
        .chain(of::<ResourceQuota>(seen))
        .chain(of::<LimitRange>(seen))
        .chain(of::<NetworkPolicy>(seen))
        .collect()
}

/// The first of the children that is not there yet.
pub fn missing(seen: &Seen<'_>, steps: &[Step]) -> Option<String> {
    let there = kept(seen);
    let is_there = |id| {
        there
            .iter()
            .any(|step| matches!(step, Step::Keep(kept) if kept == id))
    };
    let first = steps.iter().find_map(|step| match step {
        Step::Apply(want) if want.id.of != Of::Namespace && !is_there(&want.id) => Some(&want.id),
        _ => None,
    })?;
    Some(format!("{} {}", first.of.entry().kind, first.name))
}

fn child(me: &Kept, of: Of, name: impl Into<std::sync::Arc<str>>) -> Child {
    Child::in_namespace(me, of, namespace_of(&me.id.name), name).that_blocks_nothing()
}

fn namespace(instance: &Instance, me: &Kept, name: Option<&str>) -> Child {
    let spec = &instance.spec;
    let mut child = Child::in_namespace(me, Of::Namespace, "", namespace_of(&me.id.name))
        .that_stays()
        .label(api::INSTANCE, &*me.id.name)
        .label(api::PLAN, format!("{:?}", spec.plan.unwrap_or_default()))
        .label(api::STATE, format!("{:?}", spec.state.unwrap_or_default()));
    for mode in ["enforce", "warn", "audit"] {
        child = child.label(&format!("pod-security.kubernetes.io/{mode}"), "restricted");
    }
    match name {
        Some(name) => child.annotation(api::NAME, name),
        None => child,
    }
}

fn operator(me: &Kept, (namespace, name): (&str, &str)) -> Child {
    let subject = json!({"kind": "ServiceAccount", "namespace": namespace, "name": name});
    bound(me, "roadstead-operator", "roadstead-instance", &subject)
}

fn binding(me: &Kept, access: &Access) -> Child {
    let role = format!("{:?}", access.role).to_lowercase();
    let kind = format!("{:?}", access.kind);
    let subject = match access.kind {
        AccessKind::ServiceAccount => {
            json!({"kind": kind, "namespace": namespace_of(&me.id.name), "name": access.name})
        }
        _ => json!({"apiGroup": RBAC, "kind": kind, "name": access.name}),
    };
    // A binding's role never changes, so the role is part of its name.
    let short = match access.kind {
        AccessKind::User => "user",
        AccessKind::Group => "group",
        AccessKind::ServiceAccount => "account",
    };
    let name = format!("roadstead-{role}-{short}-{}", legible(&access.name));
    bound(me, &name, &format!("roadstead-{role}"), &subject)
}

fn bound(me: &Kept, name: &str, role: &str, subject: &Value) -> Child {
    child(me, Of::RoleBinding, name)
        .field(
            "roleRef",
            json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": role}),
        )
        .field("subjects", json!([subject]))
}

/// A subject's name as part of an object's name: as it is where that is possible, otherwise its beginning and a hash.
fn legible(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.len() <= LEGIBLE.0 && name.chars().all(is_plain) && !name.ends_with('-') {
        return name.to_owned();
    }
    let lower = name.chars().take(LEGIBLE.1).map(|c| c.to_ascii_lowercase());
    let plain: String = lower.map(|c| if is_plain(c) { c } else { '-' }).collect();
    let hash = Sha256::digest(name.as_bytes());
    let hash: String = hash
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{hash}", plain.trim_matches('-'))
}

fn quota(instance: &Instance, me: &Kept) -> Option<Child> {
    let hard = &instance.spec.quota;
    let child =
        child(me, Of::ResourceQuota, "roadstead-quota").field("spec", json!({"hard": hard}));
    (!hard.is_empty()).then_some(child)
}

/// Where a quota counts CPU or memory, a pod that asks for none is refused: these defaults let it in.
fn limits(instance: &Instance, me: &Kept) -> Option<Child> {
    let quota = &instance.spec.quota;
    let counted = |names: &[&str]| names.iter().any(|name| quota.contains_key(*name));
    let if_counted = |names: &[&str], amount: &str| counted(names).then(|| amount.to_owned());
    let limit = json!({
        "type": "Container",
        "defaultRequest": {
            "cpu": if_counted(&["requests.cpu", "cpu"], "50m"),
            "memory": if_counted(&["requests.memory", "memory"], "64Mi"),
        },
        "default": {
            "cpu": if_counted(&["limits.cpu"], "1"),
            "memory": if_counted(&["limits.memory"], "512Mi"),
        },
    });
    let names = [
        "requests.cpu",
        "cpu",
        "requests.memory",
        "memory",
        "limits.cpu",
        "limits.memory",
    ];
    let child =
        child(me, Of::LimitRange, "roadstead-defaults").field("spec", json!({"limits": [limit]}));
    counted(&names).then_some(child)
}

/// Who reaches the Instance's pods. Services admit whom their own access list names, so here they are left at nobody.
fn policies(instance: &Instance, me: &Kept) -> Vec<Child> {
    let network = instance.spec.network.clone().unwrap_or_default();
    if network.isolation.unwrap_or_default() == Isolation::None {
        return Vec::new();
    }
    let all_but_services =
        json!({"matchExpressions": [{"key": api::SERVICE, "operator": "DoesNotExist"}]});
    let policy = |name: &str, pods: Value, from: Value| {
        let ingress = if from.is_null() {
            Value::Null
        } else {
            json!([{"from": from}])
        };
        let spec = json!({"podSelector": pods, "policyTypes": ["Ingress"], "ingress": ingress});
        child(me, Of::NetworkPolicy, name).field("spec", spec)
    };
    let mut policies = vec![
        policy("roadstead-isolation", json!({}), Value::Null),
        policy(
            "roadstead-inside",
            all_but_services.clone(),
            json!([{"podSelector": {}}]),
        ),
    ];
    if !network.allow_from.is_empty() {
        let ranges = network.allow_from.iter();
        let from = ranges
            .map(|range| json!({"ipBlock": {"cidr": range.cidr}}))
            .collect();
        policies.push(policy(
            "roadstead-allow-from",
            all_but_services,
            Value::Array(from),
        ));
    }
    policies
}
