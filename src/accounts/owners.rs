//! Whose a space is, and when: by itself, by its organization, by its label, by its organization's label.
//! Owns the precedence of owners; never reads a file.

use std::collections::{BTreeMap, HashMap};

use super::{Account, Accounts, Target};
use crate::domain::text::Position;
use crate::domain::{Span, Timestamp};
use crate::rate_card::{Labels, Validity};
use crate::rating::{Named, UsageKey};

/// Where usage was, and what is known of that place.
#[derive(Clone, Copy, Debug)]
pub struct Whereabouts<'a> {
    pub foundation: &'a str,
    pub organization: &'a Named,
    pub space: &'a Named,
    pub organization_labels: &'a Labels,
    pub space_labels: &'a Labels,
    pub organization_annotations: &'a Labels,
    pub space_annotations: &'a Labels,
}

impl<'a> From<&'a UsageKey> for Whereabouts<'a> {
    fn from(key: &'a UsageKey) -> Self {
        Self {
            foundation: &key.line.foundation,
            organization: &key.line.organization,
            space: &key.line.space,
            organization_labels: &key.organization_labels,
            space_labels: &key.space_labels,
            organization_annotations: &key.organization_annotations,
            space_annotations: &key.space_annotations,
        }
    }
}

/// That something is an account's for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub account: String,
    pub validity: Validity,
    pub position: Position,
}

/// Claims on one thing, which don't overlap.
pub(super) type Claims = Vec<Claim>;

/// All claims, by what they are on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    foundations: HashMap<String, OfFoundation>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OfFoundation {
    organizations: HashMap<String, Claims>,
    spaces: HashMap<String, Claims>,
    /// By key and value.
    labels: HashMap<String, HashMap<String, Claims>>,
}

impl OfFoundation {
    /// Claims by labels, in the order of their keys.
    fn labelled(&self, rank: Rank, labels: &Labels) -> impl Iterator<Item = (Rank, &Claims)> {
        let of = |(key, value)| self.labels.get::<String>(key)?.get::<String>(value);
        // Most accounts go by no label, and most labels are of something else.
        let labels = if self.labels.is_empty() { None } else { Some(labels) };
        labels.into_iter().flatten().filter_map(of).map(move |claims| (rank, claims))
    }
}

/// How a layer of claims was found; the first is taken before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    SpaceGuid,
    SpaceName,
    OrganizationGuid,
    OrganizationName,
    SpaceLabel,
    SpaceAnnotation,
    OrganizationLabel,
    OrganizationAnnotation,
}

impl Index {
    pub(super) fn new(accounts: &BTreeMap<String, Account>) -> Self {
        let mut index = Self::default();
        for account in accounts.values() {
            for owned in &account.owns {
                let of = index.foundations.entry(owned.foundation.clone()).or_default();
                let claims = match &owned.target {
                    Target::Organization(name) => of.organizations.entry(name.clone()).or_default(),
                    Target::Space(name) => of.spaces.entry(name.clone()).or_default(),
                    Target::Label { key, value } => {
                        of.labels.entry(key.clone()).or_default().entry(value.clone()).or_default()
                    }
                };
                claims.push(Claim { account: account.id.clone(), validity: owned.validity, position: owned.position });
            }
        }
        index
    }

    /// All claims that touch a place, in the order in which they are taken.
    pub(super) fn layers(&self, place: &Whereabouts<'_>) -> Vec<(Rank, &Claims)> {
        let mut layers = Vec::new();
        let Some(of) = self.foundations.get(place.foundation) else { return layers };
        let organizations = [Some(place.organization.guid.to_string()), place.organization.name.clone()];
        if !of.spaces.is_empty() {
            let guid = place.space.guid.to_string();
            let mut find = |rank, name: &str| layers.extend(of.spaces.get(name).map(|claims| (rank, claims)));
            find(Rank::SpaceGuid, &guid);
            for (rank, space) in [(Rank::SpaceGuid, Some(&guid)), (Rank::SpaceName, place.space.name.as_ref())] {
                for organization in organizations.iter().flatten() {
                    if let Some(space) = space {
                        find(rank, &format!("{organization}/{space}"));
                    }
                }
            }
        }
        for (rank, name) in [Rank::OrganizationGuid, Rank::OrganizationName].into_iter().zip(&organizations) {
            let claims = name.as_ref().and_then(|name| of.organizations.get(name));
            layers.extend(claims.map(|claims| (rank, claims)));
        }
        // Whoever may label a space must not move what the provider wrote down.
        layers.extend(of.labelled(Rank::SpaceLabel, place.space_labels));
        layers.extend(of.labelled(Rank::SpaceAnnotation, place.space_annotations));
        layers.extend(of.labelled(Rank::OrganizationLabel, place.organization_labels));
        layers.extend(of.labelled(Rank::OrganizationAnnotation, place.organization_annotations));
        layers
    }
}

impl Accounts {
    /// Whose a space is over a period: spans that cover it without gap or overlap, in order, neighbours of one owner
    /// merged. `None`: nobody's, so that its organization is an account of its own.
    #[must_use]
    pub fn owners(&self, place: &Whereabouts<'_>, period: Span) -> Vec<(Span, Option<&Account>)> {
        let layers = self.index.layers(place);
        let claims = || layers.iter().flat_map(|(_, claims)| claims.iter());
        let edges = claims().flat_map(|claim| [claim.validity.from, claim.validity.to]).flatten();
        let mut cuts: Vec<Timestamp> = edges.filter(|edge| period.from < *edge && *edge < period.to).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut owners: Vec<(Span, Option<&Account>)> = Vec::with_capacity(cuts.len() + 1);
        let mut from = period.from;
        for to in cuts.into_iter().chain([period.to]).filter(|to| period.from < *to) {
            let claim = claims().find(|claim| claim.validity.holds(from));
            let owner = claim.and_then(|claim| self.accounts.get(&claim.account));
            match owners.last_mut() {
                Some((span, last)) if last.map(|last| &last.id) == owner.map(|owner| &owner.id) => span.to = to,
                _ => owners.push((Span { from, to }, owner)),
            }
            from = to;
        }
        owners
    }

    pub(super) fn layers(&self, place: &Whereabouts<'_>) -> Vec<(Rank, &Claims)> {
        self.index.layers(place)
    }
}
