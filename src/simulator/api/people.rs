//! Who has which role where: `/v3/roles` and `/v3/users`.

use serde_json::{Value, json};

use super::list::{Page, paginate};
use super::query::Query;
use super::{Answered, Caller, Refusal, Reply};
use crate::simulator::Foundation;

/// Filters of roles, and where in a row they look.
const OF_ROLES: [(&str, &str); 4] = [
    ("types", "/type"),
    ("user_guids", "/relationships/user/data/guid"),
    ("organization_guids", "/relationships/organization/data/guid"),
    ("space_guids", "/relationships/space/data/guid"),
];
const OF_USERS: [(&str, &str); 2] = [("usernames", "/username"), ("origins", "/origin")];

impl Foundation {
    /// Gives a user or client a role over an organization or space, and tells its guid.
    pub fn grant(&mut self, user: &str, role: &str, over: &str) -> String {
        let guid = self.new_guid();
        let data = |kind: &str| if role.starts_with(kind) { json!({"guid": over}) } else { Value::Null };
        let now = self.now().to_string();
        let row = json!({
            "guid": guid, "created_at": now, "updated_at": now, "type": role,
            "relationships": {
                "user": {"data": {"guid": user}}, "organization": {"data": data("organization")},
                "space": {"data": data("space")},
            },
            "links": {"self": {"href": format!("/v3/roles/{guid}")}, "user": {"href": format!("/v3/users/{user}")}},
        });
        self.tables.roles.push(row);
        guid
    }

    /// Takes a role away.
    pub fn revoke(&mut self, guid: &str) {
        self.tables.roles.retain(|role| role["guid"] != guid);
    }

    pub(super) fn list_roles(&self, caller: &Caller, query: &Query) -> Answered {
        list_people("roles", caller, query, &self.tables.roles, &OF_ROLES)
    }

    /// Users and clients that have a role: a client has no name.
    pub(super) fn list_users(&self, caller: &Caller, query: &Query) -> Answered {
        let mut rows: Vec<Value> = Vec::new();
        for role in &self.tables.roles {
            let Some(guid) = role.pointer("/relationships/user/data/guid").and_then(Value::as_str) else { continue };
            if rows.iter().any(|row| row["guid"] == guid) {
                continue;
            }
            let name = self.uaa.users.iter().find(|user| user.guid == guid).map(|user| user.name.clone());
            let presented = name.clone().unwrap_or_else(|| guid.to_owned());
            rows.push(json!({
                "guid": guid, "created_at": role["created_at"], "updated_at": role["updated_at"], "username": name,
                "presentation_name": presented, "origin": name.as_ref().map(|_| "uaa"),
                "metadata": {"labels": {}, "annotations": {}}, "links": {"self": {"href": format!("/v3/users/{guid}")}},
            }));
        }
        list_people("users", caller, query, &rows, &OF_USERS)
    }
}

fn list_people(name: &str, caller: &Caller, query: &Query, rows: &[Value], filters: &[(&str, &str)]) -> Answered {
    let common = ["page", "per_page", "order_by", "created_ats", "updated_ats", "guids", "include"];
    let known: Vec<&str> = common.into_iter().chain(filters.iter().map(|(name, _)| *name)).collect();
    query.check(&known, &["created_at", "updated_at"]).map_err(|messages| Refusal::bad_query(&messages))?;
    let visible = if caller.reads_everything() { rows } else { &[] };
    let allows = |row: &&Value| {
        query.allows("guids", row["guid"].as_str())
            && filters.iter().all(|(name, pointer)| query.allows(name, row.pointer(pointer).and_then(Value::as_str)))
    };
    let mut rows: Vec<&Value> = visible.iter().filter(allows).collect();
    query.order(&mut rows, false);
    Ok(Reply::Json(paginate(&format!("/v3/{name}"), query, &rows, Page::default(), Value::clone)))
}
