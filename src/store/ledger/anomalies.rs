//! Odd input as stored: listed for people, and records that can't be read told to whoever bills their months.

use std::collections::BTreeMap;

use super::foundations::read_foundations;
use crate::domain::{AnomalyKind, FoundationHead, Kind, Place, Span, Timestamp, UndecodableNote};
use crate::store::archive::chunks::read_chunk;
use crate::store::archive::pack::InputKind;
use crate::store::database::{Row, Session, Sql, Value, values};
use crate::store::{ArchivedInput, Store, StoreError};

/// Records without a readable time whose neighbours are looked up; any further ones count for every month.
const MOST_UNDATED: i64 = 500;
/// Archive chunks that are searched for a neighbour, each way.
const CHUNKS_SEARCHED: usize = 64;

/// What anomalies are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnomalyFilter {
    pub foundation: Option<String>,
    pub kind: Option<AnomalyKind>,
    /// Only those in this span; those whose time can't be read are in any.
    pub span: Option<Span>,
}

impl AnomalyFilter {
    /// What statements compare: foundation, kind, span, and what stands for a time that can't be read.
    fn values(&self) -> Vec<Value> {
        let span = self.span.unwrap_or(Span { from: Timestamp::MIN, to: Timestamp::MAX });
        let kind = self.kind.map(AnomalyKind::name);
        values![self.foundation.as_deref(), kind, span.from, span.to, Timestamp::MIN]
    }
}

/// A stored anomaly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnomaly {
    pub foundation: String,
    /// Number of the input that it is about.
    pub sequence: u64,
    /// 0, 1, 2 … of those about that input.
    pub position: u64,
    pub kind: String,
    /// When it happened, as the input says; `None` if that can't be read.
    pub at: Option<Timestamp>,
    /// Kind and guid of the resource that it is about.
    pub resource: Option<(Kind, String)>,
    pub detail: String,
}

impl Store {
    /// Anomalies in the order in which they were met, at most `most`; and how many there are in all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn anomalies(
        &self,
        filter: &AnomalyFilter,
        most: usize,
    ) -> Result<(Vec<StoredAnomaly>, u64), StoreError> {
        const COUNT: Sql = Sql::new(
            "SELECT count(*) AS anomalies
             FROM anomaly JOIN foundation ON foundation.id = anomaly.foundation_id
             WHERE ($1 IS NULL OR foundation.name = $1) AND ($2 IS NULL OR anomaly.kind = $2)
                 AND (anomaly.at >= $3 AND anomaly.at < $4 OR anomaly.at = $5)",
        );
        let mut session = self.database.read().await?;
        let all = session.one(COUNT, filter.values()).await?.number("anomalies")?;
        Ok((read_anomalies(&mut session, filter, None, most).await?, all))
    }

    /// The next anomalies behind a place in that order, at most `most`; from the first, where none is given. A place is a
    /// foundation's name, an input's number and a position.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn anomalies_after(
        &self,
        filter: &AnomalyFilter,
        after: Option<(&str, i64, i64)>,
        most: usize,
    ) -> Result<Vec<StoredAnomaly>, StoreError> {
        read_anomalies(&mut self.database.read().await?, filter, after, most).await
    }

    /// Records that can't be read and touch a period, by foundation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn undecodable(&self, period: Span) -> Result<Vec<UndecodableNote>, StoreError> {
        Ok(read_undecodable(&mut self.database.read().await?).await?.notes(period))
    }
}

/// See [`Store::anomalies_after`].
async fn read_anomalies(
    session: &mut Session,
    filter: &AnomalyFilter,
    after: Option<(&str, i64, i64)>,
    most: usize,
) -> Result<Vec<StoredAnomaly>, StoreError> {
    const NEXT: Sql = Sql::new(
        "SELECT foundation.name AS foundation, anomaly.sequence, anomaly.position, anomaly.kind, anomaly.at,
                anomaly.resource_kind, anomaly.resource_guid, anomaly.detail
         FROM anomaly JOIN foundation ON foundation.id = anomaly.foundation_id
         WHERE ($1 IS NULL OR foundation.name = $1) AND ($2 IS NULL OR anomaly.kind = $2)
             AND (anomaly.at >= $3 AND anomaly.at < $4 OR anomaly.at = $5)
             AND (foundation.name, anomaly.sequence, anomaly.position) > ($6, $7, $8)
         ORDER BY foundation.name, anomaly.sequence, anomaly.position
         LIMIT $9",
    );
    // Every foundation has a name.
    let (foundation, sequence, position) = after.unwrap_or(("", 0, 0));
    let mut values = filter.values();
    values.extend(values![foundation, sequence, position, most as u64]);
    session.all(NEXT, values).await?.iter().map(read_anomaly).collect()
}

fn read_anomaly(row: &Row) -> Result<StoredAnomaly, StoreError> {
    Ok(StoredAnomaly {
        foundation: row.string("foundation")?,
        sequence: row.number("anomaly.sequence")?,
        position: row.number("anomaly.position")?,
        kind: row.string("anomaly.kind")?,
        at: Some(row.time("anomaly.at")?).filter(|at| *at > Timestamp::MIN),
        resource: row.get::<Option<Kind>>("anomaly.resource_kind")?.zip(row.maybe_string("anomaly.resource_guid")?),
        detail: row.string("anomaly.detail")?,
    })
}

/// Records that can't be read, and when they were made.
#[derive(Debug, Default)]
pub(in crate::store) struct Undecodable {
    /// Foundation, time, and how many of that time.
    dated: Vec<(String, Timestamp, u64)>,
    /// Those whose own time can't be read: foundation, and the span that the records beside them leave.
    undated: Vec<(String, Span)>,
}

impl Undecodable {
    pub fn is_empty(&self) -> bool {
        self.dated.is_empty() && self.undated.is_empty()
    }

    /// Those that touch a period, by foundation.
    pub fn notes(&self, period: Span) -> Vec<UndecodableNote> {
        let dated = self.dated.iter().map(|(foundation, at, records)| (foundation, *at, *at, *records));
        let dated = dated.filter(|(_, at, ..)| period.from <= *at && *at < period.to);
        let undated = self.undated.iter().filter(|(_, span)| span.from < period.to && period.from <= span.to);
        let undated =
            undated.map(|(foundation, span)| (foundation, span.from.max(period.from), span.to.min(period.to), 1));
        let mut notes: BTreeMap<&str, UndecodableNote> = BTreeMap::new();
        for (foundation, first, last, records) in dated.chain(undated) {
            let note = notes.entry(foundation).or_insert_with(|| UndecodableNote {
                foundation: foundation.clone(),
                records: 0,
                first,
                last,
            });
            note.records += records;
            note.first = note.first.min(first);
            note.last = note.last.max(last);
        }
        notes.into_values().collect()
    }
}

pub(in crate::store) async fn read_undecodable(session: &mut Session) -> Result<Undecodable, StoreError> {
    const DATED: Sql = Sql::new(
        "SELECT foundation.name AS foundation, anomaly.at, count(DISTINCT anomaly.sequence) AS records
         FROM anomaly JOIN foundation ON foundation.id = anomaly.foundation_id
         WHERE anomaly.kind = 'undecodable' AND anomaly.at > $1
         GROUP BY foundation.name, anomaly.at
         ORDER BY foundation.name, anomaly.at",
    );
    const UNDATED: Sql = Sql::new(
        "SELECT foundation_id, sequence FROM anomaly
         WHERE kind = 'undecodable' AND at = $1
         ORDER BY foundation_id, sequence
         LIMIT $2",
    );
    let mut found = Undecodable::default();
    for row in session.all(DATED, values![Timestamp::MIN]).await? {
        found.dated.push((row.string("foundation")?, row.time("anomaly.at")?, row.number("records")?));
    }
    let undated = session.all(UNDATED, values![Timestamp::MIN, MOST_UNDATED + 1]).await?;
    if undated.is_empty() {
        return Ok(found);
    }
    let heads = read_foundations(session, None).await?;
    let mut neighbours = Neighbours::default();
    for (position, row) in undated.iter().enumerate() {
        let id = row.integer("anomaly.foundation_id")?;
        let Some(head) = heads.iter().find(|head| head.id == id) else { continue };
        let is_beyond = i64::try_from(position).unwrap_or(i64::MAX) >= MOST_UNDATED;
        let anywhere = Span { from: Timestamp::MIN, to: Timestamp::MAX };
        let mut span = if is_beyond {
            anywhere
        } else {
            neighbours.around(session, head, row.number("anomaly.sequence")?).await?
        };
        if let Some(epoch) = head.current_settings().billing_epoch {
            span.from = span.from.max(epoch);
        }
        if span.from <= span.to {
            found.undated.push((head.name.clone(), span));
        }
    }
    Ok(found)
}

/// Archive chunks read while neighbours are looked up.
#[derive(Debug, Default)]
struct Neighbours {
    /// By foundation; the last one read, and what comes beside it as often as not.
    chunks: Vec<(i64, Vec<ArchivedInput>)>,
}

impl Neighbours {
    /// The span between the events beside an event in its stream whose times can be read. Without one before it, it
    /// begins with all time; without one after it, it hasn't ended yet.
    async fn around(
        &mut self,
        session: &mut Session,
        head: &FoundationHead,
        sequence: u64,
    ) -> Result<Span, StoreError> {
        let mut span = Span { from: Timestamp::MIN, to: Timestamp::MAX };
        let Some(chunk) = self.chunk(session, head.id, sequence).await? else { return Ok(span) };
        let Some(own) = chunk.iter().find(|input| input.sequence == sequence).cloned() else { return Ok(span) };
        let InputKind::Event(_) = own.kind else {
            // What no stream tells was read when it was received.
            return Ok(Span { from: own.received_at, to: own.received_at });
        };
        let mut beside = Beside::default();
        let mut chunk = Some(chunk);
        for _ in 0..CHUNKS_SEARCHED {
            let Some(searched) = chunk else { break };
            beside.look(&own, &searched);
            let first = searched.first().map_or(1, |input| input.sequence);
            if beside.is_between || first <= 1 {
                break;
            }
            chunk = self.chunk(session, head.id, first - 1).await?;
        }
        let mut next = sequence + 1;
        for _ in 0..CHUNKS_SEARCHED {
            if beside.after.is_some() {
                break;
            }
            let Some(searched) = self.chunk(session, head.id, next).await? else { break };
            beside.look(&own, &searched);
            next = searched.last().map_or(next, |input| input.sequence) + 1;
        }
        // Times run backwards a little even in a healthy stream.
        let (before, after) = (beside.before.map(|(_, at)| at), beside.after.map(|(_, at)| at));
        if let Some(before) = before {
            span.from = after.map_or(before, |after| before.min(after));
        }
        if let Some(after) = after {
            span.to = before.map_or(after, |before| after.max(before));
        }
        Ok(span)
    }

    async fn chunk(
        &mut self,
        session: &mut Session,
        foundation_id: i64,
        sequence: u64,
    ) -> Result<Option<Vec<ArchivedInput>>, StoreError> {
        let holds = |(of, chunk): &&(i64, Vec<ArchivedInput>)| {
            *of == foundation_id && chunk.iter().any(|input| input.sequence == sequence)
        };
        if let Some((_, chunk)) = self.chunks.iter().find(holds) {
            return Ok(Some(chunk.clone()));
        }
        let read = read_chunk(session, foundation_id, sequence).await?;
        if let Some(chunk) = &read {
            self.chunks.truncate(3);
            self.chunks.insert(0, (foundation_id, chunk.clone()));
        }
        Ok(read)
    }
}

/// The nearest events before and after one in its stream, found so far.
#[derive(Debug, Default)]
struct Beside {
    before: Option<(Place, Timestamp)>,
    after: Option<(Place, Timestamp)>,
    /// What was archived in order before it was met: nothing that was archived earlier is nearer.
    is_between: bool,
}

impl Beside {
    fn look(&mut self, own: &ArchivedInput, inputs: &[ArchivedInput]) {
        let readable = |input: &&ArchivedInput| input.kind == own.kind && input.created_at > Timestamp::MIN;
        for input in inputs.iter().filter(readable) {
            let found = (input.place.clone(), input.created_at);
            if input.place < own.place {
                self.is_between |= input.place.fraction().is_empty() && input.place.ordinal + 1 >= own.place.ordinal;
                if self.before.as_ref().is_none_or(|(place, _)| *place < input.place) {
                    self.before = Some(found);
                }
            } else if input.place > own.place && self.after.as_ref().is_none_or(|(place, _)| *place > input.place) {
                self.after = Some(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Beside, Undecodable};
    use crate::domain::{Place, Span, Stream, Timestamp};
    use crate::store::{ArchivedInput, InputKind};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn event(sequence: u64, place: Place, created_at: Timestamp) -> ArchivedInput {
        ArchivedInput {
            sequence,
            kind: InputKind::Event(Stream::App),
            received_at: created_at,
            created_at,
            identity: sequence,
            place,
            previous: 0,
            body: String::new(),
        }
    }

    #[test]
    fn the_neighbours_of_a_late_record_are_those_of_its_place() {
        let (october, november) = (at("2026-10-31T23:00:00Z"), at("2026-11-01T00:30:00Z"));
        let own = event(4, Place::at(1).before(&Place::at(2)), Timestamp::MIN);
        let archive = [
            event(1, Place::at(1), october),
            event(2, Place::at(2), october.plus(60)),
            event(3, Place::at(3), november),
            own.clone(),
        ];
        let mut beside = Beside::default();
        beside.look(&own, &archive);
        assert!(beside.is_between);
        assert_eq!(beside.before.map(|(_, at)| at), Some(october));
        assert_eq!(beside.after.map(|(_, at)| at), Some(october.plus(60)));
    }

    #[test]
    fn a_record_without_a_time_holds_every_month_between_its_neighbours() {
        let undated = Span { from: at("2026-10-31T23:00:00Z"), to: at("2026-11-01T00:30:00Z") };
        let found = Undecodable { dated: Vec::new(), undated: vec![("eu1".to_owned(), undated)] };
        let month = |from: &str, to: &str| found.notes(Span { from: at(from), to: at(to) }).len();
        assert_eq!(month("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"), 0);
        assert_eq!(month("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"), 1);
        assert_eq!(month("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"), 1);
        assert_eq!(month("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"), 0);
    }

    #[test]
    fn a_record_holds_the_month_of_its_time() {
        let dated =
            vec![("eu1".to_owned(), at("2026-10-31T23:59:59Z"), 2), ("us1".to_owned(), at("2026-11-01T00:00:00Z"), 1)];
        let found = Undecodable { dated, undated: Vec::new() };
        let october = found.notes(Span { from: at("2026-10-01T00:00:00Z"), to: at("2026-11-01T00:00:00Z") });
        assert_eq!(
            october.iter().map(|note| (note.reference(), note.records)).collect::<Vec<_>>(),
            [("undecodable:eu1".to_owned(), 2)]
        );
    }
}
