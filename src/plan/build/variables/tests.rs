//! What variables come to.

use super::*;

fn said(name: &str, content: Content) -> Said {
    Said {
        name: name.into(),
        origin: Origin::Environment,
        sensitive: false,
        content,
    }
}

fn pattern(name: &str, text: &str) -> Said {
    said(name, Content::Pattern(text.into()))
}

fn text(name: &str, text: &str) -> Said {
    said(name, Content::Text(text.into()))
}

fn value<'a>(resolved: &'a Resolved, key: &str) -> &'a [Part] {
    let fill = resolved.fills.iter().find(|fill| fill.key == key);
    fill.map(|fill| fill.parts.as_slice()).unwrap_or_default()
}

/// proves: DV-134, DV-135
#[test]
fn a_pattern_takes_other_variables_whatever_their_order_and_a_text_is_never_touched() {
    let resolved = resolve(&[
        pattern("GREETING", "hi from $(STAGE)!"),
        text("STAGE", "test"),
        text("ODD", "$(STAGE)$$"),
        pattern("ESCAPED", "$$(STAGE) $5 $"),
    ]);
    assert_eq!(
        value(&resolved, "GREETING"),
        [Part::Text("hi from test!".into())]
    );
    assert_eq!(value(&resolved, "ODD"), [Part::Text("$(STAGE)$$".into())]);
    assert_eq!(
        value(&resolved, "ESCAPED"),
        [Part::Text("$(STAGE) $5 $".into())]
    );
    assert!(resolved.unresolved.is_empty() && resolved.cycles.is_empty());
}

/// proves: DV-136
#[test]
fn a_placeholder_that_names_nothing_stays_and_is_reported() {
    let resolved = resolve(&[pattern("A", "x-$(NOWHERE)-$(not a name)")]);
    assert_eq!(
        value(&resolved, "A"),
        [Part::Text("x-$(NOWHERE)-$(not a name)".into())]
    );
    let place = ("NOWHERE".to_owned(), "A".to_owned());
    assert_eq!(resolved.unresolved, BTreeSet::from([place]));
}

/// proves: DV-137
#[test]
fn variables_that_need_themselves_are_reported_and_end() {
    let resolved = resolve(&[
        pattern("A", "$(B)"),
        pattern("B", "$(A)"),
        pattern("C", "$(C)"),
    ]);
    assert_eq!(
        resolved.cycles,
        BTreeSet::from(["A".to_owned(), "B".to_owned(), "C".to_owned()])
    );
}

#[test]
fn what_a_service_gives_is_put_together_by_the_kubelet_and_never_kept() {
    let resolved = resolve(&[
        pattern("URL", "$(DB_DSN)?pool=$$5&s=$(STAGE)"),
        pattern("OUTER", "<$(URL)>"),
        text("STAGE", "a$b"),
        said("DB_DSN", Content::Service("db".into())),
    ]);
    let names: Vec<&str> = resolved.entries.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["STAGE", "DB_DSN", "URL", "OUTER"]);
    let From::Live(pieces) = &resolved.entries[2].from else {
        panic!("the kubelet puts it together")
    };
    assert_eq!(for_kubelet(pieces), "$(DB_DSN)?pool=$$$$5&s=$(STAGE)");
    assert!(
        resolved
            .fills
            .iter()
            .all(|fill| fill.key != "URL" && fill.key != "DB_DSN")
    );
}

#[test]
fn a_secret_inside_a_pattern_is_filled_in_when_the_snapshot_is_made() {
    let secret = Content::Secret {
        name: "s".into(),
        key: "k".into(),
    };
    let resolved = resolve(&[
        said("KEY", secret),
        pattern("BOTH", "a$(KEY)b"),
        pattern("AGAIN", "$(BOTH)c"),
    ]);
    let part = Part::Secret {
        name: "s".into(),
        key: "k".into(),
    };
    let expected = [Part::Text("a".into()), part, Part::Text("bc".into())];
    assert_eq!(value(&resolved, "AGAIN"), expected);
}

#[test]
fn names_that_a_secret_cannot_hold_get_a_key_of_their_own() {
    let long = "L".repeat(255);
    let resolved = resolve(&[text(CONFIGURATION, "mine"), text(&long, "long")]);
    assert_eq!(value(&resolved, "variable.0"), [Part::Text("mine".into())]);
    assert_eq!(value(&resolved, "variable.1"), [Part::Text("long".into())]);
}

#[test]
fn a_person_wins_over_a_service_and_the_environment_over_the_application() {
    let with = |origin, value: &str| Said {
        origin,
        ..text("A", value)
    };
    let kept = effective(vec![
        with(Origin::Roadstead, "0"),
        with(Origin::Application, "2"),
        with(Origin::Environment, "3"),
        with(Origin::Service, "1"),
    ]);
    assert_eq!(kept, [with(Origin::Environment, "3")]);
}
