//! `[[issuer]]`: `OpenID` providers whose tokens are taken, each with what it may vouch for.

use std::collections::BTreeSet;
use std::path::PathBuf;

use url::Url;

use super::foundation::name;
use super::http::is_loopback;
use super::secret::{Secret, secret};
use crate::access::{Issuer, OF_CLOUD_CONTROLLER, Role};
use crate::domain::codes::Wrong;
use crate::domain::text::did_you_mean;
use crate::keyed::{Key, Keyed, Problem, Takes, key};

/// `[[issuer]]`, and how it is reached.
#[derive(Clone, Debug)]
pub struct TrustedIssuer {
    pub issuer: Issuer,
    pub ca_file: Option<PathBuf>,
    /// How people sign in there; `None`: they can't.
    pub client: Option<SignInClient>,
}

/// The client that the daemon is for a provider at which people sign in.
#[derive(Clone, Debug)]
pub struct SignInClient {
    pub id: String,
    pub secret: Secret,
    /// What is asked for; `openid` is among them.
    pub scopes: Vec<String>,
}

const AUDIENCE: &str = "cf_billing";
const CLAIM: &str = "scope";
const REFUSED: &str = "refused";
const AS_TENANTS: &str = "tenants";
const BY_APP: &str = "by_app";
const AS_ONE_SUM: &str = "sum";
/// Roles that an issuer can grant, and their keys.
const GRANTS: [Role; 3] = [Role::Provider, Role::Finance, Role::Sre];

pub(super) fn keys() -> Vec<Key> {
    vec![
        key("name", Takes::Form("text"), "Names it in logs and in the accounts file: letters, digits, `-`, `_`, `.`")
            .required(),
        key(
            "issuer",
            Takes::Form("URL"),
            "Its tokens' `iss`, letter for letter. UAA's ends in `/oauth/token`: `https://uaa.SYSTEM-DOMAIN/oauth/token`. Its keys are found through `/.well-known/openid-configuration` below it",
        )
        .required(),
        key(
            "foundations",
            Takes::Form("names"),
            "Foundations whose UAA it is, with commas between them: its users see there what their Cloud Controller roles let them see. Left out: of none; its users see accounts that name them",
        ),
        key("audience", Takes::Form("text"), "The `aud` that tokens must have. UAA makes it of scopes `cf_billing.*`")
            .or(AUDIENCE),
        key("zone", Takes::Form("text"), "UAA's identity zone, the `zid` that tokens must have. Left out: any"),
        key("claim", Takes::Form("text"), "The claim that lists what a token grants, such as `groups`").or(CLAIM),
        key(
            "provider",
            Takes::Form("text"),
            "The scope (or group) that grants the role `provider`. Only for an issuer that speaks for all foundations, or for none",
        ),
        key("finance", Takes::Form("text"), "The scope that grants the role `finance`; under the same condition"),
        key(
            "sre",
            Takes::Form("text"),
            "The scope that grants the role `sre`, for the foundations that the issuer speaks for; for all where it speaks for none",
        ),
        key(
            "cf_cli",
            Takes::Choice(&[REFUSED, AS_TENANTS]),
            "`tenants`: also take what `cf oauth-token` prints, which is for Cloud Controller; never for a staff role. Whoever is given such a token can do all that its user can do in Cloud Controller",
        )
        .or(REFUSED),
        key(
            "billing_managers",
            Takes::Choice(&[BY_APP, AS_ONE_SUM]),
            "What billing managers of an organization see of it: its cost by space and app, though Cloud Controller doesn't show them those; or one sum",
        )
        .or(BY_APP),
        key(
            "client_id",
            Takes::Form("text"),
            "The client that the daemon is there, for people who sign in to its pages. Its redirect URI is `PUBLIC-URL/sign-in/NAME/callback`. Left out: nobody signs in there",
        ),
        key("client_secret", Takes::Secret, "The secret of `client_id`"),
        key(
            "scopes",
            Takes::Form("scopes"),
            "What a sign-in asks for, with spaces between: `openid`, and what makes the access token one for `audience`, such as `cf_billing.read`",
        )
        .or("openid"),
        key(
            "ca_file",
            Takes::Form("path"),
            "PEM file of the certificate authority to trust instead of the system's",
        ),
    ]
}

/// The address of an issuer, as it is written: a slash more is another issuer.
fn issuer(text: &str) -> Result<String, Wrong> {
    let form = "write it as its tokens have it, such as https://uaa.example.org/oauth/token";
    let url: Url = text.parse().map_err(|error| Wrong::new(format!("`{text}` is not a URL: {error}"), form))?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        let form = "use https: whoever is in between could give keys of their own";
        return Err(Wrong::new(format!("`{text}` isn't https"), form));
    }
    // What is read otherwise than it is written is never what tokens have.
    if text != url.as_str() && format!("{text}/") != url.as_str() {
        let form = format!("write it as {}", url.as_str().trim_end_matches('/'));
        return Err(Wrong::new(format!("`{text}` isn't written as an address is"), &form));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new("an issuer has no user, query or fragment".to_owned(), form));
    }
    Ok(text.to_owned())
}

/// One word, without spaces: what a token lists.
fn one(text: &str) -> Result<String, Wrong> {
    if text.trim() == text && !text.is_empty() && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{text}` can't be in a token"), "write it as the token has it"))
}

/// Scopes of a sign-in; without `openid` nobody is told who it was.
fn scopes(text: &str) -> Result<Vec<String>, Wrong> {
    let scopes: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if scopes.iter().any(|scope| scope == "openid") {
        return Ok(scopes);
    }
    Err(Wrong::new(format!("`{text}` doesn't have the scope `openid`"), "write it first: openid cf_billing.read"))
}

fn names(text: &str) -> Result<BTreeSet<String>, Wrong> {
    text.split(',').map(|one| name(one.trim())).map(|read| read.and_then(not_empty)).collect()
}

fn not_empty(name: String) -> Result<String, Wrong> {
    if name.is_empty() {
        Err(Wrong::new("a name is empty".to_owned(), "write names with commas between them"))
    } else {
        Ok(name)
    }
}

/// An issuer, with these foundations configured; `None` if something of it is wrong, which is noted.
pub(super) fn read(section: &Keyed<'_>, configured: &[String], warnings: &mut Vec<Problem>) -> Option<TrustedIssuer> {
    let optional = |key: &str| -> Option<Option<String>> {
        if section.has(key) { section.form(key, one).map(Some) } else { Some(None) }
    };
    let (name, issuer) = (section.form("name", name), section.form("issuer", issuer));
    let (audience, claim) = (section.form("audience", one), section.form("claim", one));
    let zone = optional("zone");
    let foundations =
        if section.has("foundations") { section.form("foundations", names) } else { Some(BTreeSet::new()) };
    let (cf_cli, billing_managers) = (section.word("cf_cli"), section.word("billing_managers"));
    let ca_file = section.path("ca_file");
    let client = client(section, warnings);
    let mut grants = Vec::new();
    for role in GRANTS {
        grants.extend(optional(role.name())?.map(|scope| (role, scope)));
    }
    let foundations = foundations?;
    for unknown in foundations.iter().filter(|name| !configured.contains(name)) {
        let hint = did_you_mean(unknown, configured.iter().map(String::as_str))
            .unwrap_or_else(|| "name foundations of this file".to_owned());
        section.error("foundations", format!("no foundation `{unknown}` is configured"), hint);
    }
    if !foundations.is_empty() && !configured.iter().all(|name| foundations.contains(name)) {
        for (role, _) in grants.iter().filter(|(role, _)| *role != Role::Sre) {
            let told = format!(
                "`{role}` is a role over everything, and this issuer speaks for {} alone",
                foundations.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            );
            section.error(role.name(), told, "leave it out; use a provider that is no foundation's, or a [[token]]");
        }
    }
    if claim.as_deref() == Some(CLAIM) {
        for (role, scope) in grants.iter().filter(|(_, scope)| scope.contains(' ')) {
            let told = format!("`{scope}` is several scopes");
            section.error(role.name(), told, "write one; a name with spaces can be in a list of groups: set `claim`");
        }
    }
    for (role, scope) in &grants {
        if let Some((other, _)) = grants.iter().find(|(other, same)| same == scope && other < role) {
            let told = format!("`{scope}` grants both `{other}` and `{role}`");
            section.error(role.name(), told, "give each role a scope of its own");
        }
    }
    let (audience, cf_cli) = (audience?, cf_cli? == AS_TENANTS);
    if audience == OF_CLOUD_CONTROLLER {
        let told = "tokens for Cloud Controller can do more than read bills: they aren't taken as ours";
        section.error("audience", told, "leave it out, or set cf_cli = \"tenants\"");
        return None;
    }
    if cf_cli && foundations.is_empty() {
        let told = "tokens of the cf CLI are a UAA's, and this issuer speaks for no foundation";
        section.error("cf_cli", told, "set foundations, or leave it out");
        return None;
    }
    let issuer = Issuer {
        name: name?,
        issuer: issuer?,
        zone: zone?,
        audience,
        foundations,
        claim: claim?,
        grants,
        cf_cli,
        whole_to_billing_managers: billing_managers? == BY_APP,
    };
    Some(TrustedIssuer { issuer, ca_file, client })
}

/// The client of sign-ins, if there is one; what is wrong of it is noted.
fn client(section: &Keyed<'_>, warnings: &mut Vec<Problem>) -> Option<SignInClient> {
    let scopes = section.form("scopes", scopes);
    let has_secret = section.has("client_secret") || section.has("client_secret_file");
    match (section.has("client_id"), has_secret) {
        (true, true) => {
            let (id, secret) = (section.form("client_id", one), secret(section, "client_secret", warnings));
            Some(SignInClient { id: id?, secret: secret?, scopes: scopes? })
        }
        (false, true) => {
            section.missing("client_id");
            None
        }
        (true, false) => {
            section.missing("client_secret");
            None
        }
        (false, false) => None,
    }
}
