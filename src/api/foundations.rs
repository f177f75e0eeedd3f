//! A foundation, as programs read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::row::{Tabular, or_empty};
use crate::domain::Timestamp;
use crate::store::{OnboardingStage, Store, StoreError};

/// A Cloud Foundry installation of the book or of the configuration, and what holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Foundation {
    pub foundation: String,
    /// `live`, `held`, `imported`, `not begun`, or the stage of its onboarding.
    pub state: &'static str,
    /// Billing begins here; null: it hasn't begun.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub billing_epoch: Option<Timestamp>,
    /// Usage is complete up to here.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub known_until: Option<Timestamp>,
    /// Address of the Cloud Controller that the book is of.
    #[schema(required)]
    pub api: Option<String>,
    /// Of its UAA.
    #[schema(required)]
    pub issuer: Option<String>,
    /// Nothing is collected since then.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub held_since: Option<Timestamp>,
    #[schema(required)]
    pub held_reason: Option<String>,
    #[schema(required)]
    pub held_detail: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub adopted_at: Option<Timestamp>,
    #[schema(required)]
    pub adopted_by: Option<String>,
}

/// Foundations of the book and those that are configured, by name.
///
/// # Errors
/// [`StoreError`].
pub async fn foundations(store: &Store, configured: &[String]) -> Result<Vec<Foundation>, StoreError> {
    let mut foundations = Vec::new();
    for head in store.foundations().await? {
        let pin = store.pin(&head).await?;
        let onboarding = store.onboarding(&head).await?;
        let held = pin.as_ref().and_then(|pin| pin.held.as_ref());
        let state = match &onboarding {
            _ if held.is_some() => "held",
            _ if head.last_sequence > 0 && !head.collected => "imported",
            None => "not begun",
            Some(onboarding) if onboarding.stage == OnboardingStage::Complete => "live",
            Some(onboarding) => onboarding.stage.name(),
        };
        foundations.push(Foundation {
            state,
            billing_epoch: head.current_settings().billing_epoch,
            known_until: head.known_until,
            api: pin.as_ref().and_then(|pin| pin.api.clone()),
            issuer: pin.as_ref().and_then(|pin| pin.issuer.clone()),
            held_since: held.map(|held| held.since),
            held_reason: held.map(|held| held.reason.clone()),
            held_detail: held.map(|held| held.detail.clone()),
            adopted_at: pin.as_ref().and_then(|pin| pin.adopted_at),
            adopted_by: pin.as_ref().and_then(|pin| pin.adopted_by.clone()),
            foundation: head.name,
        });
    }
    for name in configured {
        if !foundations.iter().any(|known| known.foundation == *name) {
            foundations.push(Foundation {
                foundation: name.clone(),
                state: "not begun",
                billing_epoch: None,
                known_until: None,
                api: None,
                issuer: None,
                held_since: None,
                held_reason: None,
                held_detail: None,
                adopted_at: None,
                adopted_by: None,
            });
        }
    }
    foundations.sort_by(|one, other| one.foundation.cmp(&other.foundation));
    Ok(foundations)
}

impl Tabular for Foundation {
    const HEADER: &'static [&'static str] = &[
        "foundation",
        "state",
        "billing_epoch",
        "known_until",
        "api",
        "held_since",
        "held_reason",
        "adopted_at",
        "adopted_by",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.foundation.clone(),
            self.state.to_owned(),
            or_empty(self.billing_epoch),
            or_empty(self.known_until),
            or_empty(self.api.as_ref()),
            or_empty(self.held_since),
            or_empty(self.held_reason.as_ref()),
            or_empty(self.adopted_at),
            or_empty(self.adopted_by.as_ref()),
        ]
    }
}
