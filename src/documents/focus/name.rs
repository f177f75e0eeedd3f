//! What things are called in FOCUS: services and their categories, SKUs, units, resources, tags.
//! Owns names that stay the same over time and from account to account; never an amount.

use serde_json::{Map, Value};

use super::column::{Column, FocusRow};
use crate::domain::Kind;
use crate::rate_card::{Meter, units};
use crate::rating::{LineKey, Named, Part};

/// A service, in FOCUS's categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Service<'a> {
    pub name: &'a str,
    pub category: &'static str,
    pub subcategory: &'static str,
}

/// What belongs to no app and no service instance: tax, minimums, commitments.
pub(super) const PLATFORM: Service<'static> =
    Service { name: "Cloud Foundry", category: "Other", subcategory: "Other (Other)" };

/// Beginnings of words in the names of service offerings, and where such services belong.
const OFFERINGS: [(&[&str], &str, &str); 11] = [
    (&["timescale", "influx"], "Databases", "Time Series Databases"),
    (&["postgres", "mysql", "mariadb", "mssql", "sqlserver", "oracle", "db2"], "Databases", "Relational Databases"),
    (&["redis", "valkey", "memcache", "gemfire"], "Databases", "Caching"),
    (&["mongo", "couch", "cassandra", "cosmos", "dynamo"], "Databases", "NoSQL Databases"),
    (&["rabbit", "kafka", "nats", "activemq", "amqp", "mqtt"], "Integration", "Messaging"),
    (&["elastic", "opensearch", "solr"], "Analytics", "Search"),
    (&["s3", "minio", "blob", "object", "objectstore"], "Storage", "Object Storage"),
    (&["nfs", "smb", "volume"], "Storage", "File Storage"),
    (&["vault", "credhub", "secret"], "Security", "Secret Management"),
    (&["uaa", "sso", "identity", "keycloak", "xsuaa"], "Identity", "Identity and Access Management"),
    (&["log", "prometheus", "grafana", "metric", "apm"], "Management and Governance", "Observability"),
];

/// The service that a line is of.
pub(super) fn service(key: &LineKey) -> Service<'_> {
    match key.kind {
        Kind::Process => Service { name: "Cloud Foundry apps", category: "Compute", subcategory: "Containers" },
        Kind::Task => Service { name: "Cloud Foundry tasks", category: "Compute", subcategory: "Containers" },
        Kind::Staging => Service {
            name: "Cloud Foundry staging",
            category: "Developer Tools",
            subcategory: "Continuous Integration and Deployment",
        },
        Kind::Service => {
            let offering = key.service_offering.as_ref().and_then(|offering| offering.name.as_deref());
            offering.map_or(Service { name: "Cloud Foundry services", ..PLATFORM }, offered)
        }
    }
}

fn offered(name: &str) -> Service<'_> {
    let lower = name.to_lowercase();
    let words = || lower.split(|letter: char| !letter.is_alphanumeric());
    let found =
        OFFERINGS.iter().find(|(begin, ..)| words().any(|word| begin.iter().any(|begin| word.starts_with(begin))));
    let (category, subcategory) =
        found.map_or((PLATFORM.category, PLATFORM.subcategory), |(_, category, subcategory)| (category, subcategory));
    Service { name, category, subcategory }
}

/// What is sold: a quantity of a kind of thing. The same for everyone, whatever its price.
pub(super) fn sku(key: &LineKey, meter: Meter) -> String {
    let mut parts = vec![key.kind.name().to_owned()];
    parts.extend(key.service_offering.as_ref().map(Named::called));
    parts.extend(key.service_plan.as_ref().map(Named::called));
    parts.extend(key.buildpack.clone());
    parts.push(meter.name().to_owned());
    parts.join("/")
}

/// How a part of a quantity is sold, whichever account's it is.
pub(super) fn part(part: &Part, unit_size: i64, meter: Meter) -> String {
    match part {
        Part::Whole => "standard".to_owned(),
        Part::Allowance(_) => "allowance".to_owned(),
        Part::Tier(tier) => format!("tier-{tier}"),
        Part::Packages(_) => format!("package-of-{}", units(unit_size, meter.constant_unit().unwrap_or(1))),
    }
}

/// What is measured.
pub(super) const fn meter(meter: Meter) -> &'static str {
    match meter {
        Meter::InstanceHour => "Instance Hours",
        Meter::MemoryGibHour => "Memory",
        Meter::DiskGibHour => "Disk",
        Meter::Month => "Instance Months",
        Meter::Staging => "Stagings",
    }
}

/// What one price is for, in FOCUS's way of writing units.
pub(super) const fn pricing_unit(meter: Meter, is_package: bool) -> &'static str {
    match meter {
        _ if is_package => "Packages",
        Meter::InstanceHour => "Instance-Hours",
        Meter::MemoryGibHour | Meter::DiskGibHour => "GiB-Hours",
        Meter::Month => "Instance-Months",
        Meter::Staging => "Stagings",
    }
}

/// In what use is told, and how much of a quantity that is; use of a month's price in hours.
pub(super) fn consumed_unit(meter: Meter) -> (&'static str, i64) {
    let told = if meter == Meter::Month { Meter::InstanceHour } else { meter };
    (pricing_unit(told, false), told.constant_unit().unwrap_or(1))
}

/// Everything of a row that says what it is for.
pub(super) fn identify(row: &mut FocusRow, key: &LineKey) {
    let foundation = &*key.foundation;
    let of = |named: &Named| format!("{foundation}/{}", named.guid);
    let service = service(key);
    row.set(Column::ServiceName, service.name);
    row.set(Column::ServiceCategory, service.category);
    row.set(Column::ServiceSubcategory, service.subcategory);
    row.set(Column::RegionId, foundation);
    row.set(Column::RegionName, foundation);
    row.set(Column::SubAccountId, of(&key.organization));
    // What has an id must have a name, whether it is known or not.
    row.set(Column::SubAccountName, key.organization.called());
    row.set(Column::SubAccountType, "Organization");
    let resource = key.service_instance.as_ref().map(|instance| (instance, "Service Instance"));
    if let Some((named, kind)) = resource.or(key.app.as_ref().map(|app| (app, "App"))) {
        row.set(Column::ResourceId, of(named));
        row.set(Column::ResourceName, named.called());
        row.set(Column::ResourceType, kind);
    }
    row.set(Column::Tags, tags(key));
    row.set(Column::Estimated, key.estimated);
}

/// What Cloud Foundry says of it, as tags with a prefix of ours; what isn't known isn't there.
fn tags(key: &LineKey) -> String {
    let mut tags = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        tags.extend(value.map(|value| (format!("cf:{name}"), Value::String(value))));
    };
    let named = [
        ("organization", Some(&key.organization)),
        ("space", Some(&key.space)),
        ("app", key.app.as_ref()),
        ("service_instance", key.service_instance.as_ref()),
        ("service_offering", key.service_offering.as_ref()),
        ("service_plan", key.service_plan.as_ref()),
    ];
    for (name, named) in named {
        put(name, named.and_then(|named| named.name.clone()));
        put(&format!("{name}_guid"), named.map(|named| named.guid.to_string()));
    }
    put("foundation", Some(key.foundation.clone()));
    put("kind", Some(key.kind.name().to_owned()));
    put("buildpack", key.buildpack.clone());
    Value::Object(tags).to_string()
}

#[cfg(test)]
mod tests {
    use super::offered;

    #[test]
    fn well_known_services_have_their_category() {
        for (name, subcategory) in [
            ("postgres", "Relational Databases"),
            ("p.mysql", "Relational Databases"),
            ("aws-rds-PostgreSQL", "Relational Databases"),
            ("redis", "Caching"),
            ("p-rabbitmq", "Messaging"),
            ("my_s3_store", "Object Storage"),
            ("timescaledb-postgres", "Time Series Databases"),
            ("autoscaler", "Other (Other)"),
            ("compass", "Other (Other)"),
            ("", "Other (Other)"),
        ] {
            assert_eq!(offered(name).subcategory, subcategory, "{name}");
        }
    }
}
