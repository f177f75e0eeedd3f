//! The API of the real daemon, asked as programs ask it.

mod answers;
mod audit;
mod browser;
mod description;
mod isolation;
mod issuers;
mod provider;
mod roles;
mod sessions;
mod tls;
mod tokens;
mod uaa;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use cf_billing::cloud_controller::transport::Http;
use http::{Request, Response};
use serde_json::Value;
use tokio::runtime::Runtime;

use cf_billing::cloud_controller::transport::Exchange;

use crate::support::background::{self, Background, simulate};
use crate::support::customers::{self, account};
use crate::support::database::{Kind, kind};
use crate::support::program::Program;

/// A token of each role; of two tenants, one each.
const TOKENS: [(&str, &str, &str); 5] = [
    ("provider", "provider", "pppppppppppppppppppppppppppppppp"),
    ("finance", "finance", "ffffffffffffffffffffffffffffffff"),
    ("sre", "sre", "ssssssssssssssssssssssssssssssss"),
    ("tenant-one", "tenant", "11111111111111111111111111111111"),
    ("tenant-two", "tenant", "22222222222222222222222222222222"),
];

/// The secret of the token of that name.
fn secret(name: &str) -> &'static str {
    TOKENS.iter().find(|(token, ..)| *token == name).unwrap().2
}

/// A daemon with a book in which two accounts have a final invoice each, `one` of the organization `f/o1` and `two` of
/// `f/o2`, the first a credit note, too, and a foundation that is collected, whose organizations have drafts.
struct Api {
    program: Program,
    /// Goes with it.
    _simulated: Option<Background>,
    daemon: Background,
    url: String,
}

/// The one that tests of a kind of database share, as long as one of them goes on.
static SHARED: Mutex<[Weak<Api>; 2]> = Mutex::new([const { Weak::new() }; 2]);

impl Api {
    /// With a token of each role. Nothing is changed in it: others read it at the same time.
    fn shared() -> Arc<Self> {
        let at = usize::from(kind() == Kind::Postgres);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared[at].upgrade().unwrap_or_else(|| {
            let made = Arc::new(Self::new());
            shared[at] = Arc::downgrade(&made);
            made
        })
    }

    fn new() -> Self {
        Self::with(&tokens(), "")
    }

    /// With these tokens, and more keys of `[http]`.
    fn with(tokens: &str, of_http: &str) -> Self {
        Self::made(tokens, of_http, "")
    }

    /// With these tokens and issuers, and people of account `one`.
    fn naming(tokens: &str, people_of_one: &str) -> Self {
        Self::made(tokens, "", people_of_one)
    }

    fn made(tokens: &str, of_http: &str, people_of_one: &str) -> Self {
        let program = Program::new();
        let accounts = accounts(people_of_one, "");
        let of_book = format!("{}documents = \"html,json,csv\"\n", customers::CONFIGURATION);
        customers::used_by_two(&program, &of_book, &accounts);
        let configured = ["--config", "cf-billing.toml"];
        let finalize = ["invoices", "finalize", "--period", "2026-10"];
        let accepted = crate::support::month::accepted_estimates(&program);
        let mut arguments: Vec<&str> = [&finalize[..], &configured[..]].concat();
        arguments.extend(accepted.iter().map(String::as_str));
        program.succeed(&arguments);
        let credit = ["invoices", "credit", "CF-000001", "--whole", "--reason", "our mistake"];
        program.succeed(&[&credit[..], &configured[..]].concat());
        let (simulated, api) = simulate(&program, &[]);
        background::configure(&program, &api, &format!("{tokens}\n{of_book}"));
        let file = program.folder.path().join("cf-billing.toml");
        let text = std::fs::read_to_string(&file).unwrap().replace("[http]\n", &format!("[http]\n{of_http}"));
        std::fs::write(&file, text).unwrap();
        let (daemon, url) = background::run(&program);
        Self { program, _simulated: Some(simulated), daemon, url }
    }

    /// What an address under `/api/v1` answers to whoever has that token.
    fn ask(&self, token: Option<&str>, path: &str) -> Response<Bytes> {
        self.ask_with(token, path, &[])
    }

    /// As [`Api::ask`], with more headers.
    fn ask_with(&self, token: Option<&str>, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        self.send("GET", token, path, headers)
    }

    /// As [`Api::ask_with`], by another method. Whatever can't be answered is told whole.
    #[track_caller]
    fn send(&self, method: &str, token: Option<&str>, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let answer = Runtime::new().unwrap().block_on(self.sent(method, token, path, headers));
        let status = answer.status().as_u16();
        if status >= 400 && method != "HEAD" {
            assert!(status < 500 || status == 503, "{path}: {}", text(&answer));
            assert_eq!(header(&answer, "content-type"), "application/problem+json", "{path}: {}", text(&answer));
            let problem: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(problem["status"], status, "{path}");
            assert_eq!(problem["request_id"], header(&answer, "x-request-id"), "{path}");
            for told in ["detail", "hint", "title"] {
                let told = problem[told].as_str().unwrap();
                assert!(!told.is_empty() && !told.contains('\n'), "{path}: {problem}");
            }
        }
        answer
    }

    async fn sent(&self, method: &str, token: Option<&str>, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(format!("{}/api/v1{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::new()).unwrap();
        Http::new(None).unwrap().exchange(request).await.unwrap()
    }

    /// The JSON of an answer that is good.
    #[track_caller]
    fn json(&self, token: Option<&str>, path: &str) -> Value {
        let answer = self.ask(token, path);
        assert_eq!(answer.status(), 200, "{path}: {}", text(&answer));
        serde_json::from_slice(answer.body()).unwrap()
    }
}

/// Account `one`, of `f/o1` and these people, and `two`, of `f/o2` and more.
fn accounts(people_of_one: &str, more_of_two: &str) -> String {
    account(
        "one",
        "Erste GmbH",
        "DE136695976",
        &format!("buyer_reference = \"PO-ONE\"\n{people_of_one}\n[[account.owns]]\norganization = \"f/o1\""),
    ) + &account(
        "two",
        "Zweite GmbH",
        "DE811907980",
        &format!("buyer_reference = \"PO-TWO\"\n[[account.owns]]\norganization = \"f/o2\"{more_of_two}"),
    )
}

fn tokens() -> String {
    let of = |(name, role, secret): (&str, &str, &str)| {
        let accounts = name.strip_prefix("tenant-").map(|account| format!("accounts = \"{account}\"\n"));
        format!(
            "[[token]]\nname = \"{name}\"\nrole = \"{role}\"\nsecret = \"{secret}\"\n{}",
            accounts.unwrap_or_default()
        )
    };
    TOKENS.map(of).concat()
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}
