//! List pages, and the lists that are read beside the usage events.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::error::Refusal;
use super::query::Query;
use super::{Answered, Caller, Reply};
use crate::simulator::Foundation;
use crate::simulator::tables::List;

/// How a list counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    /// Counted by a query of its own, so that a page past the end still tells the total.
    pub past_the_end_counts: bool,
}

/// One page of `rows`, with links to its neighbours.
pub fn paginate(path: &str, query: &Query, rows: &[&Value], page: Page, show: impl Fn(&Value) -> Value) -> Value {
    let (number, per_page) = (query.page(), query.per_page() as usize);
    let from = (number - 1).saturating_mul(per_page);
    let on_page = rows.get(from..rows.len().min(from.saturating_add(per_page))).unwrap_or_default();
    let total = if on_page.is_empty() && !page.past_the_end_counts && number > 1 { 0 } else { rows.len() };
    let pages = total.div_ceil(per_page).max(1);
    let link = |number: usize| json!({"href": format!("{path}?{}", query.link(number))});
    json!({
        "pagination": {
            "total_results": total, "total_pages": pages, "first": link(1), "last": link(pages),
            "next": if number < pages { link(number + 1) } else { Value::Null },
            "previous": if number > 1 { link(number - 1) } else { Value::Null },
        },
        "resources": on_page.iter().map(|row| show(row)).collect::<Vec<_>>(),
    })
}

/// Parameters each list has of its own, and where in a row they look. An empty pointer isn't looked at.
fn filters(list: List) -> &'static [(&'static str, &'static str)] {
    match list {
        List::Processes => &[
            ("app_guid", "/relationships/app/data/guid"),
            ("types", "/type"),
            ("space_guids", "/links/space/href"),
            ("organization_guids", ""),
            ("app_guids", "/relationships/app/data/guid"),
            ("embed", ""),
            ("label_selector", ""),
        ],
        List::Apps => &[
            ("names", "/name"),
            ("space_guids", "/relationships/space/data/guid"),
            ("include", ""),
            ("lifecycle_type", "/lifecycle/type"),
        ],
        List::Tasks => &[("names", "/name"), ("states", "/state"), ("app_guids", "/relationships/app/data/guid")],
        List::Droplets => &[("states", "/state"), ("app_guids", "/relationships/app/data/guid")],
        List::Builds => {
            &[("states", "/state"), ("app_guids", "/relationships/app/data/guid"), ("package_guids", "/package/guid")]
        }
        List::Spaces => {
            &[("names", "/name"), ("organization_guids", "/relationships/organization/data/guid"), ("include", "")]
        }
        List::Organizations | List::Buildpacks | List::ServiceBrokers | List::ServiceOfferings => &[("names", "/name")],
        List::ServiceInstances => &[
            ("names", "/name"),
            ("type", "/type"),
            ("space_guids", "/relationships/space/data/guid"),
            ("service_plan_guids", "/relationships/service_plan/data/guid"),
        ],
        List::ServicePlans => &[
            ("names", "/name"),
            ("service_offering_guids", "/relationships/service_offering/data/guid"),
            ("include", ""),
        ],
    }
}

impl Foundation {
    /// A list; `implied` are parameters that come from the path.
    pub(super) fn list(&self, caller: &Caller, list: List, query: &Query, path: &str, implied: &[&str]) -> Answered {
        let own = filters(list).iter().map(|(name, _)| *name);
        let known: Vec<&str> =
            ["page", "per_page", "order_by", "created_ats", "updated_ats", "guids"].into_iter().chain(own).collect();
        query.check(&known, &["created_at", "updated_at"]).map_err(|messages| Refusal::bad_query(&messages))?;
        let matches = |row: &&Value| {
            query.allows("guids", row["guid"].as_str())
                && query.allows_time("created_ats", row["created_at"].as_str())
                && query.allows_time("updated_ats", row["updated_at"].as_str())
                && filters(list).iter().all(|(name, pointer)| self.allows(query, name, pointer, row))
        };
        let shown = self.rows_as_shown(list);
        let visible = if caller.reads_everything() { &shown[..] } else { &[] };
        let mut rows: Vec<&Value> = visible.iter().filter(matches).collect();
        query.order(&mut rows, false);
        debug_assert!(implied.iter().all(|name| known.contains(name)));
        let mut page = paginate(path, query, &rows, Page::default(), |row| in_list(list, row));
        if let Some(include) = query.get("include") {
            let included = self.included(&page["resources"], include);
            page["included"] = included;
        }
        Ok(Reply::Json(page))
    }

    fn rows_as_shown(&self, list: List) -> Cow<'_, [Value]> {
        let rows = self.tables.rows(list);
        if self.options.shows_rows_as_they_are() {
            return rows.into();
        }
        rows.iter().enumerate().map(|(at, row)| self.options.shown(list, row, at == 0)).collect()
    }

    fn allows(&self, query: &Query, name: &str, pointer: &str, row: &Value) -> bool {
        let value = row.pointer(pointer).and_then(Value::as_str);
        match name {
            // Processes name their space by a link only, and their organization not at all.
            "space_guids" => query.allows(name, value.and_then(|href| href.rsplit('/').next())),
            "organization_guids" if pointer.is_empty() => {
                let space =
                    row.pointer("/links/space/href").and_then(Value::as_str).and_then(|href| href.rsplit('/').next());
                let space = space.and_then(|guid| self.tables.row(List::Spaces, guid));
                query.allows(
                    name,
                    space
                        .and_then(|space| space.pointer("/relationships/organization/data/guid"))
                        .and_then(Value::as_str),
                )
            }
            _ if pointer.is_empty() => true,
            _ => query.allows(name, value),
        }
    }

    /// Spaces, organizations or service offerings that the rows of a page belong to.
    fn included(&self, rows: &Value, include: &str) -> Value {
        let related = |rows: &[Value], pointer: &str| -> BTreeSet<String> {
            rows.iter().filter_map(|row| row.pointer(pointer)?.as_str().map(str::to_owned)).collect()
        };
        let of = |list: List, guids: &BTreeSet<String>| -> Vec<Value> {
            let wanted = |row: &&Value| row["guid"].as_str().is_some_and(|guid| guids.contains(guid));
            self.rows_as_shown(list).iter().filter(wanted).cloned().collect()
        };
        let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut included = json!({});
        let mut spaces = rows.to_vec();
        if include.starts_with("space") {
            spaces = of(List::Spaces, &related(rows, "/relationships/space/data/guid"));
            included["spaces"] = spaces.clone().into();
        }
        if include.ends_with("organization") || include.ends_with("org") {
            let guids = related(&spaces, "/relationships/organization/data/guid");
            included["organizations"] = of(List::Organizations, &guids).into();
        }
        if include == "service_offering" {
            let guids = related(rows, "/relationships/service_offering/data/guid");
            included["service_offerings"] = of(List::ServiceOfferings, &guids).into();
        }
        included
    }
}

/// A row as lists show it: commands are kept private there.
fn in_list(list: List, row: &Value) -> Value {
    let mut row = row.clone();
    match (list, row.as_object_mut()) {
        (List::Processes, Some(row)) => {
            row.insert("command".to_owned(), "[PRIVATE DATA HIDDEN IN LISTS]".into());
        }
        (List::Tasks, Some(row)) => {
            row.remove("command");
        }
        _ => {}
    }
    row
}
