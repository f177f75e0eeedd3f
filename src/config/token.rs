//! `[[token]]`: programs that may ask, each with what it is there for.

use std::collections::BTreeSet;

use super::foundation::name;
use super::secret::secret;
use crate::access::{ApiToken, Role};
use crate::domain::codes::Wrong;
use crate::keyed::{Key, Keyed, Problem, Takes, key};

const ROLES: [&str; 4] = [Role::Provider.name(), Role::Finance.name(), Role::Sre.name(), Role::Tenant.name()];
/// Characters of a secret, at least: of 64 different ones they make 192 bits.
const SHORTEST: usize = 32;

pub(super) fn keys() -> Vec<Key> {
    vec![
        key("name", Takes::Form("text"), "Who uses it, for logs: letters, digits, `-`, `_`, `.`").required(),
        key(
            "role",
            Takes::Choice(&ROLES),
            "What it may read: `provider` everything; `finance` all but what only the provider decides; `sre` foundations, gaps and anomalies; `tenant` the final invoices of `accounts`",
        )
        .required(),
        key(
            "secret",
            Takes::Secret,
            "What is sent as `Authorization: Bearer …`: at least 32 characters, such as `openssl rand -hex 32` makes",
        )
        .required(),
        key(
            "accounts",
            Takes::Form("ids"),
            "Of a tenant: ids of its accounts, with commas between them, as in the accounts file, or `foundation/organization-guid`",
        ),
    ]
}

fn accounts(text: &str) -> Result<BTreeSet<String>, Wrong> {
    let ids: Vec<&str> = text.split(',').map(str::trim).collect();
    if ids.iter().any(|id| id.is_empty()) {
        return Err(Wrong::new(format!("`{text}` has an id that is empty"), "write ids with commas between them"));
    }
    Ok(ids.into_iter().map(str::to_owned).collect())
}

/// A token; `None` if something of it is wrong, which is noted.
pub(super) fn read(section: &Keyed<'_>, warnings: &mut Vec<Problem>) -> Option<ApiToken> {
    let name = section.form("name", name);
    let role = section.word("role").and_then(Role::from_name);
    let secret = secret(section, "secret", warnings);
    let accounts = section.has("accounts").then(|| section.form("accounts", accounts));
    let secret = secret?;
    let given = if section.has("secret") { "secret" } else { "secret_file" };
    if secret.expose().chars().count() < SHORTEST {
        let told = format!("the token's secret has less than {SHORTEST} characters");
        section.error(given, told, "make one: openssl rand -hex 32");
        return None;
    }
    if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        let told = "the token's secret has characters that can't be sent";
        section.error(given, told, "use letters and digits only: openssl rand -hex 32");
        return None;
    }
    let (role, accounts) = (role?, accounts.map_or(Some(None), |read| read.map(Some))?);
    match (role, &accounts) {
        (Role::Tenant, None) => {
            section.missing("accounts");
            return None;
        }
        (Role::Provider | Role::Finance | Role::Sre, Some(_)) => {
            let told = format!("a token of the role `{role}` has no accounts: it isn't a tenant's");
            section.error("accounts", told, "take them out, or set role = \"tenant\"");
            return None;
        }
        _ => {}
    }
    Some(ApiToken {
        name: name?,
        role,
        accounts: accounts.unwrap_or_default(),
        digest: ApiToken::digest(secret.expose()),
    })
}
