//! The overview: foundations with their lag and state, open drafts.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::{Served, ready};
use crate::domain::{Amount, GapReason, GapStage, Timestamp};
use crate::invoicing::Status;
use crate::store::{InvoiceFilter, Store, StoreError, StoredGap, StoredInvoice};
use crate::telemetry::FoundationStatus;

/// Invoices shown of each status.
const MOST: usize = 50;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #1a7f37; --wait: #9a6700; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --wait: #d29922; --bad: #f85149; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
header { display: flex; flex-wrap: wrap; gap: .5rem 2rem; align-items: baseline; justify-content: space-between; }
nav a { margin-left: 1rem; } p { max-width: 60ch; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; } time { white-space: nowrap; }
.good { color: var(--good); } .wait { color: var(--wait); } .bad { color: var(--bad); }
.detail { white-space: pre-line; overflow-wrap: anywhere; }
code { background: var(--soft); padding: .1rem .3rem; border-radius: .2rem; }
";

/// By which a browser knows our own style from anybody else's.
pub(super) fn style_hash() -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(STYLE)))
}

pub(super) async fn overview(State(served): State<Arc<Served>>) -> Response {
    let now = served.clock.now();
    let heads = ready::read_book(&served).await;
    let told = ready::told(&served, heads.as_deref().unwrap_or_default());
    let book = match heads.and_then(|_| served.book.store()) {
        Ok(store) => shown(store).await.map_err(|error| error.to_string()),
        Err(reason) => Err(reason),
    };
    let body = html! {
        h2 { "Foundations" }
        (foundations(&told, now))
        @match book {
            Ok(Shown { gaps, drafts, finals }) => {
                @if !gaps.is_empty() {
                    h2 { "What was lost" }
                    (gap_table(&gaps))
                }
                h2 { "Open drafts" }
                (invoice_table(&drafts, "There are no drafts yet. They appear soon after the first usage, if [billing] rates names a rate card."))
                h2 { "Final invoices" }
                (invoice_table(&finals, "No invoice is final yet: cf-billing invoices finalize --period YYYY-MM"))
            }
            Err(error) => p.bad { "The book can't be read now: " (error) }
        }
    };
    Html(layout("Overview", now, &body).into_string()).into_response()
}

/// What the overview shows of the book.
struct Shown {
    gaps: Vec<StoredGap>,
    drafts: Vec<StoredInvoice>,
    finals: Vec<StoredInvoice>,
}

async fn shown(store: &Store) -> Result<Shown, StoreError> {
    let of = |status| InvoiceFilter { status: Some(status), ..InvoiceFilter::default() };
    let mut drafts = store.invoices(&of(Status::Review)).await?;
    drafts.extend(store.invoices(&of(Status::Draft)).await?);
    Ok(Shown { gaps: store.gaps(None).await?, drafts, finals: store.invoices(&of(Status::Final)).await? })
}

fn layout(title: &str, now: Timestamp, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · cf-billing" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "cf-billing" }
                    span { (instant(now)) }
                    nav {
                        a href="/metrics" { "metrics" }
                        a href="/readyz" { "readiness" }
                        a href="/servez" { "serving" }
                        a href="/healthz" { "health" }
                    }
                }
                main { (body) }
            }
        }
    }
}

fn foundations(of: &[(String, FoundationStatus)], now: Timestamp) -> Markup {
    if of.is_empty() {
        return html! { p { "No foundation is collected." } };
    }
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th { "name" }
                        th { "state" }
                        th.number { "lag" }
                        th { "known until" }
                        th { "billed from" }
                        th { "app checkpoint" }
                        th { "service checkpoint" }
                    }
                }
                tbody {
                    @for (name, status) in of {
                        tr {
                            td { (name) }
                            td {
                                span class=(class(status)) { (if status.alive { status.state } else { "failed" }) }
                                @if let Some(detail) = &status.detail {
                                    div.detail {
                                        (detail)
                                        @if let Some((since, last)) = status.since.zip(status.last) {
                                            " (since " (instant(since)) ", last at " (instant(last)) ")"
                                        }
                                    }
                                }
                            }
                            td.number { (status.known_until.map(|known| span(now.seconds_since(known))).unwrap_or_default()) }
                            td { (optional(status.known_until)) }
                            td { (optional(status.billing_epoch)) }
                            td { (optional(status.app_checkpoint)) }
                            td { (optional(status.service_checkpoint)) }
                        }
                    }
                }
            }
        }
    }
}

fn class(status: &FoundationStatus) -> &'static str {
    match status.state {
        _ if !status.alive => "bad",
        "failed" => "bad",
        "live" if status.detail.is_none() => "good",
        _ => "wait",
    }
}

fn gap_table(gaps: &[StoredGap]) -> Markup {
    html! {
        p {
            "Usage events for these periods are lost. What ran before goes on counting; what changed meanwhile is assumed. "
            "An invoice whose period touches one becomes final only once that is accepted explicitly."
        }
        div.scroll {
            table {
                thead {
                    tr {
                        th { "gap" }
                        th { "stream" }
                        th { "from" }
                        th.number { "length" }
                        th { "why" }
                        th { "settled" }
                        th { "assumed" }
                    }
                }
                tbody {
                    @for gap in gaps.iter().rev().take(MOST) {
                        tr {
                            td { (gap.reference()) }
                            td { (gap.stream.name()) }
                            td { (instant(gap.from)) }
                            td.number { (span(gap.to.unwrap_or(gap.found_at).seconds_since(gap.from))) }
                            td {
                                @match gap.reason {
                                    GapReason::CheckpointGone => "pruned or purged in Cloud Controller",
                                    GapReason::Reseeded => "reseeded again in Cloud Controller",
                                }
                            }
                            td {
                                @match gap.stage {
                                    GapStage::Reading => span.wait { "what is left is being read" },
                                    GapStage::Settling => span.wait { "not yet: waiting for a look at what runs" },
                                    GapStage::Settled => (optional(gap.settled_at)),
                                }
                            }
                            td {
                                (gap.settled.ended) " ended, " (gap.settled.begun) " begun, " (gap.settled.changed) " changed"
                            }
                        }
                    }
                }
            }
        }
        @if gaps.len() > MOST {
            p { "and " (gaps.len() - MOST) " before: " code { "cf-billing gaps" } }
        }
    }
}

fn invoice_table(invoices: &[StoredInvoice], none: &str) -> Markup {
    if invoices.is_empty() {
        return html! { p { (none) } };
    }
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th { "invoice" }
                        th { "month" }
                        th { "account" }
                        th.number { "net" }
                        th.number { "estimated" }
                        th { "" }
                    }
                }
                tbody {
                    @for stored in invoices.iter().take(MOST) {
                        @let invoice = &stored.document;
                        tr {
                            td { (stored.number.clone().unwrap_or_else(|| format!("draft {}", stored.id))) }
                            td { (invoice.month.to_string()) }
                            td { (invoice.account_name.as_deref().unwrap_or("-")) " " small { (invoice.account) } }
                            td.number { (invoice.net.in_major_units(invoice.currency).to_string()) " " (invoice.currency.code()) }
                            td.number { (invoice.estimated().in_major_units(invoice.currency).to_string()) }
                            td {
                                @if stored.status == Status::Review {
                                    div { "in review" }
                                }
                                @if let Some(reason) = &stored.held {
                                    div.wait { "held: " (reason) }
                                }
                                @if let Some(difference) = stored.difference {
                                    @let word = if difference.0 < 0 { " less" } else { " more" };
                                    @let apart = Amount(difference.0.saturating_abs());
                                    div.wait {
                                        "by now it would be " (apart.in_major_units(invoice.currency).to_string()) (word)
                                    }
                                }
                                @if stored.unpriced_lines > 0 {
                                    div.bad { (stored.unpriced_lines) " lines without a price" }
                                }
                                @for gap in stored.document.as_invoice().into_iter().flat_map(|invoice| &invoice.gaps) {
                                    div.wait { "use assumed: gap " (gap.reference) }
                                }
                                @for note in &stored.notes.undecodable {
                                    div.wait { (note.records) " records can't be read: " (note.reference()) }
                                }
                                @for clock in &stored.notes.clocks {
                                    div.wait { "times assumed: clock " (clock.reference) }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if invoices.len() > MOST {
            p { "and " (invoices.len() - MOST) " more: " code { "cf-billing invoices list" } }
        }
    }
}

fn instant(at: Timestamp) -> Markup {
    let text = at.to_string();
    html! { time datetime=(text) { (text.replace('T', " ").replace('Z', " UTC")) } }
}

fn optional(at: Option<Timestamp>) -> Markup {
    at.map_or_else(|| html! { "" }, instant)
}

/// A length of time, in its two largest units.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(units.len() - 1);
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, name) in units.iter().skip(first).take(2) {
        parts.push(format!("{} {name}", left / size));
        left %= size;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_lag_is_told_in_two_units() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m 0 s"),
            (3599, "59 m 59 s"),
            (3600, "1 h 0 m"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
