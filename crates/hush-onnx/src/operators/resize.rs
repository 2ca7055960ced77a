//! `Resize` and `Upsample` by constant scales or to constant sizes.

use crate::constant::BATCH_SIZE;
use crate::node::{Known, NodeContext, Problem, full_axis};
use crate::resample::{Axis, Coordinates, Interpolation, Rounding};
use crate::separable::Separable;
use hush_graph::Shape;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let input = context.data(0)?;
    let shape = context.shape(input);
    let rank = shape.rank() + 1;
    let axes = match context.integers_attribute("axes")? {
        None => (0..rank).collect(),
        Some(axes) => axes
            .into_iter()
            .map(|axis| full_axis(axis, rank))
            .collect::<Result<Vec<usize>, _>>()?,
    };
    let targets = targets(context, &shape, &axes)?;
    let region = region(context, axes.len())?;
    let mut resized = Separable::new("resize");
    if region.is_some() {
        resized.fill(context.float_attribute("extrapolation_value", 0.0)?);
    }
    for (index, (&full, &(new_length, scale))) in axes.iter().zip(&targets).enumerate() {
        let Some(axis) = full.checked_sub(1) else {
            continue;
        };
        let length = shape.dimensions()[axis];
        let coordinates = match &region {
            Some(region) => Coordinates::TensorflowCrop {
                start: region[index],
                end: region[index + axes.len()],
            },
            None => coordinates(context)?,
        };
        if new_length == length && scale == 1.0 && region.is_none() {
            continue;
        }
        let resampled = Axis {
            length,
            new_length,
            scale,
            coordinates,
            interpolation: interpolation(context, scale)?,
        };
        resized.along(context, axis, length, new_length, |position| {
            resampled.row(position)
        })?;
    }
    let value = resized.emit(context, 0, input, None)?;
    context.define(Known::Data(value))
}

/// Before operator set 11 the place of an element is its position divided by the scale.
fn coordinates(context: &NodeContext<'_>) -> Result<Coordinates, Problem> {
    let fallback = match context.operator_set() {
        ..11 => "asymmetric",
        _ => "half_pixel",
    };
    let mode = context.text_attribute("coordinate_transformation_mode", fallback)?;
    match mode.as_str() {
        "half_pixel" => Ok(Coordinates::HalfPixel),
        "half_pixel_symmetric" => Ok(Coordinates::HalfPixelSymmetric),
        "pytorch_half_pixel" => Ok(Coordinates::PytorchHalfPixel),
        "align_corners" => Ok(Coordinates::AlignCorners),
        "asymmetric" => Ok(Coordinates::Asymmetric),
        "tf_half_pixel_for_nn" => Ok(Coordinates::TensorflowHalfPixel),
        other => Err(Problem::malformed(format!(
            "its coordinate_transformation_mode is `{other}`"
        ))),
    }
}

fn interpolation(context: &NodeContext<'_>, scale: f64) -> Result<Interpolation, Problem> {
    let mode = context.text_attribute("mode", "nearest")?;
    if mode != "nearest" && scale < 1.0 && context.integer_attribute("antialias", 0)? != 0 {
        return Err(Problem::new(
            "it smooths while it shrinks (antialias)",
            "export it with antialias = 0, or average with AveragePool",
        ));
    }
    match mode.as_str() {
        "nearest" => Ok(Interpolation::Nearest(rounding(context, scale)?)),
        "linear" | "bilinear" => Ok(Interpolation::Linear),
        "cubic" => Ok(Interpolation::Cubic {
            coefficient: context.float_attribute("cubic_coeff_a", -0.75)?,
            exclude_outside: context.integer_attribute("exclude_outside", 0)? != 0,
        }),
        other => Err(Problem::malformed(format!("its mode is `{other}`"))),
    }
}

/// Operator set 10 leaves the rounding open; runtimes round up where the result is smaller.
fn rounding(context: &NodeContext<'_>, scale: f64) -> Result<Rounding, Problem> {
    match context.operator_set() {
        10 if scale < 1.0 => return Ok(Rounding::Ceil),
        ..11 => return Ok(Rounding::Floor),
        _ => {}
    }
    let mode = context.text_attribute("nearest_mode", "round_prefer_floor")?;
    match mode.as_str() {
        "round_prefer_floor" => Ok(Rounding::PreferFloor),
        "round_prefer_ceil" => Ok(Rounding::PreferCeil),
        "floor" => Ok(Rounding::Floor),
        "ceil" => Ok(Rounding::Ceil),
        other => Err(Problem::malformed(format!("its nearest_mode is `{other}`"))),
    }
}

/// The new length and the scale of each of `axes`.
fn targets(
    context: &mut NodeContext<'_>,
    shape: &Shape,
    axes: &[usize],
) -> Result<Vec<(usize, f64)>, Problem> {
    let (scales, sizes) = match context.operator_set() {
        ..9 => (context.floats_attribute("scales")?, None),
        9..11 => (floats(context, 1)?, None),
        _ => (floats(context, 2)?, context.integers(3)?),
    };
    let sizes = sizes.filter(|sizes| !sizes.is_empty());
    let count = |count: usize| match count == axes.len() {
        true => Ok(()),
        false => Err(Problem::malformed(format!(
            "it names {count} scales or sizes for {} axes",
            axes.len()
        ))),
    };
    let length = |full: usize| shape.dimensions()[full - 1];
    if let Some(sizes) = sizes {
        count(sizes.len())?;
        return sized(context, axes, &sizes, length);
    }
    let missing = || Problem::malformed("its scales are missing");
    let scales = scales.ok_or_else(missing)?;
    count(scales.len())?;
    let pairs = axes.iter().zip(&scales);
    pairs
        .map(|(&full, &scale)| {
            if full == 0 && scale != 1.0 {
                return Err(Problem::mixes_samples("it resizes the batch"));
            }
            if full == 0 {
                return Ok((1, 1.0));
            }
            // Runtimes multiply in 32 bits.
            let new_length = (length(full) as f32 * scale as f32).floor();
            if !(1.0..=Shape::MAX_ELEMENTS as f32).contains(&new_length) {
                return Err(Problem::malformed(format!("its scales are {scales:?}")));
            }
            // The standard stretches to the broken length, runtimes to the whole one.
            let is_whole = length(full) as f64 * scale == f64::from(new_length);
            let mode = context.text_attribute("coordinate_transformation_mode", "")?;
            if !is_whole && mode == "align_corners" {
                return Err(Problem::new(
                    "it aligns corners of a length that is not whole",
                    "state sizes instead of scales; runtimes read these scales in different ways",
                ));
            }
            Ok((new_length as usize, scale))
        })
        .collect()
}

fn sized(
    context: &NodeContext<'_>,
    axes: &[usize],
    sizes: &[i64],
    length: impl Fn(usize) -> usize,
) -> Result<Vec<(usize, f64)>, Problem> {
    let bad = || Problem::malformed(format!("its sizes are {sizes:?}"));
    let mut targets = Vec::with_capacity(axes.len());
    for (&full, &size) in axes.iter().zip(sizes) {
        let is_batch = size == BATCH_SIZE || (size == 1 && context.environment.single_sample);
        if full == 0 && !is_batch {
            return Err(Problem::mixes_samples("it resizes the batch"));
        }
        if full == 0 {
            targets.push((1, 1.0));
            continue;
        }
        let size = usize::try_from(size).map_err(|_| bad())?;
        if size == 0 || size > Shape::MAX_ELEMENTS {
            return Err(bad());
        }
        targets.push((size, f64::from(size as f32 / length(full) as f32)));
    }
    let policy = context.text_attribute("keep_aspect_ratio_policy", "stretch")?;
    let scales = axes
        .iter()
        .zip(&targets)
        .filter(|(full, _)| **full != 0)
        .map(|(_, &(_, scale))| scale);
    let scale = match policy.as_str() {
        "stretch" => return Ok(targets),
        "not_larger" => scales.reduce(f64::min),
        "not_smaller" => scales.reduce(f64::max),
        other => {
            return Err(Problem::malformed(format!(
                "its keep_aspect_ratio_policy is `{other}`"
            )));
        }
    };
    for (&full, target) in axes.iter().zip(&mut targets) {
        if let Some(scale) = scale.filter(|_| full != 0) {
            let new_length = (scale * length(full) as f64 + 0.5).floor();
            if !(1.0..=Shape::MAX_ELEMENTS as f64).contains(&new_length) {
                return Err(bad());
            }
            *target = (new_length as usize, scale);
        }
    }
    Ok(targets)
}

/// Where `tf_crop_and_resize` reads: all starts, then all ends.
fn region(context: &mut NodeContext<'_>, axes: usize) -> Result<Option<Vec<f64>>, Problem> {
    let mode = context.text_attribute("coordinate_transformation_mode", "")?;
    if context.operator_set() < 11 || mode != "tf_crop_and_resize" {
        return Ok(None);
    }
    let region = floats(context, 1)?.unwrap_or_default();
    if region.len() != 2 * axes {
        return Err(Problem::malformed(format!(
            "its region has {} numbers for {axes} axes",
            region.len()
        )));
    }
    Ok(Some(region))
}

/// A constant input of floats; an empty one counts as omitted.
fn floats(context: &mut NodeContext<'_>, position: usize) -> Result<Option<Vec<f64>>, Problem> {
    if context.optional_input(position)?.is_none() {
        return Ok(None);
    }
    let floats = context.tensor(position)?.into_data();
    Ok(Some(floats).filter(|floats| !floats.is_empty()))
}
