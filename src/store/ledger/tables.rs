//! The ledger's tables, and those of what belongs to it.

use std::sync::Arc;

use crate::domain::{
    AnomalyKind, Cause, DiskSource, EntryType, GapReason, GapStage, Guid, Kind, MemorySource, Settings, Strategy,
    Stream, Timestamp,
};
use crate::fold::Opening;
use crate::store::database::{Json, Spelled, table};
use crate::store::{OnboardingStage, Owner};

table! {
    /// One Cloud Foundry installation with one Cloud Controller.
    pub(in crate::store) const FOUNDATION: "foundation"[1] {
        /// Stands for it in other tables.
        id: i64,
        /// As configured.
        name: String,
        /// Fencing: a writer that holds an older epoch is refused.
        lease_epoch: u64,
        /// Number of the last archived input.
        last_sequence: u64,
        /// Number of the last ledger entry.
        last_entry: u64,
        /// Open intervals count up to here; null before anything was read.
        known_until: Option<Timestamp>,
        /// The last time both streams were read again for events that came late; null for imports.
        swept_until: Option<Timestamp>,
        /// Processes saved before this were looked at.
        observed_until: Option<Timestamp>,
        /// Tailed from Cloud Controller, as opposed to imported only.
        collected: bool,
        /// When everything that runs was last compared with the ledger.
        reconciled_at: Option<Timestamp>,
        /// When the last long sweep of both streams was done.
        swept_long_at: Option<Timestamp>,
        /// Inputs before the hash chain: written by an earlier version.
        chained_from: u64,
        /// Ledger entries before the hash chain.
        chained_entry: u64,
        /// Scheme, host and port of the UAA in use; null: none was yet.
        uaa: Option<String>,
        /// When somebody said that the foundation is to be billed though its clock and ours differ.
        clock_accepted_at: Option<Timestamp>,
    }
}

table! {
    /// How far each of a foundation's two usage event streams is read.
    pub(in crate::store) const STREAM: "stream"[2] {
        /// Foundation it is of.
        foundation_id: i64,
        /// app or service.
        name: Spelled<Stream>,
        /// Ordinal of the event last in stream order; 0 before any.
        last_ordinal: u64,
        /// The earliest created_at seen, wherever it stands.
        oldest_created_at: Option<Timestamp>,
        /// The latest created_at seen, wherever it stands.
        newest_created_at: Option<Timestamp>,
        /// The event after which reading goes on.
        checkpoint_guid: Option<Guid>,
        /// When it was created: guids repeat after a reseed.
        checkpoint_created_at: Option<Timestamp>,
        /// The event before the checkpoint: polls ask after this one, so that a healthy answer holds the checkpoint.
        predecessor_guid: Option<Guid>,
        /// When it was created.
        predecessor_created_at: Option<Timestamp>,
        /// The latest time of an event that agrees with its stream: how far imported usage is known rests on it
        /// alone.
        agreeing_at: Option<Timestamp>,
    }
}

table! {
    /// By what a foundation is known: where it was collected from, and who said that it may be from somewhere else.
    pub(in crate::store) const FOUNDATION_IDENTITY: "foundation_identity"[1] {
        /// Foundation it is of.
        foundation_id: i64,
        /// Where it is collected from; null: not known, a book of an earlier version.
        api: Option<String>,
        /// Who issued its tokens, as last seen; null: they don't say.
        issuer: Option<String>,
        /// JSON: where its API points to, as last seen.
        links: Option<String>,
        /// When address, issuer or links last changed.
        pinned_at: Timestamp,
        /// Organizations up to this id are those of another foundation that had this name before.
        after_organization: i64,
        /// The same of spaces.
        after_space: i64,
        /// The same of resources.
        after_resource: i64,
        /// When somebody last said that it may be collected from there.
        adopted_at: Option<Timestamp>,
        /// Their name on the machine.
        adopted_by: Option<String>,
        /// Whatever answers next is taken for it.
        adopting: bool,
        /// Collecting holds since then; null: it doesn't.
        held_since: Option<Timestamp>,
        /// Why it holds: api_changed or not_recognised.
        held_reason: Option<String>,
        /// Why it holds, in words.
        held_detail: Option<String>,
    }
}

table! {
    /// How a foundation came to be billed: its baseline and the checkpoints that are tied to it.
    pub(in crate::store) struct OnboardingRow: "onboarding"[1] {
        /// Foundation it is of.
        foundation_id: i64,
        /// How the baseline was taken: snapshot, kept_records or live_lists.
        strategy: Spelled<Strategy>,
        /// snapshots, baseline, replay, complement or complete.
        stage: Spelled<OnboardingStage>,
        /// When it was first tried.
        begun_at: Timestamp,
        /// When both streams had been read to their end.
        completed_at: Option<Timestamp>,
        /// Why in this way.
        reason: Option<String>,
    }
}

table! {
    /// The usage snapshots that a baseline rests on: kept from the moment they are requested.
    pub(in crate::store) struct SnapshotRow: "onboarding_snapshot"[2] {
        /// Foundation it is of.
        foundation_id: i64,
        /// Whose resources it holds: app or service.
        stream: Spelled<Stream>,
        /// Of the snapshot, in Cloud Controller.
        guid: Guid,
        /// Null while Cloud Controller makes it.
        completed_at: Option<Timestamp>,
        /// The newest event at that time; null if there was none.
        checkpoint_guid: Option<Guid>,
        /// When that event was created.
        checkpoint_created_at: Option<Timestamp>,
    }
}

table! {
    /// The settings that change what the fold gives, since when.
    pub(in crate::store) struct SettingsRow: "fold_settings"[2] {
        /// Foundation it is of.
        foundation_id: i64,
        /// In force for inputs after this one.
        sequence: u64,
        /// JSON.
        settings: Json<Settings>,
    }
}

table! {
    /// Organizations. A name is the newest seen; what was deleted keeps its last one.
    pub(in crate::store) const ORGANIZATION: "organization"[1] {
        /// Stands for it in other tables.
        id: i64,
        /// Foundation it is of.
        foundation_id: i64,
        /// In Cloud Controller.
        guid: Guid,
        /// No event names it: from snapshots and the API; null until then.
        name: Option<String>,
        /// When the name was told; null: before this was noted.
        named_at: Option<Timestamp>,
        /// Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.
        named_place: Option<String>,
    }
}

table! {
    /// Spaces, with the newest name seen.
    pub(in crate::store) const SPACE: "space"[1] {
        /// Stands for it in other tables.
        id: i64,
        /// Foundation it is of.
        foundation_id: i64,
        /// In Cloud Controller.
        guid: Guid,
        /// Newest seen.
        name: Option<String>,
        /// When it was the name: events of both streams name spaces.
        named_at: Option<Timestamp>,
        /// Always null: events of both streams name spaces.
        named_place: Option<String>,
    }
}

table! {
    /// Apps, with the newest name seen.
    pub(in crate::store) const APP: "app"[1] {
        /// Stands for it in other tables.
        id: i64,
        /// Foundation it is of.
        foundation_id: i64,
        /// In Cloud Controller.
        guid: Guid,
        /// Newest seen.
        name: Option<String>,
        /// When the name was told; null: before this was noted.
        named_at: Option<Timestamp>,
        /// Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.
        named_place: Option<String>,
    }
}

table! {
    /// Buildpacks by name.
    pub(in crate::store) const BUILDPACK: "buildpack"[1] {
        /// Stands for it in other tables.
        id: i64,
        /// Foundation it is of.
        foundation_id: i64,
        /// Or the obfuscated URL of a custom one.
        name: String,
        /// The newest guid seen with that name; null for custom URLs.
        guid: Option<Guid>,
        /// When the guid was told; null: before this was noted.
        guid_at: Option<Timestamp>,
        /// Where the guid was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.
        guid_place: Option<String>,
    }
}

table! {
    /// Labels of organizations and spaces, as last read.
    pub(in crate::store) struct LabelRow: "label"[4] {
        /// Foundation it is of.
        foundation_id: i64,
        /// organization or space; organization_annotation or space_annotation: an annotation of one.
        owner: Spelled<Owner>,
        /// Of the organization or space.
        guid: Guid,
        /// The label's key, with its prefix if it has one.
        key: String,
        /// The label's value.
        value: String,
    }
}

table! {
    /// Service offerings, with the newest name seen.
    pub(in crate::store) const SERVICE_OFFERING: "service_offering"[1] {
        /// Stands for it in other tables.
        id: i64,
        /// Foundation it is of.
        foundation_id: i64,
        /// In Cloud Controller.
        guid: Guid,
        /// Newest seen.
        name: Option<String>,
        /// When the name was told; null: before this was noted.
        named_at: Option<Timestamp>,
        /// Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.
        named_place: Option<String>,
        /// Guid of the service broker that it is of; null: no event told it.
        broker_guid: Option<Guid>,
        /// Name of the service broker, as it was told with the guid.
        broker_name: Option<String>,
        /// When the broker was told.
        broker_at: Option<Timestamp>,
        /// Where the broker was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.
        broker_place: Option<String>,
    }
}

table! {
    /// Service plans, with the newest name seen.
    pub(in crate::store) const SERVICE_PLAN: "service_plan"[1] {
        /// Stands for it in other tables.
        id: i64,
        /// Foundation it is of.
        foundation_id: i64,
        /// In Cloud Controller.
        guid: Guid,
        /// Newest seen.
        name: Option<String>,
        /// The offering it is of.
        service_offering_id: Option<i64>,
        /// When the name was told; null: before this was noted.
        named_at: Option<Timestamp>,
        /// Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.
        named_place: Option<String>,
        /// When the offering was told; null: before this was noted.
        offering_at: Option<Timestamp>,
        /// Where the offering was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.
        offering_place: Option<String>,
    }
}

table! {
    /// What is billed by time, tracked for ever: what ended must stay ended.
    pub(in crate::store) struct ResourceRow: "resource"[1] {
        /// Stands for it in other tables.
        id: i64,
        /// Foundation it is of.
        foundation_id: i64,
        /// 1 process, 2 service, 3 staging, 4 task.
        kind: Kind,
        /// Of the process, task or service instance; for stagings of the app.
        guid: Guid,
        /// Of a task or service instance.
        name: Option<String>,
        /// Its app; null for services.
        app_id: Option<i64>,
        /// web, worker …; null if it isn't a process.
        process_type: Option<Arc<str>>,
        /// A user-provided service instance.
        user_provided: bool,
        /// The latest beginning, split or ending in effect.
        latest: Option<Timestamp>,
        /// Whether it ended for good.
        ended: bool,
        /// Disk per instance, last observed; null before.
        disk_mib: Option<u32>,
        /// Place of its input last in stream order.
        last_ordinal: u64,
        /// The rest of that place, if that event came late.
        last_fraction: Option<Vec<u8>>,
        /// Number of its input last folded.
        last_sequence: u64,
        /// Its disk is yet to be read from the API.
        to_observe: bool,
        /// When the name was told; null: before this was noted.
        named_at: Option<Timestamp>,
        /// Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.
        named_place: Option<String>,
    }
}

table! {
    /// Intervals that haven't closed, one a resource at most.
    pub(in crate::store) struct OpenRow: "open_interval"[1] {
        /// Resource it is of.
        resource_id: i64,
        /// Foundation it is of.
        foundation_id: i64,
        /// As of the resource.
        kind: Kind,
        /// Number of the input that opened the run.
        run: u64,
        /// 1 beginning, 2 first sight, 3 was running, 4 baseline.
        opening: Opening,
        /// Nothing but the sight of it speaks for it.
        unconfirmed: bool,
        /// Whether it counts.
        billed: bool,
        /// Begin of the interval.
        started_at: Timestamp,
        /// For stagings: start and cap; what counts of it is estimated.
        counts_until: Option<Timestamp>,
        /// Number of the input that began it.
        opened_by: u64,
        /// Instances asked for.
        instances: u32,
        /// MiB per instance.
        memory_mib: u32,
        /// 0 none, 1 event, 2 build.
        memory_source: MemorySource,
        /// MiB per instance.
        disk_mib: u32,
        /// 0 none, 1 observed, 2 assumed, 3 default.
        disk_source: DiskSource,
        /// Buildpack; null where unknown or none.
        buildpack_id: Option<i64>,
        /// Service plan; null if it isn't a service.
        service_plan_id: Option<i64>,
        /// Organization it is billed to.
        organization_id: i64,
        /// Space it is in.
        space_id: i64,
        /// App; null for services.
        app_id: Option<i64>,
        /// Whether it is assumed when it began.
        estimated: bool,
    }
}

table! {
    /// The ledger: append-only. Net use is usage and replacements, less reversals.
    pub(in crate::store) struct EntryRow: "ledger_entry"[2] {
        /// Foundation it is of.
        foundation_id: i64,
        /// 1, 2, 3 … within the foundation.
        number: u64,
        /// 1 usage, 2 reversal, 3 replacement.
        entry_type: EntryType,
        /// Number of the entry it takes back or replaces.
        corrects: Option<u64>,
        /// 1 closed, 2 buildpack set, 3 repaired ending, 4 observation, 5 late event.
        cause: Cause,
        /// Number of the input that led to it.
        sequence: u64,
        /// When that input reached us.
        known_at: Timestamp,
        /// Resource it is of.
        resource_id: i64,
        /// As of the resource.
        kind: Kind,
        /// Number of the input that opened the run.
        run: u64,
        /// Begin of the interval, inclusive.
        started_at: Timestamp,
        /// End of the interval, exclusive.
        ended_at: Timestamp,
        /// Instances asked for.
        instances: u32,
        /// MiB per instance.
        memory_mib: u32,
        /// 0 none, 1 event, 2 build.
        memory_source: MemorySource,
        /// MiB per instance.
        disk_mib: u32,
        /// 0 none, 1 observed, 2 assumed, 3 default.
        disk_source: DiskSource,
        /// Buildpack; null where unknown or none.
        buildpack_id: Option<i64>,
        /// Service plan; null if it isn't a service.
        service_plan_id: Option<i64>,
        /// Organization it is billed to.
        organization_id: i64,
        /// Space it is in.
        space_id: i64,
        /// App; null for services.
        app_id: Option<i64>,
        /// Whether its length is assumed.
        estimated: bool,
        /// Number of the input that began the interval.
        opened_by: u64,
        /// Number of the input that ended it.
        closed_by: u64,
    }
}

table! {
    /// Odd input, with what was assumed.
    pub(in crate::store) struct AnomalyRow: "anomaly"[3] {
        /// Foundation it is of.
        foundation_id: i64,
        /// Number of the input.
        sequence: u64,
        /// Among the anomalies of that input.
        position: u64,
        /// What is odd, in a word.
        kind: Spelled<AnomalyKind>,
        /// The time it is about.
        at: Timestamp,
        /// 1 process, 2 service, 3 staging, 4 task.
        resource_kind: Option<Kind>,
        /// Of the resource it is about.
        resource_guid: Option<Guid>,
        /// For people.
        detail: String,
    }
}

table! {
    /// A foundation's ledger as it was after an input, with a hash: what entered the fold before may be pruned.
    pub(in crate::store) struct SealRow: "seal"[2] {
        /// Foundation it is of.
        foundation_id: i64,
        /// Number of the last input before it.
        sequence: u64,
        /// When it was made.
        sealed_at: Timestamp,
        /// How many resources it holds.
        resources: u64,
        /// SHA-256 of their states, hexadecimal.
        digest: String,
        /// Number of the last input when what entered the fold before it was pruned; null: it isn't.
        pruned_at: Option<u64>,
    }
}

table! {
    /// Spans of stream history that can't be read any more; what is assumed for them is estimated.
    pub(in crate::store) const GAP: "gap"[2] {
        /// Foundation it is of.
        foundation_id: i64,
        /// 1, 2, 3 … within the foundation.
        number: u64,
        /// app or service.
        stream: Spelled<Stream>,
        /// How it was lost: checkpoint_gone or reseeded.
        reason: Spelled<GapReason>,
        /// The last time the stream was read to its end.
        began_at: Timestamp,
        /// When the first event was created that could be read again; null: not known yet.
        ended_at: Option<Timestamp>,
        /// The checkpoint that was lost.
        checkpoint_guid: Option<Guid>,
        /// Its time.
        checkpoint_created_at: Option<Timestamp>,
        /// When it was found.
        found_at: Timestamp,
        /// Number of the input that records it.
        sequence: u64,
        /// reading: the stream is read again; settling: what runs is to be looked at; settled.
        stage: Spelled<GapStage>,
        /// When the ledger was settled.
        settled_at: Option<Timestamp>,
        /// How many resources had vanished.
        ended: u64,
        /// How many resources had appeared.
        begun: u64,
        /// How many resources had another footprint.
        changed: u64,
    }
}

table! {
    /// Events whose own time isn't trusted, because it contradicts the order of their stream.
    pub(in crate::store) struct BoundRow: "clock_bound"[4] {
        /// Foundation it is of.
        foundation_id: i64,
        /// app or service.
        stream: Spelled<Stream>,
        /// Its place in the stream: the number of the event, or of the one before it.
        ordinal: u64,
        /// Its place between two numbers, if it was found late.
        fraction: Vec<u8>,
        /// Of the event.
        event_guid: Guid,
        /// The time that it states.
        created_at: Timestamp,
        /// The time that it is taken for; null: its own after all.
        counts_at: Option<Timestamp>,
        /// Whether nothing after it in the stream tells yet.
        provisional: bool,
        /// 1 process, 2 service, 3 staging, 4 task; null: it touches none.
        kind: Option<Kind>,
        /// Of the resource that it touches.
        resource_guid: Option<Guid>,
        /// Number of the input that says so.
        sequence: u64,
        /// Of the span of such events that it belongs to: 1, 2, 3 … within the foundation.
        number: u64,
    }
}

table! {
    /// Where what runs differed from the ledger at the last look; settled when a later look finds the same.
    pub(in crate::store) struct DifferenceRow: "difference"[3] {
        /// Foundation it is of.
        foundation_id: i64,
        /// 1 process, 2 service, 3 staging, 4 task.
        kind: Kind,
        /// Of the resource.
        guid: Guid,
        /// What sort of difference.
        class: String,
        /// What was found, for people.
        detail: String,
        /// When a look last agreed with the ledger.
        certain_until: Option<Timestamp>,
        /// At the first look that found it.
        found_at: Timestamp,
        /// At the last look.
        seen_at: Timestamp,
    }
}

table! {
    /// A hash chain over everything that entered the fold and everything it gave: a link a page.
    pub(in crate::store) struct LinkRow: "ledger_link"[2] {
        /// Foundation it is of.
        foundation_id: i64,
        /// Of the inputs it covers: those after the link before.
        last_sequence: u64,
        /// Of the ledger entries it covers.
        last_entry: u64,
        /// SHA-256 of the inputs.
        inputs_digest: Vec<u8>,
        /// SHA-256 of the entries in canonical form.
        entries_digest: Vec<u8>,
        /// SHA-256 of the link before and both.
        digest: Vec<u8>,
    }
}

table! {
    /// States of resources in a seal.
    pub(in crate::store) struct SealChunkRow: "seal_chunk"[3] {
        /// Foundation it is of.
        foundation_id: i64,
        /// Of the seal.
        sequence: u64,
        /// Of the first resource in it.
        first_id: i64,
        /// States of resources, JSON, one a line, by id (zstd).
        states: Vec<u8>,
    }
}
