//! The shape of `result<list<output>, failure>`, checked once at load: afterwards a field is a position.

use crate::codec::{definition, resolved};
use anyhow::{Context, Result, anyhow, bail};
use wit_parser::{Function, Record, Resolve, Type, TypeDefKind, Variant};

/// Positions of an emission's fields in its record.
#[derive(Debug, Clone, Copy)]
pub(super) struct EmissionShape {
    pub(super) aggregate_id: usize,
    pub(super) aggregate_version: Option<usize>,
    pub(super) saga_id: Option<usize>,
    pub(super) event_version: Option<usize>,
    pub(super) event: usize,
}

/// Positions of a timer's fields in its record.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimerShape {
    pub(super) name: usize,
    pub(super) fire_at: usize,
    pub(super) emission: usize,
}

/// What a handler's outputs look like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outputs {
    pub(super) emission: EmissionShape,
    /// `None` where the output variant knows no timers.
    pub(super) timer: Option<TimerShape>,
}

/// Checks a handler's result; also returns the type of an emission's event.
///
/// # Errors
/// Names what is not as it must be.
pub(super) fn outputs(resolve: &Resolve, function: &Function) -> Result<(Outputs, Type)> {
    let result = function.result.as_ref().and_then(|ty| definition(resolve, ty)).map(|def| &def.kind);
    let Some(TypeDefKind::Result(result)) = result else { bail!("it must be result<list<output>, failure>") };
    check_failure(resolve, result.err.as_ref()).context("failure")?;
    let ok = result.ok.as_ref().and_then(|ty| definition(resolve, ty)).map(|def| &def.kind);
    let Some(TypeDefKind::List(output)) = ok else { bail!("it must be result<list<output>, failure>") };
    read_output(resolve, output).context("output")
}

fn read_output(resolve: &Resolve, output: &Type) -> Result<(Outputs, Type)> {
    let output = variant(resolve, Some(output))?;
    only(output.cases.iter().map(|case| case.name.as_str()), &["emit", "timer", "cancel-timer"])?;
    let emission_type = case(output, "emit").ok_or_else(|| anyhow!("it must have a case `emit` with an emission"))?;
    let emission_record = record(resolve, emission_type).context("emit")?;
    let (emission, event) = read_emission(resolve, emission_record).context("emit")?;
    let timer = case(output, "timer").map(|timer| read_timer(resolve, timer, emission_type).context("timer"));
    if let Some(name) = case(output, "cancel-timer") {
        expect(resolve, name, "string").context("cancel-timer")?;
    }
    Ok((Outputs { emission, timer: timer.transpose()? }, event))
}

fn read_emission(resolve: &Resolve, record: &Record) -> Result<(EmissionShape, Type)> {
    let known = ["aggregate-id", "aggregate-version", "saga-id", "event-version", "event"];
    only(record.fields.iter().map(|field| field.name.as_str()), &known)?;
    let optional = |name, types| {
        let place = field(record, name);
        place.map(|(index, ty)| expect(resolve, ty, types).context(name).map(|()| index)).transpose()
    };
    let (event, event_type) = required(record, "event")?;
    let shape = EmissionShape {
        aggregate_id: checked(resolve, record, "aggregate-id", "string")?,
        aggregate_version: optional("aggregate-version", "option<u64>")?,
        saga_id: optional("saga-id", "option<string>")?,
        event_version: optional("event-version", "option<u32>")?,
        event,
    };
    Ok((shape, *event_type))
}

fn read_timer(resolve: &Resolve, timer: &Type, emission: &Type) -> Result<TimerShape> {
    let record = record(resolve, timer)?;
    only(record.fields.iter().map(|field| field.name.as_str()), &["name", "fire-at", "emission"])?;
    let (place, ty) = required(record, "emission")?;
    if resolved(resolve, ty) != resolved(resolve, emission) {
        bail!("its field `emission` must be what `emit` carries");
    }
    Ok(TimerShape {
        name: checked(resolve, record, "name", "string")?,
        fire_at: checked(resolve, record, "fire-at", "u64")?,
        emission: place,
    })
}

fn check_failure(resolve: &Resolve, failure: Option<&Type>) -> Result<()> {
    let failure = variant(resolve, failure)?;
    only(failure.cases.iter().map(|case| case.name.as_str()), &["retry", "reject"])?;
    if let Some(reason) = case(failure, "reject") {
        expect(resolve, reason, "string").context("reject")?;
    }
    if let Some(retry) = case(failure, "retry") {
        let record = record(resolve, retry).context("retry")?;
        let names: Vec<_> = record.fields.iter().map(|field| field.name.as_str()).collect();
        if names != ["after", "reason"] {
            bail!("retry: it must be a record of `after: option<u64>` and `reason: string`, in this order");
        }
        checked(resolve, record, "after", "option<u64>").context("retry")?;
        checked(resolve, record, "reason", "string").context("retry")?;
    }
    Ok(())
}

fn variant<'r>(resolve: &'r Resolve, ty: Option<&Type>) -> Result<&'r Variant> {
    match ty.and_then(|ty| definition(resolve, ty)).map(|def| &def.kind) {
        Some(TypeDefKind::Variant(variant)) => Ok(variant),
        _ => bail!("it must be a variant"),
    }
}

fn record<'r>(resolve: &'r Resolve, ty: &Type) -> Result<&'r Record> {
    match definition(resolve, ty).map(|def| &def.kind) {
        Some(TypeDefKind::Record(record)) => Ok(record),
        _ => bail!("it must be a record"),
    }
}

/// What a case of this name carries.
fn case<'v>(variant: &'v Variant, name: &str) -> Option<&'v Type> {
    variant.cases.iter().find(|case| case.name == name)?.ty.as_ref()
}

fn field<'v>(record: &'v Record, name: &str) -> Option<(usize, &'v Type)> {
    let found = record.fields.iter().enumerate().find(|(_, field)| field.name == name);
    found.map(|(index, field)| (index, &field.ty))
}

fn required<'v>(record: &'v Record, name: &str) -> Result<(usize, &'v Type)> {
    field(record, name).ok_or_else(|| anyhow!("it lacks the field `{name}`"))
}

fn checked(resolve: &Resolve, record: &Record, name: &'static str, types: &str) -> Result<usize> {
    let (index, ty) = required(record, name)?;
    expect(resolve, ty, types).context(name).map(|()| index)
}

fn only<'n>(names: impl Iterator<Item = &'n str>, known: &[&str]) -> Result<()> {
    for name in names {
        if !known.contains(&name) {
            bail!("the host does not know `{name}`; it knows {}", known.join(", "));
        }
    }
    Ok(())
}

fn expect(resolve: &Resolve, ty: &Type, wanted: &str) -> Result<()> {
    let inner = match definition(resolve, ty).map(|def| &def.kind) {
        Some(TypeDefKind::Option(inner)) => Some(resolved(resolve, inner)),
        _ => None,
    };
    let fits = match wanted {
        "string" => resolved(resolve, ty) == Type::String,
        "u64" => resolved(resolve, ty) == Type::U64,
        "option<string>" => inner == Some(Type::String),
        "option<u32>" => inner == Some(Type::U32),
        "option<u64>" => inner == Some(Type::U64),
        _ => false,
    };
    if !fits {
        bail!("it must be {wanted}");
    }
    Ok(())
}
