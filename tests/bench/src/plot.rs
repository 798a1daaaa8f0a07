//! What was measured, as a picture: what the operator needs against the floor, and what it holds, over the number of sets.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::{figures::Figures, mix::Setting};

const SIZE: (u32, u32) = (900, 340);
const FLOOR: RGBColor = RGBColor(140, 140, 140);
const FLOOR_OF_WORKERS: RGBColor = RGBColor(200, 200, 200);
const OPERATOR_OF_WORKERS: RGBColor = RGBColor(110, 180, 235);
const PEER: RGBColor = RGBColor(220, 120, 0);
const OPERATOR: RGBColor = RGBColor(0, 110, 180);

/// A line of a picture: what it is called, its colour, and its points.
type Line = (&'static str, RGBColor, Vec<(f64, f64)>);

/// Draws the figures into an SVG file.
pub fn draw(all: &[Figures], file: &Path) -> Result<()> {
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    let drawn = || -> Result<(), Box<dyn std::error::Error>> {
        area.fill(&WHITE)?;
        let halves = area.split_evenly((1, 2));
        let [left, right] = halves.as_slice() else {
            return Ok(());
        };
        let with = |setting: Setting| all.iter().filter(move |f| f.setting == setting);
        let points = |setting: Setting, of: fn(&Figures) -> f64| {
            with(setting).map(|f| (f.n as f64, of(f))).collect()
        };
        let own: fn(&Figures) -> f64 = |f| f.operator.cpu();
        let held: fn(&Figures) -> f64 = |f| f.operator.mebibytes();
        let (web, workers) = (
            Setting::default(),
            Setting {
                workers: true,
                ..Setting::default()
            },
        );
        let cpu = [
            ("operator", OPERATOR, points(web, own)),
            ("floor", FLOOR, points(web, Figures::floor_cpu)),
            (
                "operator, workers alone",
                OPERATOR_OF_WORKERS,
                points(workers, own),
            ),
            (
                "floor, workers alone",
                FLOOR_OF_WORKERS,
                points(workers, Figures::floor_cpu),
            ),
        ];
        panel(left, "CPU seconds until all is written", &cpu)?;
        let beside = with(web).filter_map(|f| Some((f.n as f64, f.peer.as_ref()?.mebibytes())));
        let memory = [
            ("operator", OPERATOR, points(web, held)),
            (
                "operator, workers alone",
                OPERATOR_OF_WORKERS,
                points(workers, held),
            ),
            ("controller-runtime", PEER, beside.collect()),
        ];
        panel(right, "MiB at rest", &memory)?;
        area.present()?;
        Ok(())
    };
    drawn().map_err(|e| anyhow!("cannot draw {}: {e}", file.display()))
}

/// One panel; both of its axes are logarithmic, so that what is linear is a straight line.
fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    caption: &str,
    lines: &[Line],
) -> Result<(), Box<dyn std::error::Error>> {
    let all = || lines.iter().flat_map(|(_, _, points)| points);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        low / 2.0..high * 2.0
    };
    let (x, y) = (
        range(&mut all().map(|p| p.0)),
        range(&mut all().map(|p| p.1)),
    );
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(48)
        .build_cartesian_2d(x.log_scale(), y.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("sets of Application, Environment, Service and Cronjob")
        .draw()?;
    for (name, colour, points) in lines.iter().filter(|line| !line.2.is_empty()) {
        let (colour, points) = (*colour, points.clone());
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.clone(), style))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        let dots = points
            .into_iter()
            .map(|p| Circle::new(p, 3, colour.filled()));
        chart.draw_series(dots)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(FLOOR)
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        figures::{Cost, Worked},
        record::Template,
    };

    #[test]
    fn everybody_is_a_line() {
        let of = |n: usize| {
            let cost = Cost {
                seconds: 1.0,
                servers: n as f64,
                client: 1.0,
            };
            let mut figures = Figures::of(n, Setting::default(), &Template::default());
            figures.floor.push(cost);
            figures.operator.costs.push(cost);
            figures.operator.memory.push(n as u64 * 100_000);
            figures.peer = Some(Worked {
                memory: vec![n as u64 * 300_000],
                ..Worked::default()
            });
            figures
        };
        let file = std::env::temp_dir().join(format!("bench-{}.svg", std::process::id()));
        draw(&[of(100), of(1000)], &file).expect("it is drawn");
        let svg = std::fs::read_to_string(&file).expect("it is there");
        std::fs::remove_file(&file).expect("it was there");
        for word in [
            "operator",
            "floor",
            "controller-runtime",
            "CPU seconds",
            "MiB at rest",
        ] {
            assert!(svg.contains(word), "no {word}");
        }
        assert!(svg.matches("<polyline").count() >= 4, "{svg}");
    }
}
