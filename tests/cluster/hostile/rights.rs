//! What the roles of one Instance do not reach.

use anyhow::Result;

use super::{Two, object};
use crate::world::World;

const NO: Option<&str> = Some("forbidden");

/// Who develops or administers one Instance has no right outside it, and inside it none of the operator's.
///
/// proves: EP-037
pub async fn roles_of_one_instance_end_there(world: World) -> Result<()> {
    let two = Two::begin(&world, "rights").await?;
    let adam = two.adam.clone();
    world
        .until("the access list is bound", || async {
            let what = format!("rolebinding/roadstead-admin-user-{adam}");
            world.get(&what, &two.mine).await
        })
        .await?;
    two.attempt(&world, OUTSIDE).await?;
    let theirs = object("Application", "mine", "{image: a}");
    let instance = object("Instance", "third", "{name: third, description: x}");
    let class = object("ServiceClass", "third", "{type: Cache}");
    two.attempt(
        &world,
        &[
            ("create DORA -n THEIRS -f -", &theirs, NO),
            ("create ADAM -n THEIRS -f -", &theirs, NO),
            ("create DORA -n MINE --dry-run=server -f -", &theirs, None),
            ("create ADAM -f -", &instance, NO),
            ("create ADAM -f - --validate=false", &class, NO),
        ],
    )
    .await?;
    two.attempt(&world, INSIDE).await?;
    two.end(&world).await
}

/// Other Instances, the cluster, and the operator.
const OUTSIDE: &[(&str, &str, Option<&str>)] = &[
    ("get secrets ADAM -n THEIRS", "", NO),
    ("get secrets ADAM -n MINE", "", None),
    ("get renv ADAM -n THEIRS", "", NO),
    ("get rapp ADAM -A", "", NO),
    ("get rinst DORA", "", NO),
    ("delete dbk ADAM -n THEIRS x", "", NO),
    ("get pods ADAM -n roadstead-system", "", NO),
    ("get secrets ADAM -n roadstead-system", "", NO),
    ("get lease/roadstead ADAM -n roadstead-system", "", NO),
    ("create token ADAM roadstead -n roadstead-system", "", NO),
    ("create token ADAM default -n MINE", "", NO),
    // A Namespace is nobody's to mark: neither to take another's, nor to be counted as paid.
    (
        "label ns ADAM THEIRS roadstead.dev/instance=rights-mine --overwrite",
        "",
        NO,
    ),
    (
        "label ns ADAM MINE roadstead.dev/plan=Paid --overwrite",
        "",
        NO,
    ),
    (
        "label ns ADAM MINE pod-security.kubernetes.io/enforce=privileged --overwrite",
        "",
        NO,
    ),
    (
        "annotate rinst ADAM rights-theirs roadstead.dev/confirm-delete=rights-theirs",
        "",
        NO,
    ),
    (
        "patch rinst ADAM rights-mine --type=merge -p {\"spec\":{\"plan\":\"Paid\"}}",
        "",
        NO,
    ),
    (
        "create clusterrolebinding ADAM mine --clusterrole=roadstead-viewer --user=x",
        "",
        NO,
    ),
    (
        "delete validatingadmissionpolicy ADAM roadstead-operator",
        "",
        NO,
    ),
    ("get volumesnapshotcontents ADAM", "", NO),
];

/// What is the operator's inside the Instance, and the rights that its Admin hands out.
const INSIDE: &[(&str, &str, Option<&str>)] = &[
    ("get secrets DORA -n MINE", "", NO),
    ("run DORA pod --image=x -n MINE", "", NO),
    ("delete deploy ADAM -n MINE x", "", NO),
    ("delete netpol ADAM roadstead-isolation -n MINE", "", NO),
    ("delete volumesnapshots ADAM -n MINE x", "", NO),
    ("delete pvc ADAM -n MINE x", "", NO),
    ("create quota ADAM more -n MINE", "", NO),
    (
        "patch renv ADAM x -n MINE --subresource=status --type=merge -p {\"status\":{\"state\":\"running\"}}",
        "",
        NO,
    ),
    (
        "patch dbk DORA x -n MINE --subresource=status --type=merge -p {\"status\":{\"state\":\"done\"}}",
        "",
        NO,
    ),
    // Nobody hands out more than he has, nor elsewhere.
    (
        "create rolebinding ADAM all -n MINE --clusterrole=cluster-admin --user=x",
        "",
        Some("attempting to grant RBAC permissions not currently held"),
    ),
    (
        "create rolebinding ADAM operates -n MINE --clusterrole=roadstead-instance --user=x",
        "",
        Some("attempting to grant RBAC permissions not currently held"),
    ),
    (
        "create rolebinding ADAM develops -n THEIRS --clusterrole=roadstead-developer --user=x",
        "",
        NO,
    ),
    (
        "create rolebinding ADAM develops -n MINE --clusterrole=roadstead-developer --user=x",
        "",
        None,
    ),
    (
        "create rolebinding DORA develops-too -n MINE --clusterrole=roadstead-developer --user=x",
        "",
        NO,
    ),
    // What the Instance hands out is the platform team's: the operator's rights, and who is on the access list.
    (
        "delete rolebinding ADAM roadstead-operator -n MINE",
        "",
        Some("names that begin with roadstead-"),
    ),
    (
        "annotate rolebinding ADAM roadstead-operator -n MINE a=b",
        "",
        Some("forbidden"),
    ),
    (
        "label rolebinding ADAM roadstead-admin-user-rights-adam -n MINE roadstead.dev/owner-",
        "",
        Some("names that begin with roadstead-"),
    ),
    (
        "create rolebinding ADAM roadstead-viewer-user-vera -n MINE --clusterrole=roadstead-viewer --user=x",
        "",
        Some("names that begin with roadstead-"),
    ),
    (
        "create rolebinding ADAM vera-views -n MINE --clusterrole=roadstead-viewer --user=x",
        "",
        None,
    ),
    (
        "annotate rolebinding roadstead-operator -n MINE a=b",
        "",
        None,
    ),
];
