//! Who a bearer token is of, and who signs in: what issuers vouch for, and what Cloud Controller's roles open to them. Owns
//! issuers' keys and the roles that were read; stores, logs and hands on no token.

mod keys;
mod ring;
mod roles;
mod sign_in;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use crate::access::{Caller, Claims, Issuer, NotTaken, OF_CLOUD_CONTROLLER, Person, Reach, Role, Theirs};
use crate::accounts::Accounts;
use crate::billing_run::{self, BillingError};
use crate::clock::Clock;
use crate::cloud_controller::Client;
use crate::cloud_controller::transport::{Http, Limits, SetupError, Transport};
use crate::config::{Configuration, SignInClient};
use crate::domain::text::visible;
use crate::store::{Store, StoreError};
use keys::{IssuerKeys, NoKey};
use roles::{FoundationRoles, NoRoles};
pub use sign_in::{BegunSignIn, SIGN_IN_SECONDS};

/// Whoever is asked about people and doesn't answer holds a request up no longer.
pub const LIMITS: Limits = Limits { silence: Duration::from_secs(5), whole: Duration::from_secs(10) };
/// Clocks may differ by so much, in seconds.
const LEEWAY: u64 = 60;

/// Why it isn't known who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// The token is none of an issuer's; it may be something else.
    #[error(
        "the token isn't known\nhint: use one that a [[token]] of the configuration has, or an access token of an [[issuer]]"
    )]
    NotOfIssuer,
    /// It isn't good.
    #[error("{0}")]
    Refused(String),
    /// It can't be found out now. What is wrong is for whoever runs the daemon.
    #[error("{told}")]
    Away { told: &'static str, why: String },
}

impl From<NotTaken> for Unproven {
    fn from(not: NotTaken) -> Self {
        Self::Refused(not.to_string())
    }
}

/// Issuers and foundations that are asked about people.
#[derive(Debug, Default)]
pub struct Identities {
    issuers: Vec<Known>,
    foundations: BTreeMap<String, FoundationRoles>,
    /// As they were read last, and of which time and size their file was.
    accounts: Mutex<Option<(Option<FileState>, Arc<Accounts>)>>,
}

/// Time and size of a file.
type FileState = (SystemTime, u64);

#[derive(Debug)]
struct Known {
    issuer: Issuer,
    keys: IssuerKeys,
    client: Option<SignInClient>,
    clock: Clock,
    asked: sign_in::Asked,
}

#[derive(Deserialize)]
struct OfIssuer {
    iss: String,
}

impl Identities {
    /// Of the configured issuers; nothing is sent yet. Foundations that they speak for are asked by these clients, which are
    /// nobody else's.
    ///
    /// # Errors
    /// What of which issuer can't be used.
    pub fn new(configuration: &Configuration, clients: Vec<(String, Client)>, clock: &Clock) -> Result<Self, String> {
        let over = |ca_file: Option<&Path>| -> Result<Transport, SetupError> {
            Ok(Arc::new(Http::with_limits(ca_file, LIMITS)?))
        };
        ring::install();
        let known = configuration.issuers.iter().map(|trusted| {
            let issuer = trusted.issuer.clone();
            let transport = over(trusted.ca_file.as_deref());
            let transport = transport.map_err(|error| format!("issuer `{}`: {error}", issuer.name))?;
            let keys = IssuerKeys::new(issuer.issuer.clone(), transport, clock.clone());
            Ok(Known {
                keys,
                issuer,
                client: trusted.client.clone(),
                clock: clock.clone(),
                asked: sign_in::Asked::default(),
            })
        });
        let issuers = known.collect::<Result<_, String>>()?;
        let foundations = clients.into_iter().map(|(name, client)| {
            let roles = FoundationRoles::new(&name, client, clock.clone(), configuration.http.roles_every);
            (name, roles)
        });
        Ok(Self { issuers, foundations: foundations.collect(), accounts: Mutex::default() })
    }

    /// Asks an issuer for its keys; tells how many there are.
    ///
    /// # Errors
    /// Why it can't be used.
    pub async fn try_issuer(&self, name: &str) -> Result<usize, String> {
        match self.issuers.iter().find(|known| known.issuer.name == name) {
            Some(known) => known.keys.ask().await.map(|keys| keys.keys.len()),
            None => Err(format!("no issuer `{name}` is configured")),
        }
    }

    /// Whose token that is.
    ///
    /// # Errors
    /// [`Unproven`].
    pub async fn caller(&self, token: &str) -> Result<Caller, Unproven> {
        // Without an algorithm that is known, as with `none`, there is no header.
        let (Ok(_), Ok(OfIssuer { iss })) =
            (decode_header(token), jsonwebtoken::dangerous::insecure_decode_claims(token))
        else {
            return Err(Unproven::NotOfIssuer);
        };
        let Some(known) = self.issuers.iter().find(|known| known.issuer.issuer == iss) else {
            return Err(Unproven::Refused(format!(
                "the token is of the issuer `{}`, which isn't configured\nhint: add an [[issuer]], if it is yours",
                visible(&iss)
            )));
        };
        Ok(known.caller(token).await?.0)
    }

    /// Somebody whom an issuer vouched for before, with a role that it gave; `None`: it may no longer.
    #[must_use]
    pub fn again(&self, person: &Person, role: Role, trust: &str) -> Option<Caller> {
        let known = self.issuers.iter().find(|known| known.issuer.name == person.issuer)?;
        known.issuer.again(person.clone(), role, trust)
    }

    /// Looks up what is a person's: accounts that name them, and what their roles in Cloud Controller open.
    ///
    /// # Errors
    /// [`Unproven`].
    pub async fn look_up(
        &self,
        person: &Person,
        configuration: &Configuration,
        store: &Store,
    ) -> Result<LookedUp, Unproven> {
        let Some(known) = self.issuers.iter().find(|known| known.issuer.name == person.issuer) else {
            return Err(Unproven::NotOfIssuer);
        };
        let accounts = self
            .accounts(configuration)
            .map_err(|error| Unproven::Away { told: "the accounts file can't be read now", why: error.to_string() })?;
        let mut reach = Vec::new();
        for foundation in &known.issuer.foundations {
            let Some(roles) = self.foundations.get(foundation) else { continue };
            let read = roles.reach(person, known.issuer.whole_to_billing_managers, store).await;
            reach.push(read.map_err(|no| {
                match no {
                    NoRoles::IsAUser => Unproven::Refused(
                        "the client has the id of a user\nhint: ask whoever runs the foundation to rename the client"
                            .to_owned(),
                    ),
                    NoRoles::Away(why) => Unproven::Away { told: "Cloud Controller can't be asked now", why },
                    NoRoles::TooOften => Unproven::Away {
                        told: "Cloud Controller can't be asked now",
                        why: format!("`{foundation}` was asked for roles as often as may be"),
                    },
                }
            })?);
        }
        let named = accounts.all().filter(|account| account.people.iter().any(|name| person.is_named(name)));
        let named = named.map(|account| account.id.clone()).collect();
        Ok(LookedUp { named, reach, accounts })
    }

    /// The accounts file, read again once it is another.
    fn accounts(&self, configuration: &Configuration) -> Result<Arc<Accounts>, BillingError> {
        let state = |file: &std::path::PathBuf| -> Option<FileState> {
            let file = std::fs::metadata(file).ok()?;
            Some((file.modified().ok()?, file.len()))
        };
        let now = configuration.billing.accounts.as_ref().and_then(state);
        let mut kept = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, accounts)) = &*kept
            && now.is_some()
            && *then == now
        {
            return Ok(accounts.clone());
        }
        let (_, accounts) = kept.insert((now, Arc::new(billing_run::accounts(configuration)?)));
        Ok(accounts.clone())
    }
}

impl Known {
    /// Whose access token that is, and its claims.
    async fn caller(&self, token: &str) -> Result<(Caller, Claims), Unproven> {
        let cli = self.issuer.cf_cli.then_some(OF_CLOUD_CONTROLLER);
        let audiences = [&[self.issuer.audience.as_str()][..], cli.as_slice()].concat();
        let (claims, kind) = self.claims(token, &audiences).await?;
        Ok((self.issuer.caller(&claims, kind.as_deref())?, claims))
    }

    /// The claims of a token that the issuer signed for one of these audiences, and the type in its header.
    async fn claims(&self, token: &str, audiences: &[&str]) -> Result<(Claims, Option<String>), Unproven> {
        let refused = |told: String| Unproven::Refused(told);
        let Ok(header) = decode_header(token) else { return Err(Unproven::NotOfIssuer) };
        if !ring::ALGORITHMS.contains(&header.alg) {
            let told = format!(
                "the token is signed by {:?}, with a secret that others know\nhint: have the provider sign by RS256 or ES256",
                header.alg
            );
            return Err(refused(told));
        }
        if header.crit.is_some() {
            let told =
                "the token has a critical header that isn't known here\nhint: have the provider leave `crit` out";
            return Err(refused(told.to_owned()));
        }
        let key = self.keys.find(header.kid.as_deref()).await.map_err(|no| match no {
            NoKey::Unknown => refused(format!(
                "the token is signed by a key that `{}` doesn't have\nhint: ask the provider for a new token",
                self.issuer.name
            )),
            NoKey::Away(why) => Unproven::Away { told: "the issuer of the token can't be asked for its keys now", why },
        })?;
        let named = key.common.key_algorithm.map(|algorithm| algorithm.to_string());
        let unfit = || refused("the token's signature isn't valid\nhint: ask the provider for a new token".to_owned());
        if named.is_some_and(|named| named != format!("{:?}", header.alg)) {
            return Err(unfit());
        }
        let key = DecodingKey::from_jwk(&key).map_err(|_| unfit())?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_audience(audiences);
        match decode::<Claims>(token, &key, &validation) {
            Ok(decoded) => Ok((decoded.claims, decoded.header.typ)),
            Err(error) => Err(refused(why(error.kind(), &self.issuer))),
        }
    }
}

/// What was looked up of a person, without the book.
#[derive(Debug)]
pub struct LookedUp {
    named: BTreeSet<String>,
    pub reach: Vec<Reach>,
    accounts: Arc<Accounts>,
}

impl LookedUp {
    /// What of the book is theirs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn theirs(self, store: &Store) -> Result<Theirs, StoreError> {
        let payers = billing_run::organization_payers(store, &self.accounts, &self.reach).await?;
        Ok(Theirs { accounts: self.named, reach: self.reach, payers })
    }
}

fn why(kind: &jsonwebtoken::errors::ErrorKind, issuer: &Issuer) -> String {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::ExpiredSignature => "the token has expired\nhint: ask the provider for a new one".to_owned(),
        ErrorKind::ImmatureSignature => {
            "the token isn't valid yet\nhint: compare the clocks of this machine and the provider's".to_owned()
        }
        ErrorKind::InvalidAudience | ErrorKind::InvalidIssuer => format!(
            "the token isn't for `{0}`\nhint: ask the provider for a token with the audience `{0}`",
            issuer.audience
        ),
        ErrorKind::MissingRequiredClaim(claim) => {
            format!("the token has no `{claim}`\nhint: ask the provider for an access token")
        }
        ErrorKind::InvalidClaimFormat(claim) => {
            format!("the token's `{claim}` isn't valid\nhint: ask the provider for a new token")
        }
        _ => "the token's signature isn't valid\nhint: ask the provider for a new token".to_owned(),
    }
}
