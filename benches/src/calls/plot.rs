//! The cost of one more call over the number of calls that are up, as a picture.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::row::Scale;
use crate::clock::ticks_to_f64;

const SIZE: (u32, u32) = (640, 400);
const COLOURS: [RGBColor; 2] = [RGBColor(0, 114, 178), RGBColor(213, 94, 0)];

/// Draws into an SVG file.
pub(super) fn draw(path: &Path, scales: &[Scale]) -> Result<()> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    lines(&area, scales).map_err(|error| anyhow!("drawing {}: {error}", path.display()))
}

fn lines<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    scales: &[Scale],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let points = |scale: &Scale| -> Vec<(f64, f64)> {
        scale.growth.iter().map(|(calls, cycles)| (ticks_to_f64(*calls as u64), *cycles)).collect()
    };
    let highest = scales.iter().flat_map(points).map(|(_, cycles)| cycles).fold(1.0, f64::max);
    let last = scales.iter().map(|scale| scale.calls).max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .caption("cycles of the driver for one more call", ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..ticks_to_f64(last as u64), 0.0..highest * 1.1)?;
    chart.configure_mesh().light_line_style(WHITE).x_desc("calls that are up").draw()?;
    for (scale, colour) in scales.iter().zip(COLOURS) {
        let name = format!("{}, {} at once", scale.direction, scale.at_once);
        chart
            .draw_series(std::iter::once(PathElement::new(points(scale), colour.stroke_width(2))))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .position(SeriesLabelPosition::LowerRight)
        .draw()?;
    area.present()
}
