//! The overview: foundations with their lag and state, open drafts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};

use super::{Looks, instant, layout, optional, refused, span};
use crate::access::{Access, MayReadOverview};
use crate::api::{MOST_IN_OVERVIEW, Overview};
use crate::domain::{Amount, GapReason, GapStage, Timestamp};
use crate::http::asking::Asking;
use crate::http::{Served, ready};
use crate::invoicing::Status;
use crate::store::{StoredGap, StoredInvoice};
use crate::telemetry::FoundationStatus;

pub(super) async fn overview(State(served): State<Arc<Served>>, request: Request) -> Response {
    let now = served.clock.now();
    let (parts, _) = request.into_parts();
    let asking = match Asking::<MayReadOverview>::by(&parts, &served).await {
        Ok(asking) => asking,
        // What is collected is known without the book; who is on this machine may know it.
        Err(refusal)
            if refusal.problem.status() == StatusCode::SERVICE_UNAVAILABLE
                && matches!(served.of_book.access, Access::Open) =>
        {
            let told = ready::told(&served, &[]);
            let why = served.book.store().err().unwrap_or_else(|| refusal.problem.detail().to_owned());
            let body = html! {
                h2 { "Foundations" }
                (foundations(&told, now))
                (unread(&why))
            };
            return Html(layout("Overview", now, Looks::Anybody, &body).into_string()).into_response();
        }
        Err(refusal) => return refused(&served, &refusal, "/"),
    };
    let heads = ready::read_book(&served).await;
    let told = ready::told(&served, heads.as_deref().unwrap_or_default());
    let book = match heads {
        Ok(_) => asking.book.overview(&asking.may).await.map_err(|error| error.to_string()),
        Err(reason) => Err(reason),
    };
    let looks = Looks::new(&served, asking.visitor.as_ref());
    let body = html! {
        @if let Some(may) = &asking.may.status {
            @let told: Vec<_> = told.into_iter().filter(|(name, _)| may.has(name)).collect();
            h2 { "Foundations" }
            (foundations(&told, now))
        }
        @match &book {
            Ok(overview) => (shown(overview)),
            // Where the database is, is told to those who operate it.
            Err(error) => (unread(if asking.may.status.is_some() { error } else { "try again" })),
        }
    };
    Html(layout("Overview", now, looks, &body).into_string()).into_response()
}

fn unread(why: &str) -> Markup {
    html! { p.bad { "The book can't be read now: " (why) } }
}

fn shown(overview: &Overview) -> Markup {
    html! {
        @if !overview.gaps.is_empty() {
            h2 { "What was lost" }
            (gap_table(&overview.gaps))
        }
        @if let Some(drafts) = &overview.drafts {
            h2 { "Open drafts" }
            (invoice_table(drafts, "There are no drafts yet. They appear soon after the first usage, if [billing] rates names a rate card."))
        }
        @if let Some(finals) = &overview.finals {
            h2 { "Final invoices" }
            (invoice_table(finals, if overview.drafts.is_some() {
                "No invoice is final yet: cf-billing invoices finalize --period YYYY-MM"
            } else {
                "There are none yet that are yours."
            }))
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
                    @for gap in gaps.iter().rev().take(MOST_IN_OVERVIEW) {
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
        @if gaps.len() > MOST_IN_OVERVIEW {
            p { "and " (gaps.len() - MOST_IN_OVERVIEW) " before: " code { "cf-billing gaps" } }
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
                    @for stored in invoices.iter().take(MOST_IN_OVERVIEW) {
                        @let invoice = &stored.document;
                        tr {
                            td { (stored.title()) }
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
        @if invoices.len() > MOST_IN_OVERVIEW {
            p { "and more: " code { "cf-billing invoices list" } }
        }
    }
}
