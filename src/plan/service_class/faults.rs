//! What in a class contradicts itself, beyond what the API server can refuse.

use super::{
    super::service::size::Bytes,
    words::{IN_COMMANDS, IN_VARIABLES, unknown},
};
use crate::api::service_class::ServiceClassSpec;

/// Something in a class that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which field, such as `readiness.command`.
    pub path: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Fault {
    fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
        }
    }

    /// The fault as one sentence.
    pub fn sentence(&self) -> String {
        format!("{} {}", self.path, self.what)
    }
}

/// Everything that contradicts itself; a class without faults can be used.
pub fn faults(class: &ServiceClassSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    faults.extend(ports(class));
    faults.extend(quantities(class));
    faults.extend(commands(class));
    faults.extend(variables(class));
    faults
}

fn ports(class: &ServiceClassSpec) -> Option<Fault> {
    let marked = class
        .ports
        .iter()
        .filter(|p| p.default == Some(true))
        .count();
    let (several, many) = (class.ports.len() > 1, marked > 1);
    match marked {
        0 if several => Some(Fault::new(
            "ports",
            "has no default: mark one with default: true.",
        )),
        _ if many => Some(Fault::new(
            "ports",
            "has more than one default: leave default: true on one.",
        )),
        _ => None,
    }
}

fn quantities(class: &ServiceClassSpec) -> Vec<Fault> {
    let mut faults = Vec::new();
    let cpus = [
        ("tiers.development.cpu", Some(&class.tiers.development.cpu)),
        ("tiers.production.cpu", class.tiers.production.cpu.as_ref()),
    ];
    for (path, cpu) in cpus {
        if cpu.is_some_and(|cpu| !is_cpu(cpu)) {
            faults.push(Fault::new(
                path,
                "is no amount of CPU: write 500m, 1 or 0.5.",
            ));
        }
    }
    if class
        .gigabyte
        .as_deref()
        .is_some_and(|g| Bytes::parse(g).is_none())
    {
        faults.push(Fault::new(
            "gigabyte",
            "is no amount of memory: write 1Gi or 64Mi.",
        ));
    }
    faults
}

fn is_cpu(text: &str) -> bool {
    let number = text.strip_suffix('m').unwrap_or(text);
    let milli = number.len() < text.len();
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(part)
        && !(milli && number.contains('.'))
        && number.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

fn commands(class: &ServiceClassSpec) -> Vec<Fault> {
    let mut texts: Vec<(&str, &[String])> = vec![
        ("command", &class.command),
        ("args", &class.args),
        ("readiness.command", &class.readiness.command),
    ];
    if let Some(rotate) = class.credentials.as_ref().and_then(|c| c.rotate.as_ref()) {
        texts.push(("credentials.rotate.command", &rotate.command));
    }
    if let Some(backup) = &class.backup {
        if let Some(quiesce) = &backup.quiesce {
            texts.push(("backup.quiesce.command", &quiesce.command));
            texts.push(("backup.quiesce.ready.command", &quiesce.ready.command));
        }
        if let Some(verify) = &backup.verify {
            texts.push(("backup.verify.command", &verify.command));
        }
    }
    let env = class.env.iter().filter_map(|e| e.value.as_ref());
    texts
        .into_iter()
        .flat_map(|(path, texts)| texts.iter().map(move |text| (path, text)))
        .chain(env.map(|value| ("env", value)))
        .filter_map(|(path, text)| unknown(text, IN_COMMANDS).map(|word| of_word(path, word)))
        .collect()
}

fn of_word(path: &str, word: &str) -> Fault {
    let what = if word == "PASSWORD" {
        "uses $(PASSWORD), which would show in the pod: use the variable PASSWORD in a shell, or env from: Password.".to_owned()
    } else {
        format!(
            "uses $({word}), which is not replaced: only USERNAME, HOST, PORT and DATABASE are."
        )
    };
    Fault::new(path, what)
}

fn variables(class: &ServiceClassSpec) -> Vec<Fault> {
    class
        .variables
        .iter()
        .filter_map(|v| unknown(&v.template, IN_VARIABLES).map(|word| (v, word)))
        .map(|(v, word)| {
            Fault::new(
                format!("variables.{}", v.suffix),
                format!(
                    "uses $({word}), which is not replaced: only {} are.",
                    IN_VARIABLES.join(", ")
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_cpu;

    #[test]
    fn cpu_is_written_in_cores_or_thousandths() {
        assert!(["500m", "1", "0.5", "2.25"].iter().all(|c| is_cpu(c)));
        assert!(
            ["", "m", "0", "0m", "1.5m", "one", "1Gi", ".5"]
                .iter()
                .all(|c| !is_cpu(c))
        );
    }
}
