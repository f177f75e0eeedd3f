//! What a rate is for: whom, what, and which process type; and which of two is narrower.
//! Owns the precedence rule; knows no prices.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{Guid, Kind};

/// Labels of an organization or a space, by key.
pub type Labels = BTreeMap<String, String>;

/// What decides which rate some usage has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    pub kind: Kind,
    /// Who is charged.
    pub account: &'a str,
    pub foundation: &'a str,
    /// Guid and newest name.
    pub organization: (&'a Guid, Option<&'a str>),
    pub organization_labels: &'a Labels,
    pub space_labels: &'a Labels,
    /// Of processes, such as `web`.
    pub process_type: Option<&'a str>,
    pub buildpack: Option<&'a str>,
    /// The newest guid known for that name.
    pub buildpack_guid: Option<&'a str>,
    pub plan: Option<&'a Guid>,
    pub plan_name: Option<&'a str>,
    pub offering_name: Option<&'a str>,
    /// Guid and newest name of the offering's broker.
    pub broker: Option<(&'a Guid, Option<&'a str>)>,
    /// A service instance that a user brought.
    pub user_provided: bool,
}

/// One label: key and value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    pub key: String,
    pub value: String,
}

/// For whom. Later variants are narrower; of one variant, which can't both be meant unless they are labels, the
/// text decides, so that the order of rates never matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whom {
    Everyone,
    OrganizationLabel(Label),
    SpaceLabel(Label),
    Account(String),
    /// By guid or name.
    Organization {
        foundation: String,
        organization: String,
    },
}

/// A text in which `*` stands for anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(String);

impl Pattern {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How much of it is literal: more is narrower.
    fn letters(&self) -> usize {
        self.0.chars().filter(|letter| *letter != '*').count()
    }

    /// Whether a text may be one of those that both stand for: what both begin and end with must agree.
    fn meets(&self, other: &Self) -> bool {
        let ends = |pattern: &Self| {
            let text = pattern.0.clone();
            let (head, tail) = (text.find('*').unwrap_or(text.len()), text.rfind('*').map_or(0, |at| at + 1));
            (text[..head].to_owned(), text[tail..].to_owned())
        };
        let ((one, first), (two, second)) = (ends(self), ends(other));
        (one.starts_with(&two) || two.starts_with(&one)) && (first.ends_with(&second) || second.ends_with(&first))
    }

    /// Whether `text` is one of those it stands for.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.letters(), &self.0).cmp(&(other.letters(), &other.0))
    }
}

/// For what, within a kind. Later variants are narrower.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// Everything of the kind but user-provided service instances.
    Any,
    /// Usage that names no buildpack: docker images and the like.
    WithoutBuildpack,
    /// Usage under a buildpack name or custom URL like this.
    BuildpackPattern(Pattern),
    /// Usage under this buildpack name or custom URL.
    Buildpack(String),
    /// Usage under the buildpack that has this guid, whatever it is called.
    BuildpackGuid(String),
    /// Service instances that users brought.
    UserProvided,
    /// Service instances of any plan of this broker, by guid or newest name.
    Broker(String),
    /// Service instances of any plan of this offering, whichever broker's.
    Offering(String),
    /// Service instances of any plan of this broker's offering.
    OfferingOf { offering: String, broker: String },
    /// Service instances of this plan, by newest names, whichever broker's.
    PlanName { offering: String, plan: String },
    /// Service instances of this broker's plan.
    PlanOf { offering: String, plan: String, broker: String },
    /// Service instances of this plan.
    PlanGuid(Guid),
}

/// What a rate applies to, within its kind. Greater is narrower: whom before what before process type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Matcher {
    pub whom: Whom,
    pub what: What,
    pub process_type: Option<String>,
}

impl Whom {
    /// Whether it means `subject`.
    #[must_use]
    pub fn matches(&self, subject: Subject<'_>) -> bool {
        let has = |labels: &Labels, label: &Label| labels.get(&label.key) == Some(&label.value);
        match self {
            Self::Everyone => true,
            Self::OrganizationLabel(label) => has(subject.organization_labels, label),
            Self::SpaceLabel(label) => has(subject.space_labels, label),
            Self::Account(account) => subject.account == account,
            Self::Organization { foundation, organization } => {
                let (guid, name) = subject.organization;
                subject.foundation == foundation && (guid.to_string() == *organization || name == Some(organization))
            }
        }
    }

    /// Whether some usage can be meant by both.
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::OrganizationLabel(one), Self::OrganizationLabel(two))
            | (Self::SpaceLabel(one), Self::SpaceLabel(two)) => one.key != two.key || one.value == two.value,
            (Self::Account(one), Self::Account(two)) => one == two,
            (
                Self::Organization { foundation: one, organization: first },
                Self::Organization { foundation: two, organization: second },
            ) => one == two && (first == second || looks_like_guid(first) != looks_like_guid(second)),
            _ => true,
        }
    }
}

/// Whether a text may be a guid; one organization may be named by its guid and by its name.
fn looks_like_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// A service by names; what isn't said is any.
#[derive(Clone, Copy, Debug)]
struct ByNames<'a> {
    offering: Option<&'a String>,
    plan: Option<&'a String>,
    /// By guid or name.
    broker: Option<&'a String>,
}

impl ByNames<'_> {
    fn mean(self, subject: Subject<'_>) -> bool {
        let is = |wanted: Option<&String>, name: Option<&str>| wanted.is_none_or(|wanted| name == Some(wanted));
        let of_broker = self.broker.is_none_or(|wanted| {
            subject.broker.is_some_and(|(guid, name)| guid.to_string() == *wanted || name == Some(wanted))
        });
        is(self.offering, subject.offering_name) && is(self.plan, subject.plan_name) && of_broker
    }

    fn meets(self, other: Self) -> bool {
        let may_be = |one: Option<&String>, two: Option<&String>| one.is_none() || two.is_none() || one == two;
        // One broker may be named by its guid and by its name.
        let differently = [self.broker, other.broker].map(|broker| broker.is_some_and(|text| looks_like_guid(text)));
        may_be(self.offering, other.offering)
            && may_be(self.plan, other.plan)
            && (may_be(self.broker, other.broker) || differently[0] != differently[1])
    }

    fn covers(self, other: Self) -> bool {
        let all_of = |one: Option<&String>, two: Option<&String>| one.is_none() || one == two;
        all_of(self.offering, other.offering) && all_of(self.plan, other.plan) && all_of(self.broker, other.broker)
    }
}

impl What {
    fn matches(&self, subject: Subject<'_>) -> bool {
        match self {
            Self::Any => !subject.user_provided,
            Self::WithoutBuildpack => subject.buildpack.is_none(),
            Self::BuildpackPattern(pattern) => subject.buildpack.is_some_and(|name| pattern.matches(name)),
            Self::Buildpack(name) => subject.buildpack == Some(name),
            Self::BuildpackGuid(guid) => subject.buildpack_guid == Some(guid),
            Self::UserProvided => subject.user_provided,
            Self::PlanGuid(guid) => subject.plan == Some(guid),
            Self::Broker(_)
            | Self::Offering(_)
            | Self::OfferingOf { .. }
            | Self::PlanName { .. }
            | Self::PlanOf { .. } => self.by_names().is_some_and(|names| names.mean(subject)),
        }
    }

    /// What a service is named by, if it is by names.
    fn by_names(&self) -> Option<ByNames<'_>> {
        let (offering, plan, broker) = match self {
            Self::Broker(broker) => (None, None, Some(broker)),
            Self::Offering(offering) => (Some(offering), None, None),
            Self::OfferingOf { offering, broker } => (Some(offering), None, Some(broker)),
            Self::PlanName { offering, plan } => (Some(offering), Some(plan), None),
            Self::PlanOf { offering, plan, broker } => (Some(offering), Some(plan), Some(broker)),
            _ => return None,
        };
        Some(ByNames { offering, plan, broker })
    }

    /// Whether some usage can be meant by both.
    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::UserProvided, one) | (one, Self::UserProvided) => *one == Self::UserProvided,
            (Self::WithoutBuildpack, one) | (one, Self::WithoutBuildpack) => {
                matches!(one, Self::Any | Self::WithoutBuildpack)
            }
            (Self::BuildpackPattern(pattern), Self::Buildpack(name))
            | (Self::Buildpack(name), Self::BuildpackPattern(pattern)) => pattern.matches(name),
            (Self::BuildpackPattern(one), Self::BuildpackPattern(two)) => one.meets(two),
            (Self::Buildpack(one), Self::Buildpack(two)) | (Self::BuildpackGuid(one), Self::BuildpackGuid(two)) => {
                one == two
            }
            (Self::PlanGuid(_), Self::PlanGuid(_)) => self == other,
            _ => match (self.by_names(), other.by_names()) {
                (Some(one), Some(two)) => one.meets(two),
                _ => true,
            },
        }
    }
}

impl Whom {
    /// Whether it means everything that `other` means.
    fn covers(&self, other: &Self) -> bool {
        *self == Self::Everyone || self == other
    }
}

impl What {
    /// Whether it means everything that `other` means.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, other) => *other != Self::UserProvided,
            (Self::BuildpackPattern(pattern), Self::Buildpack(name)) => pattern.matches(name),
            _ => match (self.by_names(), other.by_names()) {
                (Some(one), Some(two)) => one.covers(two),
                _ => self == other,
            },
        }
    }
}

impl Matcher {
    /// Whether it means everything that `other` means.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let type_covers = self.process_type.is_none() || self.process_type == other.process_type;
        type_covers && self.whom.covers(&other.whom) && self.what.covers(&other.what)
    }

    /// Everything of a kind.
    #[must_use]
    pub const fn any() -> Self {
        Self { whom: Whom::Everyone, what: What::Any, process_type: None }
    }

    /// Whether it means `subject`.
    #[must_use]
    pub fn matches(&self, subject: Subject<'_>) -> bool {
        self.what.matches(subject)
            && self.process_type.as_deref().is_none_or(|wanted| subject.process_type == Some(wanted))
            && self.whom.matches(subject)
    }

    /// Whether some usage can be meant by both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let types = [self.process_type.as_ref(), other.process_type.as_ref()];
        let same_type = !matches!(types, [Some(one), Some(two)] if one != two);
        same_type && self.whom.meets(&other.whom) && self.what.meets(&other.what)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.key, self.value)
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => formatter.write_str("everyone"),
            Self::OrganizationLabel(label) => write!(formatter, "org label {label}"),
            Self::SpaceLabel(label) => write!(formatter, "space label {label}"),
            Self::Account(account) => write!(formatter, "account {account}"),
            Self::Organization { foundation, organization } => write!(formatter, "org {foundation}/{organization}"),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any"),
            Self::WithoutBuildpack => formatter.write_str("without buildpack"),
            Self::BuildpackPattern(pattern) => write!(formatter, "buildpack like {}", pattern.as_str()),
            Self::Buildpack(name) => write!(formatter, "buildpack {name}"),
            Self::BuildpackGuid(guid) => write!(formatter, "buildpack with guid {guid}"),
            Self::UserProvided => formatter.write_str("user-provided"),
            Self::Broker(broker) => write!(formatter, "broker {broker}"),
            Self::Offering(offering) => write!(formatter, "offering {offering}"),
            Self::OfferingOf { offering, broker } => write!(formatter, "offering {offering} of broker {broker}"),
            Self::PlanName { offering, plan } => write!(formatter, "plan {offering} {plan}"),
            Self::PlanOf { offering, plan, broker } => write!(formatter, "plan {offering} {plan} of broker {broker}"),
            Self::PlanGuid(guid) => write!(formatter, "plan {guid}"),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.what != What::Any {
            parts.push(self.what.to_string());
        }
        parts.extend(self.process_type.as_ref().map(|wanted| format!("type {wanted}")));
        if self.whom != Whom::Everyone {
            parts.push(self.whom.to_string());
        }
        if parts.is_empty() {
            parts.push("any".to_owned());
        }
        formatter.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("*", "go", true),
            ("go", "go", true),
            ("go", "gogo", false),
            ("https://*", "https://x/y.git", true),
            ("https://*", "http://x", false),
            ("*.git", "https://x/y.git", true),
            ("*/acme/*.git", "https://x/acme/y.git", true),
            ("*/acme/*.git", "https://x/acme.git", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a**b", "axb", true),
            ("ü*", "über", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), matches, "{pattern} {text}");
        }
        assert!(Pattern::new("https://acme/*") > Pattern::new("https://*"));
    }
}
