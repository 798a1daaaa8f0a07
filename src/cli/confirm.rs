//! A name typed back, on the line or at the terminal, before something is taken away.

use std::io::{BufRead, IsTerminal};

use super::{fail::Failure, progress::note};

/// Goes on if the name of what it is about was typed back, such as of `application/shop`, which then `is archived`.
pub fn confirm(about: &str, then: &str, name: &str, given: Option<&str>) -> Result<(), Failure> {
    let typed = match given {
        Some(given) => given.to_owned(),
        None if std::io::stdin().is_terminal() => {
            note(&format!("type {name} to confirm:"));
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            line.trim().to_owned()
        }
        None => {
            return Err(Failure::usage(
                format!("{about} {then} only when its name is typed back"),
                format!("add --confirm {name}"),
            ));
        }
    };
    if typed == name {
        return Ok(());
    }
    Err(Failure::refused(
        format!("`{typed}` is not the name of {about}, so nothing was changed"),
        format!("type {name} to confirm"),
    ))
}
