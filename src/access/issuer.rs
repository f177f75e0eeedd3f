//! Tokens of `OpenID` providers: whose each is and what it may do, once its signature is known to be right. Knows no network
//! and no cryptography.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Caller, Role};
use crate::domain::text::{hexadecimal, visible};

/// The claims of a token, as they are.
pub type Claims = Map<String, Value>;

/// The audience of tokens for Cloud Controller, which the cf CLI has.
pub const OF_CLOUD_CONTROLLER: &str = "cloud_controller";
/// The client that the cf CLI is.
const CF_CLI: &str = "cf";

/// `[[issuer]]`, as it is configured: an `OpenID` provider whose tokens are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    pub name: String,
    /// Its tokens' `iss`, letter for letter.
    pub issuer: String,
    /// UAA's identity zone, its tokens' `zid`.
    pub zone: Option<String>,
    /// For whom its tokens must be.
    pub audience: String,
    /// Foundations whose Cloud Controller knows its users.
    pub foundations: BTreeSet<String>,
    /// The claim in which what it grants is listed.
    pub claim: String,
    /// What grants each role; roles that aren't listed it can't grant.
    pub grants: Vec<(Role, String)>,
    /// Tokens of the cf CLI are taken, too.
    pub cf_cli: bool,
    /// Billing managers see organizations by space and app.
    pub whole_to_billing_managers: bool,
}

/// Somebody whom an issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Person {
    /// The issuer's configured name.
    pub issuer: String,
    /// Of a UAA the user's guid, or the client's id, as Cloud Controller has it; else the `sub`.
    pub subject: String,
    /// It is a program.
    pub is_client: bool,
}

/// Stands before a client's id, which may be chosen to be like a user's guid.
const CLIENT: &str = "client/";

impl Person {
    /// Whether an account that names somebody so means this person.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        (self.is_client || !self.subject.starts_with(CLIENT)) && name == self.to_string()
    }
}

/// `ISSUER/SUB`; of a client `ISSUER/client/ID`.
impl fmt::Display for Person {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}{}", self.issuer, if self.is_client { CLIENT } else { "" }, self.subject)
    }
}

/// Why a token isn't taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error(
        "the token isn't an access token: {0}\nhint: send the `access_token` that the provider gave, for this audience"
    )]
    NotAccess(&'static str),
    #[error(
        "the token is for `{given}`, and not for `{wanted}`\nhint: ask the provider for a token with the audience `{wanted}`"
    )]
    OtherAudience { given: String, wanted: String },
    #[error("the token is of another identity zone\nhint: sign in at the zone of issuer `{0}`")]
    OtherZone(String),
    #[error("the sign-in can't be trusted: {0}\nhint: sign in again")]
    NotSignedIn(&'static str),
    #[error("the token names nobody: it has no `{0}`\nhint: ask the provider for a token of a user or client")]
    Nobody(&'static str),
}

fn word<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A claim that is a list, or words with spaces between them.
fn words<'c>(claims: &'c Claims, name: &str) -> Vec<&'c str> {
    match claims.get(name) {
        Some(Value::String(text)) => text.split_whitespace().collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The audiences: one, or a list.
fn audiences(claims: &Claims) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A name for people is no longer.
const LONGEST_NAME: usize = 100;

/// By which people know somebody, as an ID token says: UAA's user name, or `OpenID`'s.
#[must_use]
pub fn shown_name(claims: &Claims) -> Option<String> {
    let name = ["user_name", "preferred_username", "email", "name"].into_iter().find_map(|name| word(claims, name))?;
    Some(visible(name).chars().take(LONGEST_NAME).collect())
}

impl Issuer {
    /// Who has a token with these claims, and that type in its header, if its signature, issuer and times are right.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn caller(&self, claims: &Claims, header_type: Option<&str>) -> Result<Caller, NotTaken> {
        let client = ["cid", "client_id", "azp"].into_iter().find_map(|name| word(claims, name));
        let is_client = word(claims, "grant_type") == Some("client_credentials");
        if let Some(kind) = not_access(claims, header_type) {
            return Err(NotTaken::NotAccess(kind));
        }
        let audiences = audiences(claims);
        let is_for_us = audiences.contains(&self.audience.as_str());
        let is_cli = self.cf_cli && client == Some(CF_CLI) && audiences.contains(&OF_CLOUD_CONTROLLER);
        if !is_for_us && !is_cli {
            let given = audiences.join(", ");
            return Err(NotTaken::OtherAudience { given, wanted: self.audience.clone() });
        }
        // What a provider says of a sign-in is for the client that asked, and for nobody else.
        let is_of_another = client.is_some_and(|client| client != self.audience);
        if !is_client && !is_of_another && !lists_scopes(claims) && !is_of_rfc_9068(header_type) {
            return Err(NotTaken::NotAccess("nothing in it says that it is one, and ID tokens look like that"));
        }
        self.is_of_zone(claims)?;
        let person = Person { issuer: self.name.clone(), subject: self.subject(claims, is_client)?, is_client };
        let role = if is_for_us { self.granted(claims) } else { Role::Tenant };
        Ok(self.vouches_for(person, role))
    }

    /// Who signed in, by an ID token with these claims whose signature, issuer, audience and times are right; and by the access
    /// token that came with it, if that is one for us. Source: `OpenID` Connect Core 1.0, section 3.1.3.7.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn signed_in(
        &self,
        claims: &Claims,
        client: &str,
        nonce: &str,
        access: Option<Caller>,
    ) -> Result<Caller, NotTaken> {
        if word(claims, "nonce") != Some(nonce) {
            return Err(NotTaken::NotSignedIn("the provider's answer is to another question"));
        }
        let audiences = audiences(claims);
        let is_for_client = word(claims, "azp").is_none_or(|party| party == client);
        if !audiences.contains(&client) || !is_for_client || audiences.len() > 1 && word(claims, "azp").is_none() {
            return Err(NotTaken::NotSignedIn("the provider's answer is for another client"));
        }
        self.is_of_zone(claims)?;
        let Some(subject) = word(claims, "sub") else { return Err(NotTaken::Nobody("sub")) };
        match access {
            Some(caller) => {
                let is_same = caller.person.as_ref().is_some_and(|one| one.subject == subject && !one.is_client);
                if is_same { Ok(caller) } else { Err(NotTaken::NotSignedIn("it has the tokens of two people")) }
            }
            // Whether somebody may read bills here is said by a scope, which only an access token has.
            None if !self.foundations.is_empty() => Err(NotTaken::NotSignedIn(
                "the provider gave no access token for this: `scopes` must ask for one, and the user must have it",
            )),
            None => {
                let person = Person { issuer: self.name.clone(), subject: subject.to_owned(), is_client: false };
                Ok(self.vouches_for(person, self.granted(claims)))
            }
        }
    }

    /// What it is trusted with, as a digest: another provider of the same name, or other grants, have another.
    #[must_use]
    pub fn trust(&self) -> String {
        let Self { name, issuer, zone, audience, foundations, claim, grants, .. } = self;
        let said = serde_json::json!([name, issuer, zone, audience, foundations, claim, grants]);
        hexadecimal(&Sha256::digest(said.to_string()))
    }

    /// Somebody whom it vouched for before, with that role, when it was trusted with that; `None`: it is another by now.
    #[must_use]
    pub fn again(&self, person: Person, role: Role, trust: &str) -> Option<Caller> {
        (self.trust() == trust).then(|| self.vouches_for(person, role))
    }

    /// Whether a token is of the configured identity zone, if one is.
    fn is_of_zone(&self, claims: &Claims) -> Result<(), NotTaken> {
        match &self.zone {
            Some(zone) if word(claims, "zid") != Some(zone) => Err(NotTaken::OtherZone(self.name.clone())),
            _ => Ok(()),
        }
    }

    /// The widest role that a token's claims grant.
    fn granted(&self, claims: &Claims) -> Role {
        let granted = words(claims, &self.claim);
        let roles = self.grants.iter().filter(|(_, scope)| granted.contains(&scope.as_str()));
        roles.map(|(role, _)| *role).min().unwrap_or(Role::Tenant)
    }

    fn vouches_for(&self, person: Person, role: Role) -> Caller {
        Caller::vouched(person, role, Some(self.foundations.clone()).filter(|speaks_for| !speaks_for.is_empty()))
    }

    fn subject(&self, claims: &Claims, is_client: bool) -> Result<String, NotTaken> {
        let sub = word(claims, "sub");
        if self.foundations.is_empty() {
            return sub.map(str::to_owned).ok_or(NotTaken::Nobody("sub"));
        }
        let subject = match word(claims, "user_id") {
            Some(user) if sub.is_none_or(|sub| sub == user) => Some(user),
            None if is_client => word(claims, "client_id").or_else(|| word(claims, "cid")),
            _ => None,
        };
        subject.map(str::to_owned).ok_or(NotTaken::Nobody("user_id"))
    }
}

/// Scopes that ask for ID tokens and what is in them, and open nothing else.
const OF_SIGN_IN: [&str; 8] =
    ["openid", "profile", "email", "address", "phone", "offline_access", "roles", "user_attributes"];

/// Whether a token says that it opens something, as access tokens do; UAA's ID tokens list no scopes (`IdTokenCreator`), those of
/// earlier versions `openid` alone.
fn lists_scopes(claims: &Claims) -> bool {
    let scopes = ["scope", "scp"].into_iter().flat_map(|name| words(claims, name));
    word(claims, "typ") == Some("Bearer") || scopes.into_iter().any(|scope| !OF_SIGN_IN.contains(&scope))
}

/// Whether a token says by its type that it is an access token: RFC 9068, section 2.1.
fn is_of_rfc_9068(header_type: Option<&str>) -> bool {
    header_type.is_some_and(|one| one.eq_ignore_ascii_case("at+jwt") || one.eq_ignore_ascii_case("application/at+jwt"))
}

/// What a token is, if it isn't an access token.
fn not_access(claims: &Claims, header_type: Option<&str>) -> Option<&'static str> {
    if !header_type.is_none_or(|one| one.eq_ignore_ascii_case("JWT")) && !is_of_rfc_9068(header_type) {
        return Some("its header says that it is of another type");
    }
    if word(claims, "token_use").is_some_and(|used_as| used_as != "access") {
        return Some("it is an ID token");
    }
    // UAA's refresh tokens are signed by the same key.
    if word(claims, "jti").is_some_and(|id| id.ends_with("-r")) {
        return Some("it is a refresh token");
    }
    let hashes = ["at_hash", "c_hash", "s_hash"].iter().any(|name| claims.contains_key(*name));
    // UAA writes the nonce of a sign-in into the access token, too (UaaTokenServices).
    if hashes || claims.contains_key("nonce") && !lists_scopes(claims) {
        return Some("it is an ID token");
    }
    if claims.contains_key("events") {
        return Some("it is a logout token");
    }
    // Keycloak's word for it.
    match word(claims, "typ") {
        Some("ID") => Some("it is an ID token"),
        Some("Refresh" | "Offline") => Some("it is a refresh token"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{Issuer, NotTaken};
    use crate::access::Role;

    fn issuer() -> Issuer {
        Issuer {
            name: "eu1".to_owned(),
            issuer: "https://uaa.example.org/oauth/token".to_owned(),
            zone: Some("uaa".to_owned()),
            audience: "cf_billing".to_owned(),
            foundations: BTreeSet::from(["eu1".to_owned()]),
            claim: "scope".to_owned(),
            grants: vec![(Role::Sre, "cf_billing.sre".to_owned())],
            cf_cli: false,
            whole_to_billing_managers: true,
        }
    }

    /// A user's access token, as UAA makes it.
    fn users() -> Value {
        json!({
            "jti": "7a0e", "sub": "u1", "user_id": "u1", "user_name": "ada", "cid": "billing-web", "zid": "uaa",
            "aud": ["cf_billing", "openid"], "scope": ["cf_billing.read", "openid"], "grant_type": "authorization_code",
        })
    }

    fn with(changes: &Value) -> Value {
        let mut claims = users();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    fn taken(issuer: &Issuer, changes: &Value) -> Result<(String, Role), NotTaken> {
        let caller = issuer.caller(with(changes).as_object().unwrap(), Some("JWT"))?;
        Ok((caller.name.clone(), caller.role))
    }

    #[test]
    fn a_token_is_its_user_s_or_its_client_s() {
        let user = Ok(("eu1/u1".to_owned(), Role::Tenant));
        assert_eq!(taken(&issuer(), &json!({})), user);
        assert_eq!(taken(&issuer(), &json!({"sub": null})), user);
        let robot = json!({"user_id": null, "sub": "robot", "client_id": "robot", "cid": "robot", "grant_type": "client_credentials", "aud": ["robot", "cf_billing"]});
        assert_eq!(taken(&issuer(), &robot), Ok(("eu1/client/robot".to_owned(), Role::Tenant)));
        // Neither: nobody is meant, or two.
        for changes in [json!({"user_id": null}), json!({"sub": "u2"}), json!({"user_id": ""})] {
            assert_eq!(taken(&issuer(), &changes), Err(NotTaken::Nobody("user_id")), "{changes}");
        }
        // Where Cloud Controller doesn't know its users, they are known by `sub`, whatever else there is.
        let other = Issuer { foundations: BTreeSet::new(), zone: None, ..issuer() };
        assert_eq!(taken(&other, &json!({"sub": "s"})), Ok(("eu1/s".to_owned(), Role::Tenant)));
        assert_eq!(taken(&other, &json!({"sub": null})), Err(NotTaken::Nobody("sub")));
    }

    #[test]
    fn what_is_no_access_token_is_not_taken() {
        for changes in [
            json!({"jti": "7a0e-r"}),
            json!({"nonce": "n", "scope": null}),
            json!({"nonce": "n", "scope": ["openid"]}),
            json!({"at_hash": "h"}),
            json!({"typ": "ID"}),
            json!({"typ": "Refresh"}),
            json!({"events": {}}),
            json!({"aud": "cf_billing", "cid": "cf_billing", "scope": null}),
            json!({"aud": ["cf_billing"], "azp": "cf_billing", "cid": null, "scope": "openid profile"}),
        ] {
            assert!(matches!(taken(&issuer(), &changes), Err(NotTaken::NotAccess(_))), "{changes}");
        }
        for changes in [
            json!({"typ": "Bearer", "nonce": "n", "scope": "openid"}),
            json!({"nonce": "n"}),
            json!({"aud": ["cf_billing"], "cid": "cf_billing"}),
            json!({"scope": null, "scp": "access"}),
        ] {
            assert!(taken(&issuer(), &changes).is_ok(), "{changes}");
        }
        // A client of that name, asking for itself.
        let own = json!({"aud": ["cf_billing"], "cid": "cf_billing", "client_id": "cf_billing", "user_id": null, "sub": "cf_billing", "grant_type": "client_credentials"});
        assert!(taken(&issuer(), &own).is_ok());
    }

    /// Nothing of it says what it is: so may ID tokens look.
    #[test]
    fn an_access_token_shows_that_it_is_one() {
        let bare = json!({"cid": null, "scope": null, "grant_type": null});
        let claims = |changes: &Value| with(changes).as_object().unwrap().clone();
        let taken = |changes: &Value, header: Option<&str>| issuer().caller(&claims(changes), header).is_ok();
        assert!(!taken(&bare, Some("JWT")) && !taken(&bare, None));
        assert!(taken(&bare, Some("at+jwt")) && taken(&bare, Some("application/AT+JWT")));
        for sign in
            [json!({"azp": "another"}), json!({"scope": "read"}), json!({"typ": "Bearer"}), json!({"client_id": "c"})]
        {
            let mut changes = bare.clone();
            changes.as_object_mut().unwrap().extend(sign.as_object().unwrap().clone());
            assert!(taken(&changes, Some("jwt")) && taken(&changes, None), "{sign}");
        }
        for header in ["logout+jwt", "secevent+jwt", "id_token+jwt", "dpop+jwt", ""] {
            assert!(!taken(&json!({}), Some(header)), "{header}");
        }
        assert!(!taken(&json!({"token_use": "id"}), None) && taken(&json!({"token_use": "access"}), None));
    }

    /// Whoever may make a client gives it the guid of a user.
    #[test]
    fn an_account_that_names_a_user_means_no_client() {
        use super::Person;
        let person =
            |subject: &str, is_client| Person { issuer: "eu1".to_owned(), subject: subject.to_owned(), is_client };
        assert!(person("u1", false).is_named("eu1/u1") && person("robot", true).is_named("eu1/client/robot"));
        assert!(!person("u1", true).is_named("eu1/u1") && !person("client/robot", false).is_named("eu1/client/robot"));
        assert!(!person("u1", false).is_named("us1/u1") && !person("u1", false).is_named("eu1/U1"));
    }

    #[test]
    fn a_token_is_for_us_and_of_its_zone() {
        for aud in [json!(["cloud_controller"]), json!("cf_billin"), json!([]), Value::Null, json!(["CF_BILLING"])] {
            assert!(matches!(taken(&issuer(), &json!({"aud": aud})), Err(NotTaken::OtherAudience { .. })), "{aud}");
        }
        for zid in [json!("other"), Value::Null] {
            assert!(matches!(taken(&issuer(), &json!({"zid": zid})), Err(NotTaken::OtherZone(_))), "{zid}");
        }
    }

    #[test]
    fn the_cf_cli_s_tokens_are_taken_if_that_is_configured_and_only_as_tenants() {
        let cli = json!({"cid": "cf", "aud": ["cloud_controller", "cf"], "scope": ["cloud_controller.read", "cf_billing.sre"]});
        assert!(matches!(taken(&issuer(), &cli), Err(NotTaken::OtherAudience { .. })));
        let takes = Issuer { cf_cli: true, ..issuer() };
        assert_eq!(taken(&takes, &cli), Ok(("eu1/u1".to_owned(), Role::Tenant)));
        let other = json!({"cid": "other", "aud": ["cloud_controller"]});
        assert!(matches!(taken(&takes, &other), Err(NotTaken::OtherAudience { .. })));
    }

    #[test]
    fn scopes_grant_the_roles_that_the_issuer_may_grant() {
        let scope = |scope: Value| json!({ "scope": scope });
        assert_eq!(taken(&issuer(), &scope(json!(["cf_billing.sre"]))).unwrap().1, Role::Sre);
        assert_eq!(taken(&issuer(), &scope(json!("openid cf_billing.sre"))).unwrap().1, Role::Sre);
        for other in [json!(["cf_billing.provider"]), json!("cf_billing.sre.x"), json!({"cf_billing.sre": true})] {
            assert_eq!(taken(&issuer(), &scope(other.clone())).unwrap().1, Role::Tenant, "{other}");
        }
        let groups = Issuer {
            claim: "groups".to_owned(),
            grants: vec![(Role::Finance, "billing team".to_owned()), (Role::Provider, "ops".to_owned())],
            ..issuer()
        };
        assert_eq!(taken(&groups, &json!({"groups": ["billing team"]})).unwrap().1, Role::Finance);
        // The one that may most.
        assert_eq!(taken(&groups, &json!({"groups": ["billing team", "ops"]})).unwrap().1, Role::Provider);
    }

    #[test]
    fn a_sign_in_is_of_this_client_and_of_one_person() {
        let corporate = Issuer { foundations: BTreeSet::new(), zone: None, claim: "groups".to_owned(), ..issuer() };
        let id = |changes: &Value| {
            let mut claims = json!({"sub": "u1", "aud": "pages", "nonce": "n", "groups": ["cf_billing.sre"]});
            claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            claims.as_object().unwrap().clone()
        };
        let signed_in = |of: &Issuer, changes: &Value, access: Option<&Value>| {
            let access = access.map(|changes| of.caller(with(changes).as_object().unwrap(), Some("JWT")).unwrap());
            of.signed_in(&id(changes), "pages", "n", access).map(|caller| (caller.name, caller.role))
        };
        assert_eq!(signed_in(&corporate, &json!({}), None), Ok(("eu1/u1".to_owned(), Role::Sre)));
        assert_eq!(signed_in(&corporate, &json!({"aud": ["pages", "x"], "azp": "pages"}), None).unwrap().1, Role::Sre);
        for changes in [
            json!({"nonce": "m"}),
            json!({"nonce": null}),
            json!({"aud": "other"}),
            json!({"aud": ["pages", "x"]}),
            json!({"azp": "other"}),
        ] {
            let refused = signed_in(&corporate, &changes, None);
            assert!(matches!(refused, Err(NotTaken::NotSignedIn(_))), "{changes}");
        }
        assert_eq!(signed_in(&corporate, &json!({"sub": null}), None), Err(NotTaken::Nobody("sub")));
        // A UAA says by an access token whether somebody may read bills here: without one nobody is signed in.
        assert!(matches!(signed_in(&issuer(), &json!({"zid": "uaa"}), None), Err(NotTaken::NotSignedIn(_))));
        let access = json!({"scope": ["cf_billing.read"]});
        assert_eq!(
            signed_in(&issuer(), &json!({"zid": "uaa"}), Some(&access)),
            Ok(("eu1/u1".to_owned(), Role::Tenant))
        );
        assert!(matches!(signed_in(&issuer(), &json!({"zid": "other"}), Some(&access)), Err(NotTaken::OtherZone(_))));
        let other = json!({"sub": "u2", "zid": "uaa"});
        assert!(matches!(signed_in(&issuer(), &other, Some(&access)), Err(NotTaken::NotSignedIn(_))));
    }

    #[test]
    fn trust_is_in_one_issuer_with_these_grants() {
        let trust = issuer().trust();
        for other in [
            Issuer { name: "eu2".to_owned(), ..issuer() },
            Issuer { issuer: "https://uaa.example.com/oauth/token".to_owned(), ..issuer() },
            Issuer { zone: None, ..issuer() },
            Issuer { audience: "other".to_owned(), ..issuer() },
            Issuer { foundations: BTreeSet::new(), ..issuer() },
            Issuer { claim: "groups".to_owned(), ..issuer() },
            Issuer { grants: vec![(Role::Sre, "other".to_owned())], ..issuer() },
        ] {
            assert_ne!(other.trust(), trust, "{other:?}");
        }
        assert_eq!(Issuer { cf_cli: true, ..issuer() }.trust(), trust, "it grants sessions nothing");
    }
}
