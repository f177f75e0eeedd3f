//! A book on another server than the one its numbers were issued on: a standby that has taken over, or a restored backup, may
//! lack the newest. Nothing is issued there before it is certain which number was the last.

use serde_json::json;

use super::issue::last_of;
use super::lost::advance;
use super::tables::{LostRow, ServerRow};
use crate::domain::{Act, Deed, Timestamp};
use crate::store::database::{Dialect, Record, Session, Sql, values};
use crate::store::{Series, Store, StoreError};

/// A number that is mistyped must not leave out more than that for good.
const MOST_LEFT_OUT: i64 = 10_000;

/// Every series that has no row of its own.
const ANY: &str = "";

impl Store {
    /// Notes which server the book is on when it is first opened there, before anything is issued.
    pub(in crate::store) async fn note_server(&self, at: Timestamp) -> Result<(), StoreError> {
        const KNOWN: Sql = Sql::new("SELECT 1 FROM invoice_server WHERE series = ''");
        if self.database.server().is_none() {
            return Ok(());
        }
        if self.database.read().await?.maybe(KNOWN, Vec::new()).await?.is_some() {
            return Ok(());
        }
        let mut session = self.database.write().await?;
        let synchronous = self.wait_for_standby(&mut session).await?;
        // Whoever was here first is right: it may be another server by now.
        self.put_server(&mut session, ANY, synchronous, at, "DO NOTHING").await?;
        session.commit().await
    }

    /// Refuses to issue where the book may lack the newest numbers of a series, as far as its marks don't show.
    ///
    /// A synchronous standby has whatever was committed, and the marks of this place know the last number: then it is the last.
    pub(super) async fn check_server(&self, session: &mut Session, series: &Series) -> Result<(), StoreError> {
        const ISSUED_ON: Sql = Sql::new(
            "SELECT series, cluster, timeline, synchronous, seen_at FROM invoice_server
             WHERE series IN ($1, '') ORDER BY series DESC LIMIT 1",
        );
        let Some(now) = self.database.server() else { return Ok(()) };
        let Some(row) = session.maybe(ISSUED_ON, values![&series.name]).await? else { return Ok(()) };
        let before = ServerRow::read(&row)?;
        if before.cluster == now.cluster && before.timeline == i64::from(now.timeline) {
            return Ok(());
        }
        let (last_number, _) = last_of(session, series).await?;
        let newest = self.marks.as_ref().map(|marks| marks.newest(&series.name)).transpose()?.flatten();
        let marked = newest.map_or(0, |mark| if mark.issued { mark.number } else { mark.number - 1 });
        if before.cluster == now.cluster && before.synchronous && marked == last_number {
            return Ok(());
        }
        let last = if last_number == 0 { "nothing".to_owned() } else { series.number(last_number) };
        let of_cluster = |cluster: &str, timeline: i64| {
            if before.cluster == now.cluster {
                timeline.to_string()
            } else {
                format!("{timeline} of cluster {cluster}")
            }
        };
        Err(StoreError::MovedSinceIssued {
            series: series.name.clone(),
            last,
            number: last_number,
            before: of_cluster(&before.cluster, before.timeline),
            now: of_cluster(&now.cluster, i64::from(now.timeline)),
        })
    }

    /// The commit is waited for until it is on the disk, and on a synchronous standby if there is one, however the server is set;
    /// gives whether one is asked for. A wait that is cut short counts as a commit without it: so nothing cuts it short but the
    /// connection's own end, after which nothing counts as committed.
    pub(super) async fn wait_for_standby(&self, session: &mut Session) -> Result<bool, StoreError> {
        const WAIT: &str = "SELECT set_config('statement_timeout', '0', true),
            CASE WHEN current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')
                 THEN set_config('synchronous_commit', 'on', true) END,
            current_setting('synchronous_standby_names') <> '' AS synchronous";
        if session.dialect() == Dialect::Sqlite {
            return Ok(false);
        }
        let rows = session.all_text(WAIT.to_owned(), Vec::new()).await?;
        rows.first().map_or(Ok(false), |row| row.flag("synchronous"))
    }

    /// Waits until everything that is committed is on the disk, and on a synchronous standby if there is one.
    pub(super) async fn wait_for_all(&self) -> Result<(), StoreError> {
        // Only a commit that has changed something is waited for.
        const SOMETHING: &str = "SELECT pg_current_xact_id()::text";
        let mut session = self.database.write().await?;
        if session.dialect() == Dialect::Postgres {
            self.wait_for_standby(&mut session).await?;
            session.all_text(SOMETHING.to_owned(), Vec::new()).await?;
        }
        session.commit().await
    }

    /// Notes which server a series goes on at.
    pub(super) async fn issue_here(
        &self,
        session: &mut Session,
        series: &Series,
        synchronous: bool,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let changes = "DO UPDATE SET cluster = excluded.cluster, timeline = excluded.timeline,
                           synchronous = excluded.synchronous, seen_at = excluded.seen_at";
        self.put_server(session, &series.name, synchronous, at, changes).await
    }

    async fn put_server(
        &self,
        session: &mut Session,
        series: &str,
        synchronous: bool,
        at: Timestamp,
        on_conflict: &str,
    ) -> Result<(), StoreError> {
        let Some(server) = self.database.server() else { return Ok(()) };
        let (cluster, timeline) = (server.cluster, i64::from(server.timeline));
        let row = ServerRow { series: series.to_owned(), cluster, timeline, synchronous, seen_at: at };
        let text = format!("{} ON CONFLICT (series) {on_conflict}", ServerRow::ADD_ONE);
        session.all_text(text, row.values(None)).await?;
        Ok(())
    }

    /// Goes on above a number: the last of the series that was used anywhere, as somebody found out. What the book lacks up to it
    /// is recorded as issued elsewhere, and never issued here.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::OlderThanIssued`] if marks show numbers that can still be brought back,
    /// [`StoreError::NotAbove`] and [`StoreError::TooFarAbove`] if it can't be that number.
    pub async fn go_on_above(&self, series: &Series, number: i64, at: Timestamp) -> Result<i64, StoreError> {
        const RECORD: Sql = Sql::new(LostRow::ADD_ONE);
        let mut session = self.invoicing().await?;
        self.check_marks(&mut session, series).await?;
        let (last_number, _) = last_of(&mut session, series).await?;
        let last = || if last_number == 0 { "none".to_owned() } else { series.number(last_number) };
        let left_out = number - last_number;
        if left_out < 0 {
            return Err(StoreError::NotAbove { asked: number, last: last() });
        }
        if left_out > MOST_LEFT_OUT {
            let (skipped, most) = (left_out, MOST_LEFT_OUT);
            return Err(StoreError::TooFarAbove { asked: number, last: last(), skipped, most });
        }
        if left_out > 0 {
            advance(&mut session, series, number).await?;
            let lost = LostRow {
                series: series.name.clone(),
                first_number: last_number + 1,
                last_number: number,
                reason: format!("issued elsewhere: --above {number}"),
                recorded_at: at,
            };
            session.add(RECORD, &lost).await?;
        }
        let subject = format!("above {}", series.number(number));
        let (before, after) = (Some(json!({ "last": last() })), Some(json!({ "last": series.number(number) })));
        self.note(&mut session, &[Act { deed: Deed::NumbersSkipped, subject, before, after }], at).await?;
        let synchronous = self.wait_for_standby(&mut session).await?;
        self.issue_here(&mut session, series, synchronous, at).await?;
        session.commit().await?;
        Ok(left_out)
    }
}
