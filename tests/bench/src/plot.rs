//! The peers as a picture: a bar a contender and number of clients, with a whisker from the least round to the most.

use crate::peers::{CLIENTS, NAMES, titled};
use crate::report::Report;
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::path::Path;

const WIDTH: f64 = 760.0;
/// Where the bars begin: left of it stand the names.
const LEFT: f64 = 260.0;
/// Right of the longest bar there is room for its number.
const RIGHT: f64 = 90.0;
const ROW: f64 = 22.0;
const COLOURS: [&str; NAMES.len()] = ["#2f6f4f", "#b9b29a", "#8b8470", "#7fae96"];

/// One chart: what it shows, of which figure, and where better is.
const CHARTS: [(&str, &str, &str); 2] = [
    ("complete orders a second (more is better)", "orders a second", "/s"),
    ("p50 of an order, in milliseconds (less is better)", "p50", " ms"),
];

/// Writes the plot, where peers were measured.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(report: &Report, path: &Path) -> Result<()> {
    let charts: Vec<Chart> =
        CHARTS.iter().map(|(title, figure, unit)| Chart::of(report, (title, figure, unit))).collect();
    if charts.iter().all(|chart| chart.bars.is_empty()) {
        return Ok(());
    }
    let height: f64 = charts.iter().map(Chart::height).sum();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let mut top = 0.0;
    for chart in &charts {
        chart.draw(&mut svg, top)?;
        top += chart.height();
    }
    svg.push_str("</svg>\n");
    std::fs::write(path, svg).with_context(|| format!("writing {}", path.display()))
}

struct Chart {
    title: &'static str,
    unit: &'static str,
    bars: Vec<Bar>,
}

struct Bar {
    name: String,
    colour: &'static str,
    least: f64,
    median: f64,
    most: f64,
}

impl Chart {
    fn of(report: &Report, (title, figure, unit): (&'static str, &str, &'static str)) -> Self {
        let mut bars = Vec::new();
        for clients in CLIENTS {
            for (name, colour) in NAMES.into_iter().zip(COLOURS) {
                let name = titled(name, clients);
                let mut samples = report.samples("peers", &format!("{name}: {figure}")).to_vec();
                samples.sort_by(f64::total_cmp);
                let median = samples.get(samples.len().saturating_sub(1) / 2).copied();
                if let (Some(least), Some(median), Some(most)) = (samples.first(), median, samples.last()) {
                    bars.push(Bar { name, colour, least: *least, median, most: *most });
                }
            }
        }
        Self { title, unit, bars }
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    fn height(&self) -> f64 {
        ROW.mul_add(self.bars.len() as f64, 44.0)
    }

    fn draw(&self, svg: &mut String, top: f64) -> Result<()> {
        let longest = self.bars.iter().map(|bar| bar.most).fold(0.0, f64::max);
        let scale = |value: f64| value / longest * (WIDTH - LEFT - RIGHT);
        writeln!(
            svg,
            "<text x=\"12\" y=\"{}\" font-size=\"14\" font-weight=\"bold\">{}</text>",
            top + 24.0,
            self.title
        )?;
        let mut y = top + 36.0;
        for bar in &self.bars {
            let (width, middle) = (scale(bar.median), y + ROW / 2.0);
            writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", LEFT - 8.0, middle + 4.0, bar.name)?;
            let height = ROW - 6.0;
            writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{}\"/>",
                y + 3.0,
                bar.colour
            )?;
            let (from, to) = (LEFT + scale(bar.least), LEFT + scale(bar.most));
            writeln!(svg, "<path d=\"M{from:.1} {middle}H{to:.1}\" stroke=\"#222\" stroke-width=\"1.5\"/>")?;
            let label = if bar.median < 100.0 { format!("{:.1}", bar.median) } else { format!("{:.0}", bar.median) };
            writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{label}{}</text>", to + 6.0, middle + 4.0, self.unit)?;
            y += ROW;
        }
        Ok(())
    }
}
