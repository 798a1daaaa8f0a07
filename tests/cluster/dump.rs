//! What stood in a namespace when a story failed there.

use crate::world::World;

/// Our objects, pods and events of a namespace, as text.
pub async fn namespace(world: &World, ns: &str) -> String {
    let mut text = String::new();
    for words in [
        format!("get roadstead -n {ns} -o yaml --show-managed-fields=false"),
        format!("get deploy,sts,job,pod,pvc,svc -n {ns} -o wide"),
        format!("get events -n {ns} --sort-by=.lastTimestamp"),
        "logs -n roadstead-system -l app.kubernetes.io/name=roadstead --tail=60 --prefix"
            .to_owned(),
    ] {
        text.push_str(&format!("\n--- kubectl {words}\n"));
        match world.try_kubectl(&words).await {
            Ok(said) => text.push_str(&format!("{}{}", said.out, said.err)),
            Err(e) => text.push_str(&e.to_string()),
        }
    }
    text
}
