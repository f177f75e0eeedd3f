//! What is asked of a Cloud Controller and its UAA.

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The root document.
    Root,
    /// A token, from UAA.
    Token,
    AppUsageEvents,
    ServiceUsageEvents,
    AppUsageSnapshots,
    ServiceUsageSnapshots,
    Jobs,
    Processes,
    Tasks,
    Apps,
    Builds,
    Droplets,
    ServiceInstances,
    ServicePlans,
    Organizations,
    Spaces,
    /// Who has which role where.
    Roles,
    Users,
    /// Limits that hold for whoever asks.
    Info,
    /// Where an answer pointed to that is none of the others.
    Unlisted,
}

impl Endpoint {
    pub const ALL: [Self; 20] = [
        Self::Root,
        Self::Token,
        Self::AppUsageEvents,
        Self::ServiceUsageEvents,
        Self::AppUsageSnapshots,
        Self::ServiceUsageSnapshots,
        Self::Jobs,
        Self::Processes,
        Self::Tasks,
        Self::Apps,
        Self::Builds,
        Self::Droplets,
        Self::ServiceInstances,
        Self::ServicePlans,
        Self::Organizations,
        Self::Spaces,
        Self::Roles,
        Self::Users,
        Self::Info,
        Self::Unlisted,
    ];

    /// The word for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Token => "token",
            Self::AppUsageEvents => "app_usage_events",
            Self::ServiceUsageEvents => "service_usage_events",
            Self::AppUsageSnapshots => "app_usage_snapshots",
            Self::ServiceUsageSnapshots => "service_usage_snapshots",
            Self::Jobs => "jobs",
            Self::Processes => "processes",
            Self::Tasks => "tasks",
            Self::Apps => "apps",
            Self::Builds => "builds",
            Self::Droplets => "droplets",
            Self::ServiceInstances => "service_instances",
            Self::ServicePlans => "service_plans",
            Self::Organizations => "organizations",
            Self::Spaces => "spaces",
            Self::Roles => "roles",
            Self::Users => "users",
            Self::Info => "info",
            Self::Unlisted => "unlisted",
        }
    }

    /// Its path below the address of the API, or of UAA. Source: the V3 API's documentation, and the RFC on usage snapshots.
    #[must_use]
    pub fn path(self) -> String {
        match self {
            Self::Root | Self::Unlisted => "/".to_owned(),
            Self::Token => "/oauth/token".to_owned(),
            Self::AppUsageSnapshots => "/v3/app_usage/snapshots".to_owned(),
            Self::ServiceUsageSnapshots => "/v3/service_usage/snapshots".to_owned(),
            of_its_name => format!("/v3/{}", of_its_name.name()),
        }
    }

    /// What a path asks for. The foundation's own path may stand before.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        if path.ends_with("/oauth/token") {
            return Self::Token;
        }
        let Some((_, below)) = path.split_once("/v3/") else {
            return if path.ends_with('/') || path.is_empty() { Self::Root } else { Self::Unlisted };
        };
        let mut parts = below.split('/');
        let name = match (parts.next(), parts.next()) {
            (Some("app_usage"), Some("snapshots")) => "app_usage_snapshots",
            (Some("service_usage"), Some("snapshots")) => "service_usage_snapshots",
            (first, _) => first.unwrap_or_default(),
        };
        let is_named = |one: &Self| one.name() == name && one.path().starts_with("/v3/");
        Self::ALL.into_iter().find(is_named).unwrap_or(Self::Unlisted)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn a_path_tells_what_is_asked_for() {
        for endpoint in Endpoint::ALL.into_iter().filter(|one| *one != Endpoint::Unlisted) {
            assert_eq!(Endpoint::of_path(&endpoint.path()), endpoint);
        }
        for (path, endpoint) in [
            ("/capi/v3/processes/p/stats", Endpoint::Processes),
            ("/v3/app_usage/snapshots/s/chunks", Endpoint::AppUsageSnapshots),
            ("/uaa/oauth/token", Endpoint::Token),
            ("/v3/root", Endpoint::Unlisted),
            ("/v3/routes", Endpoint::Unlisted),
            ("/v3/app_usage/events", Endpoint::Unlisted),
            ("/v2/info", Endpoint::Unlisted),
        ] {
            assert_eq!(Endpoint::of_path(path), endpoint, "{path}");
        }
    }
}
