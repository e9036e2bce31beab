//! The aggregate against the rows of the delivery table that are the component's to keep.

use super::*;
use crate::events::inventory::{AdjustmentReason, InventoryAdjustRequested, InventoryAdjusted};
use crate::inbox::Refusal;
use crate::memory::{Memory, block_on};
use serde_json::json;

/// Counts pieces; adjusts by any amount that leaves none negative.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pieces {
    pub(crate) count: i64,
}

impl State for Pieces {
    const KIND: &'static str = "pieces";
    const FORMAT: u32 = 2;

    fn upcast(format: u32, state: Value) -> Result<Value, String> {
        match format {
            1 => Ok(json!({ "count": state["n"] })),
            other => Err(format!("no format {other}")),
        }
    }
}

pub(crate) struct Counter;

impl Decider for Counter {
    type State = Pieces;
    type Facts = ();

    async fn facts<P: Ports>(_ports: &P, _state: &Pieces, _input: Input<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    fn decide(state: &Pieces, _facts: &(), input: Input<'_>) -> Decision<Pieces> {
        let Event::InventoryAdjust(request) = input.event else { return Decision::Ignore };
        let count = state.count + request.adjustment_quantity;
        if count < 0 {
            return Change::to(state.clone()).refuse(Refusal::new("too-few", "too few pieces")).decide();
        }
        let adjusted = InventoryAdjusted {
            previous_stock: 0,
            new_stock: u32::try_from(count).unwrap_or(0),
            adjustment_quantity: request.adjustment_quantity,
            adjustment_reason: AdjustmentReason::Correction,
            adjusted_by: "test".to_owned(),
            adjusted_at: input.now().rfc3339(),
            notes: None,
            batch_number: None,
        };
        Change::to(Pieces { count }).fact(Event::InventoryAdjusted(adjusted)).decide()
    }

    fn keeps_outcome(event: &Event) -> bool {
        matches!(event, Event::InventoryAdjust(request) if request.notes.as_deref() == Some("keep"))
    }
}

pub(crate) fn adjust(by: i64, keep: bool) -> Event {
    Event::InventoryAdjust(InventoryAdjustRequested {
        adjustment_quantity: by,
        adjustment_reason: AdjustmentReason::Correction,
        adjusted_by: "test".to_owned(),
        adjusted_at: "2026-01-15T10:30:00.000Z".to_owned(),
        notes: keep.then(|| "keep".to_owned()),
        batch_number: None,
    })
}

pub(crate) fn meta(sequence: u64, event_id: &str) -> Metadata {
    Metadata {
        event_id: event_id.to_owned(),
        event_version: 1,
        aggregate_id: "a".to_owned(),
        aggregate_version: None,
        occurred_at: "2026-01-15T10:30:00.000Z".to_owned(),
        correlation_id: "c".to_owned(),
        causation_id: "c".to_owned(),
        saga_id: None,
        source: "pieces/STOCK#1".to_owned(),
        sequence,
        key: "a".to_owned(),
        attempt: 1,
        delivered_at: 1_768_473_000_000,
    }
}

fn deliver(ports: &Memory, sequence: u64, event_id: &str, by: i64) -> Vec<Output> {
    block_on(execute::<Counter, _>(ports, "a", &meta(sequence, event_id), &adjust(by, false))).unwrap()
}

fn count(ports: &Memory) -> i64 {
    block_on(read::<Pieces, _>(ports, "a")).unwrap().map_or(0, |(state, _)| state.count)
}

#[test]
fn a_redelivery_after_the_swap_gets_the_stored_outputs() {
    let ports = Memory::default();
    let first = deliver(&ports, 1, "e1", 5);
    assert_eq!(first.len(), 1);
    assert_eq!(deliver(&ports, 1, "e1", 5), first);
    assert_eq!(count(&ports), 5);
}

#[test]
fn an_unknown_swap_is_found_again_in_the_inbox() {
    let ports = Memory::default();
    ports.unknown_swaps.set(1);
    assert_eq!(deliver(&ports, 1, "e1", 5).len(), 1);
    assert_eq!(ports.unknown_swaps.get(), 0, "the fault was injected");
    assert_eq!(count(&ports), 5);
}

#[test]
fn an_unknown_swap_that_did_not_land_is_decided_again() {
    let ports = Memory::default();
    ports.vanished_swaps.set(2);
    assert_eq!(deliver(&ports, 1, "e1", 5).len(), 1);
    assert_eq!(ports.vanished_swaps.get(), 0, "the faults were injected");
    assert_eq!(count(&ports), 5);
}

#[test]
fn a_lost_swap_decides_again() {
    let ports = Memory::default();
    ports.lost_swaps.set(3);
    deliver(&ports, 1, "e1", 5);
    assert_eq!(ports.lost_swaps.get(), 0, "the fault was injected");
    assert_eq!(count(&ports), 5);
}

#[test]
fn a_former_holder_that_wakes_late_changes_nothing() {
    let ports = Memory::default();
    deliver(&ports, 1, "e1", 5);
    deliver(&ports, 2, "e2", 1);
    assert_eq!(deliver(&ports, 1, "e1", 5), Vec::new());
    assert_eq!(count(&ports), 6);
}

#[test]
fn a_late_asker_is_told_the_refusal_that_is_kept() {
    let ports = Memory::default();
    let refused = adjust(-1, true);
    block_on(execute::<Counter, _>(&ports, "a", &meta(1, "e1"), &refused)).unwrap();
    deliver(&ports, 2, "e2", 5);
    let late = block_on(apply_locally::<Counter, _>(&ports, "a", &meta(1, "e1"), &refused)).unwrap();
    let LocalAnswer::Outcome(outcome, state) = late else { panic!("nobody knows what came of it: {late:?}") };
    assert_eq!(outcome.refusal().map(|refusal| refusal.code.as_str()), Some("too-few"));
    assert_eq!(state.count, 5);
}

#[test]
fn a_stored_refusal_stands_in_a_later_state() {
    let ports = Memory::default();
    let refused = meta(1, "e1");
    block_on(execute::<Counter, _>(&ports, "a", &refused, &adjust(-1, false))).unwrap();
    let other = Metadata { source: "pieces/OTHER#1".to_owned(), ..meta(1, "e2") };
    block_on(execute::<Counter, _>(&ports, "a", &other, &adjust(5, false))).unwrap();
    block_on(execute::<Counter, _>(&ports, "a", &refused, &adjust(-1, false))).unwrap();
    assert_eq!(count(&ports), 5, "the refused adjustment was not made after all");
}

#[test]
fn an_event_without_a_business_key_is_recognised_with_an_empty_inbox() {
    let ports = Memory::default();
    let run = |sequence| block_on(execute::<Counter, _>(&ports, "a", &meta(sequence, "e1"), &adjust(5, true))).unwrap();
    let first = run(1);
    ports.empty_inboxes();
    assert_eq!(run(9), first, "a copy with a new sequence, long after");
    assert_eq!(count(&ports), 5);
}

/// Whoever handled `e1` died after its swap and before its outcome was kept, and its delivery is a dead letter.
fn died_before_it_was_kept(ports: &Memory) {
    assert!(ports.snapshot().contains_key("outcome/a/e1"));
    block_on(ports.delete("outcome/a/e1")).unwrap();
}

#[test]
fn an_outcome_that_nobody_lived_to_keep_is_kept_before_the_inbox_forgets_it() {
    let ports = Memory::default();
    let run = |sequence| block_on(execute::<Counter, _>(&ports, "a", &meta(sequence, "e1"), &adjust(5, true))).unwrap();
    let first = run(1);
    died_before_it_was_kept(&ports);
    deliver(&ports, 2, "e2", 1);
    assert_eq!((run(9), count(&ports)), (first, 6), "replayed, long after");
}

#[test]
fn so_is_one_that_http_applied() {
    let ports = Memory::default();
    let answer = block_on(apply_locally::<Counter, _>(&ports, "a", &meta(1, "e1"), &adjust(5, true))).unwrap();
    let LocalAnswer::Outcome(outcome, _) = answer else { panic!("{answer:?}") };
    died_before_it_was_kept(&ports);
    deliver(&ports, 2, "e2", 1);
    let again = block_on(execute::<Counter, _>(&ports, "a", &meta(9, "e1"), &adjust(5, true))).unwrap();
    assert_eq!((again.as_slice(), count(&ports)), (outcome.outputs(), 6));
}

#[test]
fn one_that_nobody_lived_to_keep_is_known_to_a_replay() {
    for locally in [false, true] {
        let ports = Memory::default();
        let (first, event) = (meta(1, "e1"), adjust(5, true));
        match locally {
            true => assert!(block_on(apply_locally::<Counter, _>(&ports, "a", &first, &event)).is_ok()),
            false => assert!(block_on(execute::<Counter, _>(&ports, "a", &first, &event)).is_ok()),
        }
        died_before_it_was_kept(&ports);
        let replay = Metadata { source: "pieces/dlq/STOCK".to_owned(), ..first };
        assert_eq!(block_on(execute::<Counter, _>(&ports, "a", &replay, &event)).unwrap().len(), 1);
        assert_eq!(count(&ports), 5, "applied by HTTP: {locally}");
        assert!(ports.snapshot().contains_key("outcome/a/e1"), "from now on it is kept");
    }
}

#[test]
fn a_kept_outcome_that_names_no_format_is_read_and_a_newer_one_is_not() {
    let ports = Memory::default();
    let run = |sequence| block_on(execute::<Counter, _>(&ports, "a", &meta(sequence, "e1"), &adjust(5, true)));
    let first = run(1).unwrap();
    let kept = String::from_utf8(ports.snapshot()["outcome/a/e1"].clone()).unwrap();
    let with = |format: &str| {
        ports.empty_inboxes();
        let value = kept.replacen("\"format\":1,", format, 1);
        assert_ne!(value, kept);
        block_on(ports.set("outcome/a/e1", value.into_bytes())).unwrap();
    };
    with("");
    assert_eq!(run(2), Ok(first));
    with("\"format\":2,");
    let Err(Failure::Retry(retry)) = run(3) else { panic!("it was read") };
    assert!(retry.reason.contains("format 2") && retry.reason.contains("up to 1"), "{}", retry.reason);
    assert_eq!(count(&ports), 5);
}

#[test]
fn what_http_applied_is_let_out_by_the_delivery_once() {
    let ports = Memory::default();
    let answer = block_on(apply_locally::<Counter, _>(&ports, "a", &meta(1, "e1"), &adjust(5, false))).unwrap();
    let LocalAnswer::Outcome(outcome, state) = answer else { panic!("{answer:?}") };
    assert_eq!(state.count, 5);
    assert_eq!(deliver(&ports, 1, "e1", 5), outcome.outputs());
    assert_eq!(count(&ports), 5);
}

#[test]
fn a_local_apply_outrun_between_its_reads_shows_the_state_after() {
    let ports = Memory::default();
    ports.interrupt_reader(|ports| {
        let (meta, event) = (meta(1, "e1"), adjust(5, true));
        assert_eq!(block_on(execute::<Counter, _>(ports, "a", &meta, &event)).unwrap().len(), 1);
    });
    let answer = block_on(apply_locally::<Counter, _>(&ports, "a", &meta(1, "e1"), &adjust(5, true))).unwrap();
    let LocalAnswer::Outcome(_, state) = answer else { panic!("{answer:?}") };
    assert_eq!(state.count, 5, "not what was loaded before the delivery");
}

#[test]
fn a_late_local_apply_decides_nothing() {
    let ports = Memory::default();
    deliver(&ports, 1, "e1", 5);
    deliver(&ports, 2, "e2", 1);
    let answer = block_on(apply_locally::<Counter, _>(&ports, "a", &meta(1, "e1"), &adjust(5, false))).unwrap();
    assert_eq!(answer, LocalAnswer::Late(Pieces { count: 6 }));
}

#[test]
fn a_late_local_apply_learns_of_the_refusal_that_was_kept() {
    let ports = Memory::default();
    let refused = adjust(-1, true);
    block_on(execute::<Counter, _>(&ports, "a", &meta(1, "e1"), &refused)).unwrap();
    deliver(&ports, 2, "e2", 5);
    let answer = block_on(apply_locally::<Counter, _>(&ports, "a", &meta(1, "e1"), &refused)).unwrap();
    let LocalAnswer::Outcome(outcome, state) = answer else { panic!("{answer:?}") };
    assert_eq!(outcome.refusal().map(|refusal| refusal.code.as_str()), Some("too-few"));
    assert_eq!((state.count, count(&ports)), (5, 5), "though by now it could be made");
}

#[test]
fn local_entries_are_bounded_and_deliveries_make_room() {
    let ports = Memory::default();
    let apply = |sequence: u64| {
        let meta = meta(sequence, &format!("e{sequence}"));
        block_on(apply_locally::<Counter, _>(&ports, "a", &meta, &adjust(1, false))).unwrap()
    };
    let bound = crate::inbox::MAX_LOCAL as u64;
    for sequence in 1..=bound {
        assert!(matches!(apply(sequence), LocalAnswer::Outcome(..)));
    }
    assert!(matches!(apply(bound + 1), LocalAnswer::Accepted(_)));
    for sequence in 1..=bound {
        deliver(&ports, sequence, &format!("e{sequence}"), 1);
    }
    assert!(matches!(apply(bound + 2), LocalAnswer::Outcome(..)));
    assert_eq!(count(&ports), i64::try_from(bound).unwrap() + 1);
}

/// A delivery of another source makes no room: it comes again, and nothing is written.
#[test]
fn a_repeat_that_makes_no_room_writes_nothing() {
    let ports = Memory::default();
    let deliver = || {
        let other = Metadata { source: "pieces/OTHER".to_owned(), ..meta(1, "other") };
        block_on(execute::<Counter, _>(&ports, "a", &other, &adjust(1, false))).unwrap()
    };
    let first = deliver();
    for sequence in 1..=crate::inbox::MAX_LOCAL as u64 {
        let meta = meta(sequence, &format!("e{sequence}"));
        block_on(apply_locally::<Counter, _>(&ports, "a", &meta, &adjust(1, false))).unwrap();
    }
    let before = ports.snapshot();
    assert_eq!(deliver(), first);
    assert_eq!(ports.snapshot(), before);
}

#[test]
fn older_formats_are_upcast_and_newer_ones_refused() {
    let older = json!({ "format": 1, "version": 7, "state": { "n": 3 } }).to_string();
    let stored = parse::<Pieces>(older.as_bytes()).unwrap();
    assert_eq!((stored.format, stored.version, stored.state.count), (2, 7, 3));
    let newer = json!({ "format": 3, "version": 7, "state": {} }).to_string();
    assert!(parse::<Pieces>(newer.as_bytes()).unwrap_err().contains("deploy the newer one"));
}
