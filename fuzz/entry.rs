//! What is fuzzed: text from outside, whatever it is, must lead to a value or an error that says where, never to a panic;
//! and what the fold makes of it must hold together. The fuzz targets and the tests come in here.
#![allow(dead_code, reason = "each target uses one")]

use cf_billing::cloud_controller::{Chunk, Snapshot, decode};
use cf_billing::domain::{Place, Settings, Stream, Timestamp};
use cf_billing::fold::{Fold, Input, Numbered, Resource};
use cf_billing::rate_card::{CardFile, parse};

/// Usage events, one a line, of both streams: decoded, folded in and out of order.
pub fn event(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut inputs = Vec::new();
    for (ordinal, line) in (1..).zip(text.lines().take(64)) {
        for stream in Stream::ALL {
            let decoded = decode(stream, line);
            assert_eq!(decoded.event, decode(stream, line).event, "the same text is the same event");
            let place = Place::at(ordinal);
            // Every third stands before the others, as if it had been found late.
            let place = if ordinal % 3 == 0 { Place::default().before(&place) } else { place };
            inputs.push((place, Input::Event(decoded.event)));
        }
    }
    fold(inputs);
}

/// A snapshot, or a chunk of one.
pub fn snapshot(bytes: &[u8]) {
    if let Ok(snapshot) = serde_json::from_slice::<Snapshot>(bytes) {
        assert_eq!(
            snapshot.checkpoint().is_some(),
            snapshot.checkpoint_event_guid.is_some() && snapshot.checkpoint_event_created_at.is_some()
        );
    }
    if let Ok(chunk) = serde_json::from_slice::<Chunk>(bytes) {
        fold(chunk.into_items().into_iter().map(|named| (Place::default(), Input::Baseline(named.item))).collect());
    }
}

/// A rate card: a card, or problems that say where they are; never neither.
pub fn rate_card(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let file = CardFile { name: "card.toml".to_owned(), text: text.into_owned() };
    let (card, problems) = parse(&[file], chrono_tz::Europe::Berlin);
    assert!(card.is_some() || !problems.is_empty(), "neither a card nor a problem");
    for problem in problems {
        assert!(problem.to_string().contains("card.toml"), "{problem}");
    }
}

/// Folds inputs in the order given and holds what comes out against what must always hold.
fn fold(inputs: Vec<(Place, Input)>) {
    let epoch = Timestamp::from_unix(0);
    let settings = Settings { billing_epoch: Some(epoch), ..Settings::default() };
    let mut fold = Fold::new(vec![(0, settings)], 0);
    for (sequence, (place, input)) in (1..).zip(inputs) {
        let numbered = Numbered { sequence, received_at: epoch, place, input };
        for key in fold.lacking(std::slice::from_ref(&numbered)).into_keys() {
            fold.provide(Resource::new(key));
        }
        fold.apply(&numbered);
    }
    let outputs = fold.take_outputs();
    for (number, entry) in (1..).zip(&outputs.entries) {
        assert_eq!(entry.number, number);
        let interval = &entry.interval;
        assert!(interval.started_at <= interval.ended_at, "negative: {interval:?}");
        assert!(interval.ended_at >= epoch, "billed before the epoch: {interval:?}");
        assert!(serde_json::from_str::<serde_json::Value>(&entry.canonical()).is_ok());
    }
    // Net use of one resource never overlaps itself.
    let mut net = cf_billing::domain::ledger_entry::net(outputs.entries);
    net.sort_by(|one, two| {
        (&one.interval.resource, one.interval.started_at, one.interval.ended_at).cmp(&(
            &two.interval.resource,
            two.interval.started_at,
            two.interval.ended_at,
        ))
    });
    for pair in net.windows(2) {
        let (one, two) = (&pair[0].interval, &pair[1].interval);
        assert!(one.resource != two.resource || one.ended_at <= two.started_at, "counted twice: {one:?} {two:?}");
    }
}
