//! Who has which role, and how often one may ask. What is asked here changes nothing of how lists are read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Client, endless, found, parse};
use crate::access::CloudRole;
use crate::cloud_controller::bounds::Bounds;
use crate::cloud_controller::error::ApiError;
use crate::cloud_controller::wire::lists::{Info, Page, RoleRow, UserRow};
use crate::domain::Endpoint;

/// Roles by which something is seen: `organization_user` is none.
const TYPES: &str = "organization_manager,organization_billing_manager,organization_auditor,\
                     space_manager,space_developer,space_auditor,space_supporter";
const PER_PAGE: &str = "5000";

/// How often whoever isn't an admin may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimit {
    pub requests: u64,
    pub within: Duration,
}

/// Whether a guid can stand in a list of guids: what has a comma would be two.
fn is_one(guid: &str) -> bool {
    !guid.is_empty() && !guid.contains(',') && !guid.chars().any(char::is_control)
}

impl Client {
    /// The roles of users and clients by their guids, as many as fit into a request; who has none has an empty list.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn roles(&self, users: &BTreeSet<String>) -> Result<BTreeMap<String, Vec<CloudRole>>, ApiError> {
        let mut roles: BTreeMap<String, Vec<CloudRole>> = users.iter().map(|user| (user.clone(), Vec::new())).collect();
        let rows: Vec<RoleRow> = self.of_people(Endpoint::Roles, "user_guids", users, &[("types", TYPES)]).await?;
        for row in rows {
            let of = &row.relationships;
            let Some(of_user) = of.user.guid().and_then(|user| roles.get_mut(&user.to_string())) else { continue };
            let text = |guid: Option<&crate::domain::Guid>| guid.map(ToString::to_string);
            let (organization, space) = (text(of.organization.guid()), text(of.space.guid()));
            of_user.extend(CloudRole::new(&row.r#type, organization.as_deref(), space.as_deref()));
        }
        Ok(roles)
    }

    /// Those of some guids, as many as fit into a request, that are users of UAA, and no clients.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn users_among(&self, guids: &BTreeSet<String>) -> Result<BTreeSet<String>, ApiError> {
        let rows: Vec<UserRow> = self.of_people(Endpoint::Users, "guids", guids, &[]).await?;
        let named = rows.into_iter().filter(|row| row.username.is_some());
        Ok(named.map(|row| row.guid.to_string()).filter(|guid| guids.contains(guid)).collect())
    }

    async fn of_people<T: serde::de::DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        filter: &str,
        guids: &BTreeSet<String>,
        more: &[(&str, &str)],
    ) -> Result<Vec<T>, ApiError> {
        let guids: Vec<&str> = guids.iter().map(String::as_str).filter(|guid| is_one(guid)).collect();
        let mut rows = Vec::new();
        if guids.is_empty() {
            return Ok(rows);
        }
        let guids = guids.join(",");
        let mut bounds = Bounds::new(self.inner.clock.now());
        for number in 1_u32.. {
            let number = number.to_string();
            let query = [&[(filter, guids.as_str()), ("per_page", PER_PAGE), ("page", &number)], more].concat();
            let answer = self.get(&endpoint.path(), &query).await?;
            let (answer, request) = &answer.value;
            let page: Page<T> = parse(answer, request)?;
            let goes_on = bounds.goes_on(page.resources.len(), &page.pagination, self.inner.clock.now());
            let goes_on = goes_on.map_err(|told| endless(answer, request, told))?;
            rows.extend(page.resources);
            if !goes_on {
                break;
            }
        }
        Ok(rows)
    }

    /// What the foundation says of how often one may ask; `None`: nothing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn request_limit(&self) -> Result<Option<RequestLimit>, ApiError> {
        let info: Option<Info> = match found(self.get(&Endpoint::Info.path(), &[]).await)? {
            Some(answer) => Some(parse(&answer.value.0, &answer.value.1)?),
            None => None,
        };
        let limits = info.map(|info| info.rate_limits).filter(|limits| limits.enabled && limits.general_limit > 0);
        Ok(limits.map(|limits| RequestLimit {
            requests: limits.general_limit,
            within: Duration::from_secs(60 * limits.reset_interval_in_minutes.max(1)),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::is_one;

    #[test]
    fn a_guid_that_would_be_two_is_none() {
        for (guid, one) in [
            ("7f791ea9-99b9-423d", true),
            ("client", true),
            ("a b", true),
            ("a,b", false),
            ("", false),
            ("a\nb", false),
        ] {
            assert_eq!(is_one(guid), one, "{guid:?}");
        }
    }
}
