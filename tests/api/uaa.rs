//! A daemon beside a foundation that is simulated in this process, with its UAA: who is given which token and role is up to
//! the test.

use std::sync::{Arc, Mutex, MutexGuard};

use cf_billing::clock::Clock;
use cf_billing::simulator::Foundation;
use cf_billing::simulator::api::{Client, User};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::Api;
use crate::support::background::{self, Background};
use crate::support::customers;
use crate::support::month;
use crate::support::program::Program;
use crate::support::served::Served;

/// October in the foundation `f`: 10 instance-hours in space `s1` and 5 in `s2` of organization `o1`, and 3 in `s3` of `o2`.
/// Account `one` owns `o1` but `s2`, which is account `two`'s with `o2`.
pub struct WithUaa {
    pub api: Api,
    foundation: Arc<Mutex<Foundation>>,
    runtime: Runtime,
}

pub const USERS: [(&str, &str); 2] =
    [("ada", "7f791ea9-99b9-423d-988b-931f0222a79f"), ("bob", "0b0b0b0b-99b9-423d-988b-931f0222a79f")];

/// The guid of a user.
pub fn guid(name: &str) -> &'static str {
    USERS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// A simulated foundation in which the users are known; tokens last an hour.
pub fn foundation(seed: u64) -> Foundation {
    let mut foundation = Foundation::new(seed, Clock::System.now());
    foundation.uaa.validity_seconds = 3600;
    for (name, guid) in USERS {
        foundation.uaa.users.push(User {
            guid: guid.to_owned(),
            name: name.to_owned(),
            password: "secret".to_owned(),
            scopes: ["openid", "cloud_controller.read", "cf_billing.read", "cf_billing.sre", "cf_billing.provider"]
                .map(str::to_owned)
                .to_vec(),
        });
    }
    // Whoever it takes, without a role as yet: `user-1` and so on, whose guids are these, too.
    for name in (1..=20).map(|number| format!("user-{number}")) {
        let scopes = vec!["openid".to_owned(), "cf_billing.read".to_owned()];
        foundation.uaa.users.push(User { guid: name.clone(), name, password: "secret".to_owned(), scopes });
    }
    foundation.uaa.clients.push(Client {
        id: "billing-web".to_owned(),
        secret: "web-secret".to_owned(),
        authorities: Vec::new(),
    });
    foundation.uaa.clients.push(Client {
        id: "robot".to_owned(),
        secret: "secret".to_owned(),
        authorities: vec!["cf_billing.read".to_owned()],
    });
    foundation
}

impl WithUaa {
    /// With these more keys of its issuer, and accounts that name these people.
    pub fn new(of_issuer: &str, people_of_one: &str) -> Self {
        Self::speaking_for("f", of_issuer, people_of_one, &[])
    }

    /// With an issuer that speaks for these foundations, and more of them that are in the book and not configured.
    pub fn speaking_for(foundations: &str, of_issuer: &str, people_of_one: &str, more: &[&str]) -> Self {
        let runtime = Runtime::new().unwrap();
        let (f, g) = runtime.block_on(async { (Served::new(foundation(1)).await, Served::new(foundation(2)).await) });
        f.foundation.lock().unwrap().uaa.issuer = format!("{}/oauth/token", f.api);
        let program = Program::new();
        let accounts = super::accounts(people_of_one, "\n[[account.owns]]\nspace = \"f/o1/s2\"");
        let of_book = format!("{}documents = \"html,json,csv\"\n", customers::CONFIGURATION);
        month::card(&program, customers::CARD);
        month::import(
            &program,
            "00:00 p STARTED 512x1 app=a org=o1 space=s1\n10:00 p STOPPED\n00:00 q STARTED 512x1 app=b org=o1 space=s2\n05:00 q STOPPED\n\
             00:00 r STARTED 512x1 app=c org=o2 space=s3\n03:00 r STOPPED",
            "80d00:00",
        );
        for name in more {
            month::import_into(
                &program,
                name,
                "00:00 p STARTED 512x1 app=a org=o9 space=s9\n10:00 p STOPPED",
                "80d00:00",
            );
        }
        customers::write(&program, &of_book, &accounts);
        let configured = ["--config", "cf-billing.toml"];
        let of = |command: &'static str| ["invoices", command, "--period", "2026-10"].into_iter().chain(configured);
        let drafts = program.json(&of("draft").collect::<Vec<_>>());
        let mut arguments: Vec<String> = of("finalize").map(str::to_owned).collect();
        let estimated = drafts.as_array().unwrap().iter().filter(|draft| draft["estimated"] != "0.00");
        arguments.extend(estimated.map(|draft| format!("--accept=estimated:{}", draft["account"].as_str().unwrap())));
        program.succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let of_foundation = |name: &str, api: &str| {
            format!(
                "[[foundation]]\nname = \"{name}\"\napi = \"{api}\"\nclient_id = \"billing\"\nclient_secret = \"simulated-secret\"\n"
            )
        };
        let text = format!(
            "{of_book}\n[http]\nlisten = \"127.0.0.1:0\"\nroles_every = \"1s\"\n[collection]\npoll_interval = \"50ms\"\n\
             {}{}[[issuer]]\nname = \"uaa\"\nissuer = \"{}/oauth/token\"\nfoundations = \"{foundations}\"\nsre = \"cf_billing.sre\"\n{of_issuer}\n\
             [[token]]\nname = \"provider\"\nrole = \"provider\"\nsecret = \"{}\"\n",
            of_foundation("f", &f.api),
            of_foundation("g", &g.api),
            f.api,
            super::secret("provider"),
        );
        std::fs::write(program.folder.path().join("cf-billing.toml"), text).unwrap();
        let (daemon, url) = background::run(&program);
        let api = Api { program, _simulated: None, daemon, url };
        Self { api, foundation: f.foundation, runtime }
    }

    /// Ends the daemon and starts it anew, with the configuration as it is by now.
    pub fn restart(&mut self) {
        let gone =
            std::mem::replace(&mut self.api.daemon, Background::start(&self.api.program, "none.log", &["--version"]));
        gone.end("TERM");
        let (daemon, url) = background::run(&self.api.program);
        self.api.daemon = daemon;
        self.api.url = url;
    }

    pub fn foundation(&self) -> MutexGuard<'_, Foundation> {
        // It is served from there.
        let _ = &self.runtime;
        self.foundation.lock().unwrap()
    }

    /// A user's token with these scopes.
    pub fn token(&self, user: &str, scopes: &[&str]) -> String {
        let mut foundation = self.foundation();
        let now = foundation.now();
        foundation.uaa.issue_to_user(user, "billing-web", scopes, now).unwrap()
    }

    /// The token of a user who may read bills.
    pub fn tenant(&self, user: &str) -> String {
        self.token(user, &["openid", "cf_billing.read"])
    }

    /// The claims of a tenant's token, with changes; null takes a claim out.
    pub fn claims(&self, changes: &Value) -> Value {
        let foundation = self.foundation();
        let now = foundation.now().unix();
        let mut claims = json!({
            "iss": foundation.uaa.issuer, "aud": ["billing-web", "cf_billing"], "zid": "uaa", "jti": "1", "iat": now, "exp": now + 600,
            "sub": guid("ada"), "user_id": guid("ada"), "cid": "billing-web", "client_id": "billing-web", "azp": "billing-web",
            "scope": ["cf_billing.sre"], "grant_type": "authorization_code",
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    /// A token with those claims, signed by UAA.
    pub fn signed(&self, changes: &Value) -> String {
        let claims = self.claims(changes);
        self.foundation().uaa.signed(&claims)
    }
}
