//! What a change may not make worse: bounds that hold on a small and noisy machine, and still mean something.

use crate::{figures::Figures, mix};

/// Nothing that is declared may need more than so much of the writes that it needed last. Writes are counted, not timed: what is more is
/// a request that somebody added. Events that come or not, and steps that are told one by one or at once, blur them by 4 %.
const WRITES_OVER_LAST: f64 = 1.06;
/// A conflict is a race with ourselves: nobody else writes here.
const CONFLICTS: u64 = 0;
/// A start with everything there asks once, dry, whether its account may write, and takes the Lease.
const WRITES_OF_A_START: u64 = 2;
/// The program itself is to hold 15 MiB; a fifth more, as the allocator gives back when it likes.
const MEBIBYTES: f64 = 18.0;
/// What a hundred sets, 1,450 objects of theirs and ours, were measured to add between 100 and 300 sets, and a fifth more.
const MEBIBYTES_OF_100: f64 = 9.0;
/// The floor varies by 40 % from run to run on a machine that does something else. Twice the floor is a scan or a second pass.
const CPU_OVER_FLOOR: f64 = 2.0;

/// While nothing happens watches are renewed, every five minutes each, and nothing else is asked.
const READS_A_MINUTE: f64 = 12.0;
/// Each Instance has watches of its own.
const READS_OF_AN_INSTANCE: f64 = 0.25;
/// A poll would cost more, whatever it polls. CPU is told in hundredths of a second, so a short look sees little less.
const IDLE_CPU: f64 = 0.5;

/// Every bound that these figures break, in words.
pub fn broken(now: &Figures, last: Option<&Figures>) -> Vec<String> {
    let us = &now.operator;
    let mut bounds = vec![
        ("conflicts", us.conflicts() as f64, CONFLICTS as f64),
        (
            "writes of a start with all there",
            us.repeated() as f64,
            WRITES_OF_A_START as f64,
        ),
        (
            "MiB at rest",
            us.mebibytes(),
            MEBIBYTES + MEBIBYTES_OF_100 * now.n as f64 / 100.0,
        ),
        ("CPU over the floor", now.cpu_ratio(), CPU_OVER_FLOOR),
    ];
    if let Some(still) = us.still.first() {
        let minutes = still.seconds / 60.0;
        let instances = now.n.div_ceil(mix::SHARE) as f64;
        let limit = READS_A_MINUTE + READS_OF_AN_INSTANCE * instances;
        bounds.push(("writes while nothing happens", still.writes as f64, 0.0));
        bounds.push((
            "watches renewed a minute",
            still.reads as f64 / minutes,
            limit,
        ));
        let cpu = 100.0 * still.cpu / still.seconds;
        bounds.push(("% of a core while nothing happens", cpu, IDLE_CPU));
    }
    if let Some(last) = last {
        let limit = last.writes_each() * WRITES_OVER_LAST;
        bounds.push(("writes for each declared object", now.writes_each(), limit));
    }
    // Not `is > limit`: what was not measured must not pass.
    let over = bounds
        .into_iter()
        .filter(|(_, is, limit)| !matches!(is.partial_cmp(limit), Some(o) if o.is_le()));
    over.map(|(what, is, limit)| {
        let name = now.name();
        format!("{name}: {what} must not be above {limit:.2}, and is {is:.2}")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        figures::Cost,
        mix::Setting,
        record::Template,
        rig::{Requests, Still},
    };

    fn measured() -> Figures {
        let cost = Cost {
            seconds: 1.0,
            servers: 1.0,
            client: 0.1,
        };
        let mut figures = Figures::of(100, Setting::default(), &Template::default());
        figures.floor.push(cost);
        figures.operator.costs.push(cost);
        figures.operator.requests.push(Requests {
            reads: 70,
            writes: 2000,
            conflicts: 0,
            passes: 0,
        });
        figures.operator.memory.push(20 << 20);
        figures.operator.restart_writes.push(1);
        figures.operator.still.push(Still {
            seconds: 60.0,
            cpu: 0.01,
            reads: 10,
            writes: 0,
        });
        figures
    }

    #[test]
    fn figures_as_the_last_ones_break_nothing() {
        assert_eq!(broken(&measured(), Some(&measured())), Vec::<String>::new());
    }

    #[test]
    fn every_broken_bound_is_told() {
        type Worse = fn(&mut Figures);
        let worse: [(&str, Worse); 9] = [
            ("conflicts", |f| f.operator.requests[0].conflicts = 1),
            ("writes of a start", |f| f.operator.restart_writes[0] = 3),
            ("MiB at rest", |f| f.operator.memory[0] = 40 << 20),
            ("CPU over", |f| f.operator.costs[0].client = 1.5),
            ("CPU over", |f| f.floor.clear()),
            ("writes while", |f| f.operator.still[0].writes = 1),
            ("watches renewed", |f| f.operator.still[0].reads = 20),
            ("% of a core", |f| f.operator.still[0].cpu = 1.0),
            ("writes for each", |f| f.operator.requests[0].writes = 2130),
        ];
        for (what, make) in worse {
            let mut now = measured();
            make(&mut now);
            let told = broken(&now, Some(&measured()));
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(what), "{told:?}");
        }
    }
}
