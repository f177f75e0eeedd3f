//! Numbers and dates: no gap, no repeat, no date behind a number; documents are made before the transaction, and what is
//! wrong with one invoice stops no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cf_billing::billing_run::{BillingRun, Card, CorrectionRequest, CreditOutcome, FinalizeResult, Renderer};
use cf_billing::clock::Clock;
use cf_billing::config::{Configuration, load};
use cf_billing::consumer::Importer;
use cf_billing::documents::{self, DocumentError};
use cf_billing::domain::{Month, Settings, Timestamp};
use cf_billing::invoicing::Credit;
use cf_billing::store::{Store, StoredInvoice};
use chrono::NaiveDate;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{configure, october, october_json, shown};
use crate::support::database;
use crate::support::month;
use crate::support::program::{Program, path};

const ACCOUNTS: &str = "[[account]]\nid = \"k1\"\nname = \"K1\"\norganizations = [\"f/o1\"]\n\
                        [[account]]\nid = \"k2\"\nname = \"K2\"\norganizations = [\"f/o2\"]\n\
                        [[account]]\nid = \"k3\"\nname = \"K3\"\norganizations = [\"f/o3\"]\n";

/// A book with October's usage of three accounts, and what works on it in this process, by a clock that is given.
struct Desk {
    program: Program,
    configuration: Configuration,
    card: Card,
    store: Store,
    runtime: Runtime,
}

impl Desk {
    fn new() -> Self {
        let script = "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED\n\
                      00:00 q STARTED 512x1 app=b org=o2 space=s2\n05:00 q STOPPED\n\
                      00:00 r STARTED 512x1 app=c org=o3 space=s3\n01:00 r STOPPED";
        Self::of(Program::new(), script, ACCOUNTS, "")
    }

    fn of(program: Program, script: &str, accounts: &str, billing: &str) -> Self {
        month::card(&program, month::INSTANCE_HOURS);
        month::import(&program, script, "80d00:00");
        let folder = program.folder.path().to_owned();
        std::fs::write(folder.join("accounts.toml"), accounts).unwrap();
        let configuration = configured(&program, billing);
        let card = Card::read(&folder.join("card.toml"), chrono_tz::Tz::UTC).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = runtime.block_on(Store::open(&program.database())).unwrap();
        Self { program, configuration, card, store, runtime }
    }

    /// Finalizes October of some accounts at a time; each with its number, or what else came of it.
    fn finalize(&self, at: &str, issue_date: Option<&str>, account: Option<&str>) -> Result<Vec<String>, String> {
        self.finalize_with(at, issue_date, account, Renderer::default())
    }

    fn finalize_with(
        &self,
        at: &str,
        issue_date: Option<&str>,
        account: Option<&str>,
        renderer: Renderer,
    ) -> Result<Vec<String>, String> {
        self.finalize_month(october_2026(), at, issue_date, account, renderer)
    }

    /// September, or October, at the end of the year.
    fn later(&self, month: &str) -> Result<Vec<String>, String> {
        self.finalize_month(month.parse().unwrap(), "2026-12-31T00:00:00Z", None, None, Renderer::default())
    }

    fn finalize_month(
        &self,
        month: Month,
        at: &str,
        issue_date: Option<&str>,
        account: Option<&str>,
        renderer: Renderer,
    ) -> Result<Vec<String>, String> {
        let clock = Clock::manual(time(at));
        let mut run = BillingRun::new(&self.configuration, &self.store, &clock, &self.card).unwrap();
        run.issue_date = issue_date.map(date);
        run.renderer = renderer;
        let outcomes = self.runtime.block_on(run.finalize(month, account, &[], |_, _| {}));
        let outcomes = outcomes.map_err(|error| error.to_string())?;
        Ok(outcomes
            .into_iter()
            .map(|outcome| match outcome.result {
                FinalizeResult::Numbered(number) => format!("{} {number}", outcome.account),
                FinalizeResult::Before => format!("{} before", outcome.account),
                FinalizeResult::Blocked(blockers) => format!("{} blocked: {blockers:?}", outcome.account),
                FinalizeResult::Refused(why) => format!("{} refused: {why}", outcome.account),
            })
            .collect())
    }

    fn credit(&self, at: &str, issue_date: Option<&str>, number: &str) -> Result<String, String> {
        let clock = Clock::manual(time(at));
        let mut run = BillingRun::new(&self.configuration, &self.store, &clock, &self.card).unwrap();
        run.issue_date = issue_date.map(date);
        let stored = self.invoice(number);
        let credited = run.credit(&stored, CorrectionRequest::Credit(Credit::Whole), "waived");
        match self.runtime.block_on(credited).map_err(|error| error.to_string())? {
            CreditOutcome::Note(number) => Ok(number),
            other => panic!("{other:?}"),
        }
    }

    fn invoice(&self, number: &str) -> StoredInvoice {
        self.runtime.block_on(self.store.invoice(number)).unwrap().unwrap()
    }

    /// Issue date and due date.
    fn dates(&self, number: &str) -> (String, Option<String>) {
        let dates = self.invoice(number).dates.unwrap();
        (dates.issued_on.to_string(), dates.due_on.map(|due_on| due_on.to_string()))
    }
}

fn configured(program: &Program, billing: &str) -> Configuration {
    let folder = program.folder.path();
    let text = format!(
        "[billing]\nrates = \"{0}/card.toml\"\naccounts = \"{0}/accounts.toml\"\ngrace = \"0s\"\n\
         seller = \"Seller\"\ndocuments = \"html,json\"\n{billing}",
        path(folder)
    );
    configure(program, &text);
    let database = [("CF_BILLING__DATABASE__URL".to_owned(), program.database())];
    load(Some(&folder.join("cf-billing.toml")), database).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn october_2026() -> Month {
    "2026-10".parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_date_never_runs_behind_the_numbers_of_its_series() {
    let desk = Desk::new();
    assert_eq!(desk.finalize("2026-12-15T12:00:00Z", None, Some("k1")), Ok(owned(&["k1 CF-000001"])));
    // The clock is right again.
    let right = "2026-11-29T12:00:00Z";
    for (issue_date, told) in [
        (None, "`2026-11-29` is before 2026-12-15, the date of CF-000001"),
        (Some("2026-12-14"), "`2026-12-14` is before 2026-12-15, the date of CF-000001"),
        (Some("2026-12-16"), "`2026-12-16` is after 2026-12-15"),
    ] {
        let refused = desk.finalize(right, issue_date, Some("k2")).unwrap_err();
        assert!(refused.contains(told) && refused.contains("\nhint: "), "{issue_date:?}: {refused}");
    }
    assert_eq!(desk.finalize(right, Some("2026-12-15"), Some("k2")), Ok(owned(&["k2 CF-000002"])));
    assert_eq!(desk.dates("CF-000002"), ("2026-12-15".to_owned(), Some("2027-01-14".to_owned())));
    // The day itself, and any later one.
    assert_eq!(desk.finalize("2026-12-15T00:00:00Z", None, Some("k3")), Ok(owned(&["k3 CF-000003"])));

    // A credit note is never dated before its invoice; nor before a note of its series.
    let refused = desk.credit(right, None, "CF-000001").unwrap_err();
    assert!(refused.contains("`2026-11-29` is before 2026-12-15, the date of the invoice"), "{refused}");
    let refused = desk.credit(right, Some("2026-12-16"), "CF-000001").unwrap_err();
    assert!(refused.contains("`2026-12-16` is after 2026-12-15"), "{refused}");
    assert_eq!(desk.credit(right, Some("2026-12-15"), "CF-000001"), Ok("CN-000001".to_owned()));
    assert_eq!(desk.dates("CN-000001"), ("2026-12-15".to_owned(), None));
    assert_eq!(desk.credit("2027-01-05T00:00:00Z", None, "CF-000002"), Ok("CN-000002".to_owned()));
    let refused = desk.credit("2027-01-04T23:59:59Z", None, "CF-000003").unwrap_err();
    assert!(refused.contains("`2027-01-04` is before 2027-01-05, the date of CN-000002"), "{refused}");
    assert_eq!(desk.credit("2027-01-05T00:00:00Z", None, "CF-000003"), Ok("CN-000003".to_owned()));
}

#[test]
fn a_new_series_has_dates_of_its_own_and_a_date_may_be_given_within_limits() {
    let desk = Desk::new();
    let at = "2026-12-15T12:00:00Z";
    for (issue_date, told) in [
        ("2026-10-30", "`2026-10-30` is before 2026-10-31, the last day of what is billed"),
        ("2026-12-16", "`2026-12-16` is after 2026-12-15"),
    ] {
        let refused = desk.finalize(at, Some(issue_date), Some("k1")).unwrap_err();
        assert!(refused.contains(told) && refused.contains("\nhint: "), "{refused}");
    }
    assert_eq!(desk.finalize(at, Some("2026-10-31"), Some("k1")), Ok(owned(&["k1 CF-000001"])));
    assert_eq!(desk.dates("CF-000001"), ("2026-10-31".to_owned(), Some("2026-11-30".to_owned())));
    assert_eq!(desk.finalize(at, None, Some("k2")), Ok(owned(&["k2 CF-000002"])));
    let mut other = desk;
    other.configuration.billing.invoice_series = "CG".to_owned();
    assert_eq!(other.finalize("2026-11-29T12:00:00Z", None, Some("k3")), Ok(owned(&["k3 CG-000001"])));
    assert_eq!(other.dates("CG-000001").0, "2026-11-29");
}

/// While the first document of one finalizer is made, another one finishes: nothing is locked, and nothing was reserved.
#[test]
fn two_finalizers_at_once_give_numbers_without_gap_or_repeat() {
    let desk = Arc::new(Desk::new());
    let at = "2026-11-02T12:00:00Z";
    let (url, configuration, card) = (desk.program.database(), desk.configuration.clone(), desk.card.clone());
    let (interrupted, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let made_here = made.clone();
    let slow = Renderer(Arc::new(move |format, subject| {
        made_here.fetch_add(1, Ordering::Relaxed);
        if !interrupted.swap(true, Ordering::Relaxed) {
            let (url, configuration, card) = (url.clone(), configuration.clone(), card.clone());
            let other = database::run(|| async move {
                let store = Store::open(&url).await.unwrap();
                let clock = Clock::manual(time(at));
                let run = BillingRun::new(&configuration, &store, &clock, &card).unwrap();
                let outcomes = run.finalize(october_2026(), Some("k2"), &[], |_, _| {}).await.unwrap();
                // Whoever writes something else needn't wait either.
                let held = store.hold("k3", october_2026(), "it is disputed", time(at)).await.unwrap();
                store.close().await;
                (outcomes.into_iter().next().unwrap().result, held)
            });
            assert_eq!(other, (FinalizeResult::Numbered("CF-000001".to_owned()), true));
        }
        documents::make(format, subject)
    }));
    let outcomes = desk.finalize_with(at, None, None, slow).unwrap();
    assert_eq!(outcomes[..2], ["k1 CF-000002".to_owned(), "k2 before".to_owned()]);
    assert!(outcomes[2].starts_with("k3 blocked: [Held"), "held since it was looked at: {outcomes:?}");
    // k1's two documents were made twice, and k2's and k3's once: what is foreseen can turn out otherwise.
    assert_eq!(made.load(Ordering::Relaxed), 8);
    for (number, account) in [("CF-000001", "k2"), ("CF-000002", "k1")] {
        let stored = desk.invoice(number);
        assert_eq!(stored.document.account, account);
        let json = desk.runtime.block_on(desk.store.document(stored.id, "json")).unwrap().unwrap();
        let json: Value = serde_json::from_slice(&json.bytes).unwrap();
        assert_eq!((&json["number"], &json["account"]), (&number.into(), &account.into()), "its document says so, too");
    }
    desk.program.succeed(&["ledger", "verify"]);
}

#[test]
fn a_document_that_cant_be_made_stops_only_its_own_invoice() {
    let desk = Desk::new();
    let at = "2026-11-02T12:00:00Z";
    let broken = Renderer(Arc::new(|format, subject| {
        if subject.document.account == "k2" {
            return Err(DocumentError::Failed("its logo is CMYK".to_owned()));
        }
        documents::make(format, subject)
    }));
    let outcomes = desk.finalize_with(at, None, None, broken).unwrap();
    assert_eq!(outcomes, ["k1 CF-000001", "k2 refused: K2: can't make the document: its logo is CMYK", "k3 CF-000002"]);
    // Once it is mended, the same command goes on.
    assert_eq!(desk.finalize(at, None, None), Ok(owned(&["k1 before", "k2 CF-000003", "k3 before"])));
}

#[test]
fn a_name_that_two_accounts_have_is_never_guessed() {
    let program = Program::new();
    month::card(&program, month::INSTANCE_HOURS);
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a\n00:00 q STARTED 512x1 app=b org=o2 space=s2\n00:00 r STARTED 512x1 app=c org=o3 space=s3",
        "40d00:00",
    );
    // The third account's name is the first one's id.
    let accounts = "[[account]]\nid = \"k1\"\nname = \"Example Ltd\"\norganizations = [\"f/o1\"]\n\
                    [[account]]\nid = \"k2\"\nname = \"Example Ltd\"\norganizations = [\"f/o2\"]\n\
                    [[account]]\nid = \"k3\"\nname = \"k1\"\norganizations = [\"f/o3\"]\n";
    std::fs::write(program.folder.path().join("accounts.toml"), accounts).unwrap();
    let with = configure(&program, "[billing]\naccounts = \"accounts.toml\"\nrates = \"card.toml\"\ngrace = \"0s\"\n");
    let run = |arguments: &[&str]| program.run(&[&["invoices"], arguments, &with].concat());
    let month = ["--period", "2026-10"];
    let named = ["--account", "Example Ltd"];
    let reason = ["--reason", "x"];
    // By the file alone, before there is any draft.
    assert_eq!(run(&[&["draft"], &month[..], &named].concat()).code, Some(1));
    assert_eq!(run(&[&["draft"][..], &month].concat()).code, Some(0));
    for arguments in [
        [&["hold"][..], &month, &named, &reason].concat(),
        [&["release"][..], &month, &named, &reason].concat(),
        [&["draft"][..], &month, &named].concat(),
        [&["finalize"][..], &month, &named].concat(),
        [&["list"][..], &month, &named].concat(),
        [&["list"][..], &named].concat(),
        [&["export"][..], &named, &["--drafts", "--format", "html", "--out", "out"]].concat(),
    ] {
        let refused = run(&arguments);
        let told = "`Example Ltd` is the name of several accounts: `k1`, `k2`\nhint: say which one by its id";
        assert!(refused.code == Some(1) && refused.stderr.contains(told), "{arguments:?}: {}", refused.stderr);
    }
    let held = run(&[&["hold"][..], &month, &["--account", "k1"], &reason].concat());
    assert!(held.stderr.contains("2026-10 of k1 is held"), "an id wins over a name: {}", held.stderr);
    let list = |account: &str| {
        let list = program.json(&[&["invoices", "list", "--account", account][..], &with].concat());
        list.as_array().unwrap().iter().map(|one| one["account"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("k1"), ["k1"]);
    assert_eq!(list("nobody"), Vec::<String>::new());
    assert_eq!(run(&[&["finalize"][..], &month, &["--account", "k2"]].concat()).code, Some(0));
    assert_eq!(run(&[&["finalize"][..], &month, &["--account", "k3"]].concat()).code, Some(0));
    let finals = program.json(&["invoices", "list", "--status", "final"]);
    assert_eq!(finals.as_array().unwrap().iter().map(|one| &one["account"]).collect::<Vec<_>>(), ["k2", "k3"]);
}

/// Two foundations have an organization of one name, and neither is an account's.
#[test]
fn a_name_that_only_usage_tells_of_is_not_guessed_either() {
    let program = Program::new();
    month::card(&program, month::INSTANCE_HOURS);
    for foundation in ["f", "g"] {
        month::import_into(&program, foundation, "00:00 p STARTED 512x1 app=a org=o1", "40d00:00");
    }
    std::fs::write(
        program.folder.path().join("accounts.toml"),
        "[[account]]\nid = \"a\"\nname = \"o1\"\norganizations = [\"f/o1\"]\n",
    )
    .unwrap();
    let with = configure(&program, "[billing]\naccounts = \"accounts.toml\"\nrates = \"card.toml\"\ngrace = \"0s\"\n");
    let refused = october(&program, "finalize", &[&["--account", "o1"][..], &with].concat());
    assert!(refused.stderr.contains("several accounts: `a`, `g/o1`"), "{}", refused.stderr);
    let finals = october_json(&program, "finalize", &[&["--account", "g/o1"][..], &with].concat());
    assert_eq!(finals[0]["account"], "g/o1");
}

#[test]
fn what_is_for_nothing_or_waived_is_invoiced_anew_once() {
    let program = Program::new();
    month::card(&program, month::INSTANCE_HOURS);
    // One account for 10.00, one for nothing.
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED\n00:00 s CREATED plan=A org=o2 space=s2",
        "80d00:00",
    );
    let with = configure(&program, "[billing]\nrates = \"card.toml\"\ngrace = \"0s\"\n");
    let finals = october_json(&program, "finalize", &with);
    let number_of = |finals: &Value, account: &str| {
        let of = finals.as_array().unwrap().iter().find(|one| one["account"] == account);
        of.unwrap_or_else(|| panic!("{finals}"))["number"].as_str().unwrap().to_owned()
    };
    let (waived, nothing) = (number_of(&finals, "f/o1"), number_of(&finals, "f/o2"));
    assert_eq!(shown(&program, &nothing)["net"], "0.00");
    let credit = |number: &str, what: &str| {
        program.run(&[&["invoices", "credit", number, what, "--reason", "wrong address"][..], &with].concat())
    };
    assert_eq!(credit(&nothing, "--whole").code, Some(1), "there is nothing to give back");
    assert_eq!(credit(&waived, "--whole").code, Some(0));
    for number in [&waived, &nothing] {
        let run = credit(number, "--reissue");
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let again = credit(number, "--reissue");
        let told = format!("{number} was given back to be reissued");
        assert!(again.code == Some(1) && again.stderr.contains(&told), "{}", again.stderr);
    }
    for note in ["CN-000002", "CN-000003"] {
        assert_eq!(shown(&program, note)["net"], "0.00");
    }
    let anew = october_json(&program, "finalize", &with);
    assert_eq!(anew.as_array().unwrap().len(), 2, "{anew}");
    program.succeed(&["ledger", "verify"]);
}

/// The hours between the two edges would be on both invoices, or on neither.
#[test]
fn a_month_that_begins_elsewhere_than_the_one_before_ends_never_becomes_final() {
    for (first, second, fits) in [
        ("UTC", "Europe/Berlin", false),
        ("Europe/Berlin", "UTC", false),
        ("America/New_York", "UTC", false),
        ("Pacific/Pago_Pago", "Pacific/Kiritimati", false),
        ("Europe/Berlin", "Europe/Paris", true),
        ("UTC", "Etc/UTC", true),
    ] {
        // Nobody is invoiced in both months: what is first used between them is nobody's yet.
        let script = "-20d00:00 p STARTED 512x1 app=a\n-19d00:00 p STOPPED\n\
                      -9d10:00 q STARTED 512x1 app=b org=o2 space=s2\n05:00 q STOPPED";
        for (done, other) in [("2026-09", "2026-10"), ("2026-10", "2026-09")] {
            // Forwards, then backwards.
            let mut desk = Desk::of(Program::new(), script, ACCOUNTS, "");
            let zoned = |zone: &str| configured(&desk.program, &format!("time_zone = \"{zone}\"\njump_factor = 0\n"));
            let (before, after) = (zoned(first), zoned(second));
            desk.configuration = before.clone();
            assert!(!desk.later(done).unwrap().is_empty(), "{first} {done}");
            desk.configuration = after;
            let said = desk.later(other);
            if fits {
                assert!(!said.unwrap().is_empty(), "{first} {second} {other}");
                continue;
            }
            let refused = said.unwrap_err();
            let told = format!("than {done} does in `{first}`, in which CF-000001 is invoiced");
            assert!(refused.contains(&told), "{first} {second} {other}: {refused}");
            assert!(refused.contains(&format!("hint: set [billing] time_zone back to `{first}`")), "{refused}");
            // The way on.
            desk.configuration = before;
            assert!(!desk.later(other).unwrap().is_empty(), "{first} {other}");
        }
    }
}

/// September has 10 hours, October 31.
#[test]
fn only_a_full_month_is_a_measure_for_a_jump() {
    let all = "[[account]]\nid = \"k1\"\nname = \"K1\"\norganizations = [\"f/o1\"]\n";
    let dated = |validity: &str| {
        format!("[[account]]\nid = \"k1\"\nname = \"K1\"\n[[account.owns]]\norganization = \"f/o1\"\n{validity}\n")
    };
    for (epoch, accounts, jumps) in [
        (None, all.to_owned(), true),
        (Some("2026-09-01T00:00:00Z"), all.to_owned(), true),
        (Some("2026-09-01T00:00:01Z"), all.to_owned(), false),
        (None, dated("from = 2026-09-01"), true),
        (None, dated("from = 2026-09-02"), false),
        (None, dated("from = 2026-09-01\nto = 2026-12-01"), true),
    ] {
        let program = Program::new();
        if let Some(epoch) = epoch {
            let url = program.database();
            database::run(|| async move {
                let store = Store::open(&url).await.unwrap();
                let clock = Clock::manual(time("2026-12-31T00:00:00Z"));
                let settings = Settings { billing_epoch: Some(time(epoch)), ..Settings::default() };
                Importer::begin(&store, &clock, "f", settings).await.unwrap();
                store.close().await;
            });
        }
        let script =
            "-20d00:00 p STARTED 512x1 app=a\n-20d10:00 p STOPPED\n00:00 q STARTED 512x1 app=a\n1d07:00 q STOPPED";
        let desk = Desk::of(program, script, &accounts, "");
        assert_eq!(desk.later("2026-09").unwrap(), ["k1 CF-000001"]);
        assert_eq!(desk.invoice("CF-000001").document.net.0, 1000);
        let october = desk.later("2026-10").unwrap();
        assert_eq!(october[0].contains("Jump"), jumps, "{epoch:?} {accounts}: {october:?}");
    }
}

crate::on_postgres! {
    a_date_never_runs_behind_the_numbers_of_its_series,
    two_finalizers_at_once_give_numbers_without_gap_or_repeat,
    a_document_that_cant_be_made_stops_only_its_own_invoice,
    a_name_that_two_accounts_have_is_never_guessed,
    what_is_for_nothing_or_waived_is_invoiced_anew_once,
}
