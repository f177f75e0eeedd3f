//! Whether what answers is the foundation that the book knows. Another one under its address would look like one in which
//! everything had ended; so before anything is taken for ended or lost there must be evidence that it is the same.
//! Owns what counts as evidence; never decides what was lost.

use std::collections::BTreeMap;

use super::collector::{CollectError, Collector};
use super::held::Held;
use super::recover::Checkpoint;
use crate::cloud_controller::GUIDS_PER_REQUEST;
use crate::domain::{EventId, Guid, Stream};
use crate::store::{Hold, KnownGuids, Pin};

/// What was found of what the book knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The last event that was read of a stream.
    Checkpoint(Stream),
    /// One of its guids, of such things.
    Guids(&'static str),
    /// None of so many guids.
    Missing(usize),
    /// The book knows nothing that could be there.
    NothingKnown,
}

/// What is to be said of a foundation, and why.
#[derive(Clone, Debug)]
pub struct Judged {
    pub pin: Option<Pin>,
    /// `None` where the address alone decided.
    pub evidence: Option<Evidence>,
    pub held: Option<Held>,
}

impl Collector {
    /// The configured address, as it is compared with the one that is pinned.
    #[must_use]
    pub fn api(&self) -> String {
        self.client.api()
    }

    /// Makes sure once after each start that this is the foundation that the book knows.
    pub(super) async fn recognise(&mut self) -> Result<(), CollectError> {
        if self.recognised { Ok(()) } else { self.make_sure().await }
    }

    /// Makes sure that this is the foundation that the book knows; keeps from where it is collected. What isn't found for
    /// want of an answer decides nothing.
    pub(super) async fn make_sure(&mut self) -> Result<(), CollectError> {
        self.recognised = false;
        let Judged { pin, evidence, held } = self.judge().await?;
        if let Some(held) = held {
            let hold = Hold { since: self.clock.now(), reason: held.reason().to_owned(), detail: held.to_string() };
            let stored = pin.and_then(|pin| pin.held);
            if stored.is_none_or(|stored| stored.detail != hold.detail) {
                self.store.hold_foundation(&self.head, &hold).await?;
            }
            self.reporter.metrics.held(Some(held.reason()));
            return Err(CollectError::Held(held));
        }
        let another = matches!(evidence, Some(Evidence::Missing(_)));
        self.keep_pin(pin, another).await?;
        self.reporter.metrics.held(None);
        self.recognised = true;
        Ok(())
    }

    /// What is to be said of the foundation that answers. Changes nothing.
    ///
    /// # Errors
    /// [`CollectError`]: where something can't be asked, nothing is said.
    pub async fn judge(&self) -> Result<Judged, CollectError> {
        let pin = self.store.pin(&self.head).await?;
        let known = self.known().await?;
        if let Some(held) = self.moved(pin.as_ref(), &known) {
            return Ok(Judged { pin, evidence: None, held: Some(held) });
        }
        let configured = self.client.api();
        let evidence = self.evidence(&known).await?;
        let held = match evidence {
            Evidence::Missing(asked) if !pin.as_ref().is_some_and(|pin| pin.adopting) => {
                Some(Held::NotRecognised { foundation: self.head.name.clone(), api: configured, asked })
            }
            _ => None,
        };
        Ok(Judged { pin, evidence: Some(evidence), held })
    }

    /// Whether it is configured elsewhere than where it was collected from. Asks for nothing.
    ///
    /// # Errors
    /// [`CollectError::Store`].
    pub async fn is_moved(&self) -> Result<Option<Held>, CollectError> {
        Ok(self.moved(self.store.pin(&self.head).await?.as_ref(), &self.known().await?))
    }

    fn moved(&self, pin: Option<&Pin>, known: &KnownGuids) -> Option<Held> {
        let (pinned, configured) = (pin?.api.clone()?, self.client.api());
        let moved = pinned != configured && !known.is_empty();
        moved.then(|| Held::ApiChanged { foundation: self.head.name.clone(), pinned, configured })
    }

    async fn known(&self) -> Result<KnownGuids, CollectError> {
        if self.head.last_sequence == 0 {
            return Ok(KnownGuids::default());
        }
        Ok(self.store.known_guids(&self.head).await?)
    }

    /// Looks for what the book knows: the last event of either stream, else anything that has a guid. A purge takes the
    /// events and leaves the rest; so does a restored database with all but the newest.
    ///
    /// # Errors
    /// [`CollectError::ScopeLost`] if nothing at all is shown.
    pub async fn evidence(&self, known: &KnownGuids) -> Result<Evidence, CollectError> {
        let mut hidden: Option<(Stream, EventId)> = None;
        for stream in Stream::ALL {
            let Some(checkpoint) = &self.head.stream(stream).checkpoint else { continue };
            match self.look_for(stream, checkpoint).await? {
                Checkpoint::There => return Ok(Evidence::Checkpoint(stream)),
                Checkpoint::Nothing => hidden = Some((stream, checkpoint.clone())),
                Checkpoint::Gone | Checkpoint::Another => {}
            }
        }
        if known.is_empty() {
            return Ok(Evidence::NothingKnown);
        }
        let client = &self.client;
        let chunks =
            |guids: &[Guid]| -> Vec<Vec<Guid>> { guids.chunks(GUIDS_PER_REQUEST).map(<[Guid]>::to_vec).collect() };
        for guids in chunks(&known.organizations) {
            if !self.ask(client.organizations(&guids)).await?.is_empty() {
                return Ok(Evidence::Guids("organizations"));
            }
        }
        for guids in chunks(&known.spaces) {
            if !self.ask(client.spaces(&guids)).await?.is_empty() {
                return Ok(Evidence::Guids("spaces"));
            }
        }
        for guids in chunks(&known.services) {
            if !self.ask(client.service_instances(&guids)).await?.value.is_empty() {
                return Ok(Evidence::Guids("service instances"));
            }
        }
        for guids in chunks(&known.processes) {
            if !self.ask(client.processes(&guids)).await?.value.is_empty() {
                return Ok(Evidence::Guids("processes"));
            }
        }
        for guids in chunks(&known.tasks) {
            if !self.ask(client.tasks(&guids)).await?.value.is_empty() {
                return Ok(Evidence::Guids("tasks"));
            }
        }
        match hidden {
            // Who sees no event at all may see nothing else either.
            Some((stream, checkpoint)) => Err(self.scope_lost(stream, &checkpoint).await),
            None => Ok(Evidence::Missing(known.len())),
        }
    }

    /// Keeps from where the foundation is collected, if that is new. `another`: somebody said that another foundation takes
    /// its place.
    async fn keep_pin(&self, pin: Option<Pin>, another: bool) -> Result<(), CollectError> {
        let api = self.client.api();
        let links: BTreeMap<String, String> = self.ask(self.client.endpoints()).await?.links;
        let issuer = self.ask(self.client.token()).await?.issuer();
        let text = serde_json::to_string(&links).ok();
        let foundation = &self.head.name;
        if let Some(pin) = &pin {
            let settled = pin.held.is_none() && !pin.adopting;
            if settled && pin.api.as_ref() == Some(&api) && pin.issuer == issuer && pin.links == text {
                return Ok(());
            }
            if pin.issuer != issuer && pin.issuer.is_some() {
                let (before, now) = (pin.issuer.as_deref(), issuer.as_deref());
                tracing::info!(%foundation, before, now, "tokens have another issuer; it is the same foundation");
            }
            let before: Option<BTreeMap<String, String>> =
                pin.links.as_deref().and_then(|text| serde_json::from_str(text).ok());
            if let Some(before) = before.filter(|before| *before != links) {
                let changed = before.keys().chain(links.keys()).filter(|name| before.get(*name) != links.get(*name));
                let mut changed: Vec<&str> = changed.map(String::as_str).collect();
                changed.sort_unstable();
                changed.dedup();
                tracing::info!(%foundation, changed = changed.join(", "), "its API points elsewhere; it is the same foundation");
            }
            if pin.adopting {
                tracing::warn!(
                    %foundation, api, by = pin.adopted_by.as_deref(), another,
                    "adopted: it is collected from here from now on"
                );
            } else if pin.held.is_some() {
                tracing::info!(%foundation, api, "it is the foundation in the book again");
            }
        }
        let pinned = (api.as_str(), issuer.as_deref(), text.as_deref());
        Ok(self.store.put_pin(&self.head, pinned, self.clock.now(), another).await?)
    }
}
