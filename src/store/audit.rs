//! The audit log: entries that only grow, in a hash chain with a link for each batch. What is done and its entry are in one
//! transaction.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::database::{Dialect, Record, Session, Sql, again, table, text, unexpected, values};
use super::{Store, StoreError};
use crate::domain::text::hexadecimal;
use crate::domain::{Act, Actor, AuditEntry, Deed, Timestamp, Way};

table! {
    /// Who did what, or opened which document.
    pub(in crate::store) struct AuditRow: "audit_entry"[1] {
        /// 1, 2, 3 …
        number: u64,
        /// The batch it was written with.
        batch: u64,
        /// When it was.
        at: Timestamp,
        /// A token's name, ISSUER/SUBJECT, or the user of a command.
        who: String,
        /// api, page or command.
        way: String,
        /// The address that it came from, or the host of a command.
        origin: Option<String>,
        /// The id of the request, as in the log.
        request: Option<String>,
        /// What was done.
        deed: String,
        /// To what: a number, or an account and a month.
        subject: String,
        /// What it was before, JSON.
        before: Option<String>,
        /// What it is since, JSON.
        after: Option<String>,
    }
}

table! {
    /// The hash chain over the audit log, a link for each batch.
    pub(in crate::store) struct AuditLinkRow: "audit_link"[1] {
        /// 1, 2, 3 …
        batch: u64,
        /// The last entry of the batch.
        last_number: u64,
        /// SHA-256 of the link before and the entries.
        link: String,
    }
}

/// The name of the audit log's chain.
pub const CHAIN_OF_AUDIT: &str = "audit";

/// Documents that are noted together, at most.
const OF_A_BATCH: usize = 500;

/// Which entries are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    pub who: Option<String>,
    pub deed: Option<Deed>,
    pub subject: Option<String>,
}

/// What the audit log's chain says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifiedAudit {
    pub entries: u64,
    pub links: u64,
    /// The last link; empty: there is none.
    pub last: String,
    /// The first batch that isn't as it was written.
    pub broken: Option<u64>,
}

macro_rules! list {
    ($is_who:literal) => {
        text![
            "SELECT ",
            AuditRow::LIST,
            " FROM audit_entry
             WHERE number < $1 AND at >= $2 AND at < $3 AND ($4 IS NULL OR ",
            $is_who,
            ") AND ($5 IS NULL OR deed = $5) AND ($6 IS NULL OR subject = $6)
             ORDER BY number DESC
             LIMIT $7"
        ]
    };
}

impl VerifiedAudit {
    /// What is broken, for people.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        self.broken.map(|batch| format!("batch {batch} isn't as it was written"))
    }
}

impl AuditRow {
    /// What the chain is over.
    fn canonical(&self) -> String {
        let Self { number, batch, at, who, way, origin, request, deed, subject, before, after } = self;
        json!([number, batch, at.unix(), who, way, origin, request, deed, subject, before, after]).to_string()
    }

    fn entry(self) -> Result<AuditEntry, StoreError> {
        let way = Way::ALL.into_iter().find(|way| way.name() == self.way);
        let value = |place: &'static str, text: Option<String>| -> Result<Option<Value>, StoreError> {
            text.map(|text| serde_json::from_str(&text).map_err(|_| unexpected(place, &text))).transpose()
        };
        Ok(AuditEntry {
            number: self.number,
            at: self.at,
            actor: Actor {
                who: self.who,
                way: way.ok_or_else(|| unexpected("audit_entry.way", &self.way))?,
                origin: self.origin,
                request: self.request,
            },
            act: Act {
                deed: Deed::from_name(&self.deed).ok_or_else(|| unexpected("audit_entry.deed", &self.deed))?,
                subject: self.subject,
                before: value("audit_entry.before", self.before)?,
                after: value("audit_entry.after", self.after)?,
            },
        })
    }
}

fn link_of(before: &str, rows: &[AuditRow]) -> String {
    let mut digest = Sha256::new();
    digest.update(before);
    for row in rows {
        digest.update("\n");
        digest.update(row.canonical());
    }
    hexadecimal(&digest.finalize())
}

async fn last_link(session: &mut Session) -> Result<Option<AuditLinkRow>, StoreError> {
    const LAST: Sql = Sql::new(text!["SELECT ", AuditLinkRow::LIST, " FROM audit_link ORDER BY batch DESC LIMIT 1"]);
    session.maybe(LAST, Vec::new()).await?.map(|row| AuditLinkRow::read(&row)).transpose()
}

impl Store {
    /// The same store, in which what is done is somebody's, and has its entry in the audit log.
    #[must_use]
    pub fn acting(&self, actor: Actor) -> Self {
        Self { actor: Some(actor.into()), ..self.clone() }
    }

    /// Writes entries of what is done in a transaction; nothing, if nobody acts.
    pub(in crate::store) async fn note(
        &self,
        session: &mut Session,
        acts: &[Act],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // One after the other: each link is over the one before.
        const ALONE: Sql = Sql::new("LOCK TABLE audit_link IN EXCLUSIVE MODE");
        const ADD: Sql = Sql::new(AuditRow::ADD);
        const LINK: Sql = Sql::new(AuditLinkRow::ADD_ONE);
        let Some(actor) = self.actor.as_deref().filter(|_| !acts.is_empty()) else { return Ok(()) };
        if session.dialect() == Dialect::Postgres {
            session.run(ALONE, Vec::new()).await?;
        }
        let last = last_link(session).await?;
        let (batch, number, link) =
            last.map_or((0, 0, String::new()), |last| (last.batch, last.last_number, last.link));
        let row = |(act, number): (&Act, u64)| AuditRow {
            number,
            batch: batch + 1,
            at,
            who: actor.who.clone(),
            way: actor.way.name().to_owned(),
            origin: actor.origin.clone(),
            request: actor.request.clone(),
            deed: act.deed.name().to_owned(),
            subject: act.subject.clone(),
            before: act.before.as_ref().map(Value::to_string),
            after: act.after.as_ref().map(Value::to_string),
        };
        let rows: Vec<AuditRow> = acts.iter().zip(number + 1..).map(row).collect();
        let added = session.rows(rows.iter().cloned());
        session.run_of(ADD, Vec::new(), added).await?;
        let last_number = number + rows.len() as u64;
        session.add(LINK, &AuditLinkRow { batch: batch + 1, last_number, link: link_of(&link, &rows) }).await?;
        Ok(())
    }

    /// Writes that documents are opened, before they are.
    ///
    /// # Errors
    /// [`StoreError`]: whoever acts must not see them then.
    pub async fn note_opened(&self, acts: &[Act], at: Timestamp) -> Result<(), StoreError> {
        // Others write meanwhile.
        for acts in acts.chunks(OF_A_BATCH) {
            again!(self.try_note_opened(acts, at))?;
        }
        Ok(())
    }

    async fn try_note_opened(&self, acts: &[Act], at: Timestamp) -> Result<(), StoreError> {
        let mut session = self.database.write().await?;
        self.note(&mut session, acts, at).await?;
        session.commit().await
    }

    /// Entries of the audit log, the newest first, before a number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        // A session of two people is both.
        const LIST: Sql = Sql::each(
            list!("instr('+' || who || '+', '+' || $4 || '+') > 0"),
            list!("position('+' || $4 || '+' IN '+' || who || '+') > 0"),
        );
        let AuditFilter { from, to, who, deed, subject } = filter;
        let (from, to) = (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX));
        let before = before.unwrap_or(i64::MAX as u64);
        let deed = deed.map(|deed| deed.name().to_owned());
        let values = values![before, from, to, who.clone(), deed, subject.clone(), most as u64];
        let rows = self.database.read().await?.all(LIST, values).await?;
        rows.iter().map(|row| AuditRow::read(row)?.entry()).collect()
    }

    /// The link that ends with an entry; `None`: none does.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_link(&self, last_number: u64) -> Result<Option<String>, StoreError> {
        const LINK: Sql = Sql::new("SELECT link FROM audit_link WHERE batch > 0 AND last_number = $1");
        let row = self.database.read().await?.maybe(LINK, values![last_number]).await?;
        row.map(|row| row.string("audit_link.link")).transpose()
    }

    /// Computes the chain of the audit log again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify_audit(&self) -> Result<VerifiedAudit, StoreError> {
        let mut verified = VerifiedAudit::default();
        while self.verify_audit_piece(&mut verified).await? {}
        Ok(verified)
    }

    /// Computes the next links of the chain again, behind those that were; whether there may be more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify_audit_piece(&self, verified: &mut VerifiedAudit) -> Result<bool, StoreError> {
        const LINKS: Sql =
            Sql::new(text!["SELECT ", AuditLinkRow::LIST, " FROM audit_link WHERE batch > $1 ORDER BY batch LIMIT 20"]);
        const ENTRIES: Sql = Sql::new(text![
            "SELECT ",
            AuditRow::LIST,
            " FROM audit_entry WHERE number > $1 AND number <= $2 ORDER BY number"
        ]);
        // What no link is over.
        const BESIDE: Sql = Sql::new(
            "SELECT 1 FROM audit_entry WHERE number > $1 OR number < 1 UNION ALL SELECT 1 FROM audit_link WHERE batch < 1",
        );
        let mut session = self.database.read().await?;
        let links = session.all(LINKS, values![verified.links]).await?;
        let links = links.iter().map(AuditLinkRow::read).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = links.last() else {
            if session.maybe(BESIDE, values![verified.entries]).await?.is_some() {
                verified.broken = Some(verified.links + 1);
            }
            return Ok(false);
        };
        let rows = session.all(ENTRIES, values![verified.entries, last.last_number]).await?;
        let mut rows = rows.iter().map(AuditRow::read).collect::<Result<Vec<_>, _>>()?;
        for next in links {
            let behind = rows.split_off(rows.partition_point(|row| row.number <= next.last_number));
            let entries = std::mem::replace(&mut rows, behind);
            let is_whole = next.batch == verified.links + 1
                && !entries.is_empty()
                && entries.len() as u64 == next.last_number.saturating_sub(verified.entries)
                && entries.iter().all(|entry| entry.batch == next.batch)
                && link_of(&verified.last, &entries) == next.link;
            if !is_whole {
                verified.broken = Some(next.batch);
                return Ok(false);
            }
            *verified = VerifiedAudit { entries: next.last_number, links: next.batch, last: next.link, broken: None };
        }
        Ok(true)
    }
}
