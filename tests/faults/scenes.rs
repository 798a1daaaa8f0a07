//! What goes wrong, besides a crash.

use std::time::Duration;

use crate::fault::{
    Fault::{self, *},
    On, Rule,
};

/// Something that goes wrong.
pub struct Scene {
    /// What, in words.
    pub name: &'static str,
    /// How.
    pub rules: &'static [Rule],
    /// Whether it is part of the sample.
    pub sample: bool,
}

const fn rule(on: On, fault: Fault, one_in: u64, most: u32) -> Rule {
    Rule {
        on,
        fault,
        one_in,
        most,
    }
}

const fn scene(name: &'static str, sample: bool, rules: &'static [Rule]) -> Scene {
    Scene {
        name,
        rules,
        sample,
    }
}

/// Everything that goes wrong, besides a crash.
pub const SCENES: &[Scene] = &[
    scene(
        "writes_meet_conflicts",
        true,
        &[rule(On::Writes, Refused(409), 3, 30)],
    ),
    scene(
        "a_busy_server_says_when_to_come_again",
        true,
        &[rule(On::Writes, Refused(429), 5, 12)],
    ),
    scene(
        "writes_fail_with_500_and_503",
        true,
        &[
            rule(On::Writes, Refused(500), 5, 12),
            rule(On::Writes, Refused(503), 5, 12),
        ],
    ),
    scene(
        "connections_break_before_and_after_a_write",
        true,
        &[
            rule(On::Writes, AnswerCut, 4, 20),
            rule(On::Writes, Cut, 6, 12),
        ],
    ),
    scene(
        "a_write_that_took_place_is_called_failed",
        true,
        &[
            rule(On::Writes, AnswerRefused(504), 3, 20),
            rule(On::Writes, AnswerRefused(409), 5, 10),
        ],
    ),
    scene(
        "an_answer_never_comes",
        false,
        &[
            rule(On::Writes, AnswerHangs, 8, 2),
            rule(On::Writes, Hangs, 8, 2),
        ],
    ),
    scene(
        "watches_break_off_and_end_at_once",
        true,
        &[
            rule(On::Watches, Breaks(2), 3, 20),
            rule(On::Watches, Ends(1), 3, 20),
        ],
    ),
    scene(
        "a_version_is_too_old_in_a_watch_and_at_its_start",
        true,
        &[
            rule(On::Watches, Expires(1), 3, 20),
            rule(On::Watches, Refused(410), 4, 8),
        ],
    ),
    scene(
        "events_come_late_and_twice",
        true,
        &[
            rule(On::Watches, Late(Duration::from_millis(900)), 2, u32::MAX),
            rule(On::Watches, Repeats, 2, u32::MAX),
        ],
    ),
    scene(
        "watches_stand_still_for_a_while",
        false,
        &[rule(On::Watches, Stalls(2, Duration::from_secs(8)), 2, 12)],
    ),
    scene(
        "lists_are_refused",
        false,
        &[
            rule(On::Lists, Refused(500), 3, 12),
            rule(On::Lists, Refused(429), 4, 6),
        ],
    ),
    scene(
        "lists_are_older_than_what_was_seen",
        true,
        &[
            rule(On::Watches, Expires(2), 2, 20),
            rule(On::Lists, Stale, 2, 12),
        ],
    ),
    scene(
        "the_lease_is_refused_at_first",
        false,
        &[rule(On::Lease, Refused(500), 1, 3)],
    ),
];
