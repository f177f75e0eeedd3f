//! Whatever happens after a month is final, in whatever order: drawn by a seed, and reckoned by a few lines that share no
//! code with the program. After each step every line's documents, with what is outstanding, come to what it costs now
//! less what was given back of it, never beyond zero; a month's come to the sum of its lines and adjustments; no invoice
//! gives back more than it charged; and a book that learns everything at once costs the same.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use cf_billing::billing_run::{BillingError, BillingRun, Card, CorrectionRequest, read_text};
use cf_billing::clock::Clock;
use cf_billing::cloud_controller::decode;
use cf_billing::config::{self, Configuration};
use cf_billing::consumer::Importer;
use cf_billing::domain::{Amount, Month, Settings, Stream, Timestamp};
use cf_billing::invoicing::{
    Correction, CorrectionCause, Credit, CreditError, DocumentKind, DocumentRef, Invoice, Status,
};
use cf_billing::store::{CostKey, CostQuery, InvoiceFilter, Store, StoreError, StoredInvoice};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::support::database::{self, Kind, kind};
use crate::support::program::Program;

const MONTHS: [&str; 3] = ["2026-08", "2026-09", "2026-10"];
/// Organization of each app.
const APPS: [(&str, &str); 6] = [("a", "o1"), ("b", "o1"), ("c", "o2"), ("d", "o3"), ("e", "o4"), ("f", "o4")];

/// Who may have organization o2, which is sold now and then; the last is nobody of the accounts file.
const OWNERS: [&str; 3] = ["acme", "beta", "f/o2"];

fn accounts(owner: usize) -> String {
    let owns = |organization: &str| format!("[[account.owns]]\norganization = \"f/{organization}\"\n");
    let sold = |account: &str| if OWNERS[owner] == account { owns("o2") } else { String::new() };
    format!(
        "[[account]]\nid = \"acme\"\nname = \"Acme Ltd\"\n{}{}[[account]]\nid = \"beta\"\nname = \"Beta GmbH\"\n{}{}",
        owns("o1"),
        sold("acme"),
        owns("o3"),
        sold("beta")
    )
}

/// What else a card has beside a price of 1.50 an hour.
const CARDS: [&str; 7] = [
    "",
    "[[discount]]\nname = \"off\"\npercent = \"12.5\"\n",
    "[[minimum]]\nname = \"least\"\namount = \"40\"\n",
    "[[commitment]]\nname = \"promised\"\naccount = \"acme\"\namount = \"60\"\n",
    "[[discount]]\nname = \"fixed\"\namount = \"5\"\naccount = \"acme\"\n[[minimum]]\nname = \"least\"\namount = \"20\"\n",
    "TIERS",
    "[[allowance]]\nname = \"free\"\nkind = \"process\"\nmeter = \"instance_hour\"\namount = \"12\"\n",
];
const TIERS: &str = "{ model = \"graduated\", tiers = [{ up_to = \"10\", price = \"2\" }, { price = \"1\" }] }";

fn card(which: usize) -> String {
    let (price, more) = if CARDS[which] == "TIERS" { (TIERS, "") } else { ("\"1.5\"", CARDS[which]) };
    format!(
        "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = {price}\n[[service]]\nfree = true\n\
         [[task]]\nfree = true\n[[staging]]\nfree = true\n[[tax]]\npercent = \"19\"\n{more}"
    )
}

/// What an amount is for, within one account's month.
type Item = (String, String);

/// Cents by item, by account and month.
type Sums = BTreeMap<(String, Month), BTreeMap<Item, i64>>;

fn add(sums: &mut Sums, account: &str, month: Month, item: Item, cents: i64) {
    *sums.entry((account.to_owned(), month)).or_default().entry(item).or_default() += cents;
}

fn item_of(correction: &Correction) -> Item {
    match &correction.key {
        Some(key) => ("line".to_owned(), key.app.as_ref().unwrap().guid.to_string()),
        None => ("beside".to_owned(), correction.what.clone()),
    }
}

fn change(correction: &Correction) -> i64 {
    correction.after.0 - correction.before.0
}

/// The number of the invoice that a credit note is about.
fn about(stored: &StoredInvoice) -> Option<&str> {
    stored.document.as_credit_note().map(|note| note.corrects.number.as_str())
}

/// What a month costs, by item, and what is taken off each line elsewhere.
fn costs<'a>(document: impl Into<DocumentRef<'a>>) -> (BTreeMap<Item, i64>, BTreeMap<Item, i64>) {
    let document = document.into();
    let (mut costs, mut shares) = (BTreeMap::new(), BTreeMap::new());
    for line in document.lines() {
        let item = ("line".to_owned(), line.key.app.as_ref().unwrap().guid.to_string());
        *costs.entry(item.clone()).or_default() += line.charge.as_ref().map_or(0, |charge| charge.amount.0);
        *shares.entry(item).or_default() += line.discount.0;
    }
    for adjustment in document.adjustments() {
        let item = ("beside".to_owned(), adjustment.name.clone());
        *costs.entry(item.clone()).or_default() += adjustment.amount.0;
        // A commitment is bought and covers: with the purchase given back, what it covers stays taken off.
        *shares.entry(item).or_default() -= adjustment.amount.0.min(0);
    }
    (costs, shares)
}

/// A book under test, what is known of it, and what was decided.
struct Afterwards {
    random: ChaCha8Rng,
    runtime: Runtime,
    program: Program,
    store: Store,
    configuration: Configuration,
    card: Card,
    clock: Clock,
    /// Hours of one process each: app, when it began, and when it ended, the first of which counts.
    runs: Vec<(usize, i64, Vec<i64>)>,
    /// Who has o2 by the accounts file now, and who had it when a document was made.
    owner: usize,
    owners: BTreeMap<String, usize>,
    kills: u64,
    log: Vec<String>,
}

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn event(app: usize, run: usize, at: i64, state: &str) -> String {
    let (name, organization) = APPS[app];
    json!({
        "guid": format!("{state}-{run}-{at}"), "created_at": Timestamp::from_unix(at).to_string(),
        "state": {"current": state, "previous": "STOPPED"}, "app": {"guid": name, "name": name},
        "process": {"guid": format!("p{run}"), "type": "web"}, "space": {"guid": format!("s-{organization}"), "name": "s"},
        "organization": {"guid": organization}, "buildpack": {"guid": null, "name": null},
        "task": {"guid": null, "name": null}, "memory_in_mb_per_instance": {"current": 1024},
        "instance_count": {"current": 1},
    })
    .to_string()
}

impl Afterwards {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let program = Program::new();
        let folder = program.folder.path();
        let text = card(random.random_range(0..CARDS.len()));
        std::fs::write(folder.join("card.toml"), text).unwrap();
        std::fs::write(folder.join("accounts.toml"), accounts(0)).unwrap();
        let of = |name: &str| folder.join(name).display().to_string();
        let toml = format!(
            "[database]\nurl = \"{}\"\n[billing]\nrates = \"{}\"\naccounts = \"{}\"\ngrace = \"0s\"\ndocuments = \"json\"\njump_factor = 0\n",
            program.database(),
            of("card.toml"),
            of("accounts.toml")
        );
        std::fs::write(folder.join("cf-billing.toml"), toml).unwrap();
        let configuration = config::load(Some(&folder.join("cf-billing.toml")), Vec::new()).unwrap();
        let read = read_text(&folder.join("card.toml")).unwrap();
        let card = Card::parse("card.toml", read, configuration.billing.time_zone).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = runtime.block_on(Store::open(&program.database())).unwrap();
        let clock = Clock::manual(Timestamp::parse("2026-12-10T09:00:00Z").unwrap());
        let log = Vec::new();
        let (runs, owners) = (Vec::new(), BTreeMap::new());
        Self { random, runtime, program, store, configuration, card, clock, runs, owner: 0, owners, kills: 0, log }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random.random_range(0..limit)
    }

    fn one_month(&mut self) -> Month {
        month(MONTHS[self.below(MONTHS.len())])
    }

    /// An app runs for some hours of a month.
    fn use_some(&mut self) {
        let from = self.one_month().span(chrono_tz::UTC).from.unix() + 3600 * self.random.random_range(0..600);
        let app = self.below(APPS.len());
        let hours = self.random.random_range(1..60);
        self.runs.push((app, from, vec![from + 3600 * hours]));
        self.log.push(format!("app {} runs {hours} h since {}", APPS[app].0, Timestamp::from_unix(from)));
    }

    /// It turns out that one ended earlier.
    fn use_less(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let at = self.below(self.runs.len());
        let (app, from, ends) = &mut self.runs[at];
        let (app, from) = (*app, *from);
        let to = from + (ends.iter().min().unwrap() - from) / 3600 / 2 * 3600;
        ends.push(to);
        self.log.push(format!("a run of app {} ended at {}", APPS[app].0, Timestamp::from_unix(to)));
    }

    /// Every event that there is by now, in the order of time; an ending that was corrected stands before the wrong one.
    fn events(&self) -> Vec<String> {
        let mut events: Vec<(i64, String)> = Vec::new();
        for (run, (app, from, ends)) in self.runs.iter().enumerate() {
            events.push((*from, event(*app, run, *from, "STARTED")));
            events.extend(ends.iter().map(|to| (*to, event(*app, run, *to, "STOPPED"))));
        }
        events.sort_by_key(|(at, _)| *at);
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// Runs something of the billing run, in one of four cases killed where it waits.
    fn with<T>(
        &mut self,
        act: impl AsyncFnOnce(&BillingRun<'_>) -> Result<T, BillingError>,
    ) -> Option<Result<T, BillingError>> {
        let dies = (self.below(4) == 0).then(|| self.below(60));
        let run = BillingRun::new(&self.configuration, &self.store, &self.clock, &self.card).unwrap();
        let mut left = dies;
        let done = self.runtime.block_on(async {
            let mut acting = pin!(act(&run));
            poll_fn(|context| {
                match &mut left {
                    Some(0) => return Poll::Ready(None),
                    Some(polls) => *polls -= 1,
                    None => {}
                }
                acting.as_mut().poll(context).map(Some)
            })
            .await
        });
        if done.is_none() {
            self.kills += 1;
            self.log.push("killed".to_owned());
            drop(run);
            self.store = self.runtime.block_on(Store::open(&self.program.database())).unwrap();
        }
        done
    }

    fn documents(&self) -> Vec<StoredInvoice> {
        self.runtime.block_on(async {
            let filter = InvoiceFilter { status: Some(Status::Final), ..InvoiceFilter::default() };
            let mut all = Vec::new();
            for one in self.store.invoices(&filter).await.unwrap() {
                all.push(self.store.invoice(one.number.as_deref().unwrap()).await.unwrap().unwrap());
            }
            all
        })
    }

    fn step(&mut self) {
        match self.below(15) {
            14 => self.sell(),
            0..3 => {
                for _ in 0..=self.below(3) {
                    self.use_some();
                }
                self.know();
            }
            3 => {
                self.use_less();
                self.know();
            }
            4 => {
                let month = self.one_month();
                self.log.push(format!("draft {month}"));
                self.allow(|run| Box::pin(async move { run.draft(month, None).await.map(|_| ()) }));
            }
            5..8 => {
                let month = self.one_month();
                self.log.push(format!("finalize {month}"));
                self.allow(|run| Box::pin(async move { run.finalize(month, None, &[], |_, _| ()).await.map(|_| ()) }));
            }
            8 | 9 => self.hold_or_release(),
            _ => self.correct(),
        }
    }

    /// Somebody else has o2 from now on, as if he always had.
    fn sell(&mut self) {
        self.owner = self.below(OWNERS.len());
        self.log.push(format!("o2 is {}'s", OWNERS[self.owner]));
        std::fs::write(self.program.folder.path().join("accounts.toml"), accounts(self.owner)).unwrap();
    }

    /// Whose o2 was in a month: whoever is charged for it, else whose it was by the file of then, if that one's invoice was
    /// made by it and stands; else whose it is.
    fn owner_in(&self, month: Month, documents: &[StoredInvoice]) -> usize {
        let reopened = |one: &&StoredInvoice| {
            let number = one.number.as_deref().unwrap();
            documents.iter().any(|note| note.document.reopens() && about(note) == Some(number))
        };
        let stands = |one: &&StoredInvoice| {
            one.document.month == month && one.document.kind() == DocumentKind::Invoice && !reopened(one)
        };
        let all: Vec<&StoredInvoice> = documents.iter().filter(stands).collect();
        let charged =
            all.iter().find(|one| one.document.coverage().iter().any(|of| of.organization.to_string() == "o2"));
        let position = |account: &str| OWNERS.iter().position(|owner| *owner == account);
        let by_then = |one: &&&StoredInvoice| {
            position(&one.document.account) == Some(self.owners[one.number.as_deref().unwrap()])
        };
        let claimed = all.iter().filter(by_then).min_by_key(|one| one.number.as_deref());
        // Who joins an account whose invoice is final pays for that month alone.
        let alone = all.iter().any(|one| one.document.account == OWNERS[self.owner]).then_some(OWNERS.len() - 1);
        (charged.or(claimed).and_then(|one| position(&one.document.account))).or(alone).unwrap_or(self.owner)
    }

    fn hold_or_release(&mut self) {
        let (month, hold) = (self.one_month(), self.below(2) == 0);
        let account = ["acme", "beta", "f/o4"][self.below(3)];
        self.log.push(format!("{} {month} of {account}", if hold { "hold" } else { "release" }));
        let at = self.clock.now();
        self.runtime
            .block_on(async {
                if hold {
                    self.store.hold(account, month, "disputed", at).await
                } else {
                    self.store.release(account, month, "agreed", at).await
                }
            })
            .unwrap();
    }

    fn know(&mut self) {
        self.runtime.block_on(learn(&self.store, &self.clock, self.events()));
    }

    /// A credit note of some kind for some invoice.
    fn correct(&mut self) {
        let finals: Vec<StoredInvoice> =
            self.documents().into_iter().filter(|one| one.document.kind() == DocumentKind::Invoice).collect();
        if finals.is_empty() {
            return;
        }
        let stored = finals[self.below(finals.len())].clone();
        let lines = stored.document.lines().len();
        let what = match self.below(8) {
            0 => CorrectionRequest::Credit(Credit::Whole),
            1 | 2 => CorrectionRequest::Credit(Credit::Anew),
            3 | 4 => CorrectionRequest::Difference(None),
            _ if lines == 0 => return,
            _ => {
                let line = 1 + self.below(lines);
                let some = self.random.random_range(1..1500);
                let amount = (self.below(3) > 0).then_some(Amount(some));
                CorrectionRequest::Credit(Credit::Lines(vec![(line, amount)]))
            }
        };
        self.log.push(format!("credit {} {what:?}", stored.number.as_deref().unwrap()));
        self.allow(move |run| Box::pin(async move { run.credit(&stored, what, "decided").await.map(|_| ()) }));
    }

    /// Does something, where only what can be expected may go wrong.
    fn allow(
        &mut self,
        act: impl for<'r> FnOnce(
            &'r BillingRun<'_>,
        ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), BillingError>> + 'r>>,
    ) {
        match self.with(async |run| act(run).await) {
            None | Some(Ok(())) => {}
            Some(Err(error)) => {
                self.log.push(format!("  {error}"));
                let expected = matches!(
                    &error,
                    BillingError::NoDifference { .. }
                        | BillingError::Reopened { .. }
                        | BillingError::Store(StoreError::Corrected(_))
                        | BillingError::Credit(
                            CreditError::NothingAtAll { .. }
                                | CreditError::NothingLeft { .. }
                                | CreditError::NothingCharged { .. }
                                | CreditError::TooMuch { .. }
                                | CreditError::MoreThanLeft { .. }
                                | CreditError::NotLess { .. }
                        )
                );
                assert!(expected, "{error:?}");
            }
        }
    }

    /// What each account's months cost to a book that learns everything at once, and knows who had o2.
    fn afresh(&mut self, documents: &[StoredInvoice]) -> BTreeMap<(String, Month), Invoice> {
        let fresh = database::with(Kind::Sqlite, Program::new);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = runtime.block_on(Store::open(&fresh.database())).unwrap();
        runtime.block_on(learn(&store, &self.clock, self.events()));
        let mut all = BTreeMap::new();
        for of in MONTHS.map(month) {
            let file = fresh.folder.path().join("accounts.toml");
            std::fs::write(&file, accounts(self.owner_in(of, documents))).unwrap();
            let mut configuration = self.configuration.clone();
            configuration.billing.accounts = Some(file);
            let run = BillingRun::new(&configuration, &store, &self.clock, &self.card).unwrap();
            for draft in runtime.block_on(run.compute(of, None)).unwrap() {
                all.insert((draft.invoice.account.clone(), of), draft.invoice);
            }
        }
        all
    }

    /// Everything that is wrong with the book as it is.
    fn judge(&mut self) -> Vec<String> {
        // What is outstanding is known once anything is drafted.
        let run = BillingRun::new(&self.configuration, &self.store, &self.clock, &self.card).unwrap();
        self.runtime.block_on(run.draft(month("2026-11"), None)).unwrap();
        drop(run);
        let documents = self.documents();
        for one in &documents {
            self.owners.entry(one.number.clone().unwrap()).or_insert(self.owner);
        }
        let (mut said, mut given, mut wrong) = (Sums::new(), Sums::new(), Vec::new());
        let invoices: BTreeMap<&str, &StoredInvoice> =
            documents.iter().map(|one| (one.number.as_deref().unwrap(), one)).collect();
        let reopened: BTreeSet<&str> =
            documents.iter().filter(|one| one.document.reopens()).filter_map(about).collect();
        for stored in &documents {
            let invoice = &stored.document;
            for (item, cents) in costs(invoice).0 {
                add(&mut said, &invoice.account, invoice.month, item, cents);
            }
            let about = about(stored);
            // What a credit note says of what an invoice carried is void with that invoice.
            for correction in &invoice.corrections {
                let account = &invoices[correction.number.as_str()].document.account;
                let item = item_of(correction);
                add(&mut said, account, correction.month, item.clone(), change(correction));
                let of_carried = about.is_some_and(|about| about != correction.number && reopened.contains(about));
                let decided = correction.cause == CorrectionCause::Credited
                    && invoice.kind() == DocumentKind::CreditNote
                    && !invoice.reopens()
                    && !of_carried;
                if decided {
                    add(&mut given, account, correction.month, item, change(correction));
                }
            }
            // No invoice gives back more than it charged.
            if let Some(about) = about {
                let notes = documents.iter().filter(|one| self::about(one) == Some(about));
                let back: i64 = notes.map(|one| one.document.net.0).sum();
                let charged = invoices[about].document.net.0;
                let by_decision = invoice.corrections.iter().all(|one| one.cause == CorrectionCause::Credited);
                if by_decision && !invoice.reopens() && charged + back < 0 {
                    wrong.push(format!("{about} charged {charged}, and {back} was given back"));
                }
            }
        }
        for pending in self.runtime.block_on(self.store.recalculations()).unwrap() {
            for correction in &pending.corrections {
                add(&mut said, &pending.account, pending.month, item_of(correction), change(correction));
            }
        }
        let afresh = self.afresh(&documents);
        let standing = |account: &str, month: Month| {
            let is = |one: &&StoredInvoice| {
                let of = &one.document;
                of.kind() == DocumentKind::Invoice && of.account == account && of.month == month
            };
            let all: Vec<&StoredInvoice> = documents.iter().filter(is).collect();
            let open = all.iter().filter(|one| !reopened.contains(one.number.as_deref().unwrap())).count();
            (all.len(), open)
        };
        for ((account, month), said) in &said {
            let (all, open) = standing(account, *month);
            let total: i64 = said.values().sum();
            if open == 0 {
                // Given back to be made anew, and not made yet.
                if all > 0 && total != 0 {
                    wrong.push(format!(
                        "{account} {month}: given back to be made anew, and documents come to {total}: {said:?}"
                    ));
                }
                continue;
            }
            let of = (account.clone(), *month);
            let (costs, shares) = afresh.get(&of).map(costs).unwrap_or_default();
            let nothing = BTreeMap::new();
            let given = given.get(&of).unwrap_or(&nothing);
            let items: BTreeSet<&Item> = said.keys().chain(costs.keys()).collect();
            let (mut due_in_all, mut moved, mut of_lines) = (0, 0, Vec::new());
            for item in items {
                let (cost, given) = (costs.get(item).copied().unwrap_or(0), given.get(item).copied().unwrap_or(0));
                let least = -shares.get(item).copied().unwrap_or(0);
                let due = if cost >= 0 { (cost + given).max(least.min(cost)) } else { (cost + given).min(0) };
                due_in_all += due;
                let said = said.get(item).copied().unwrap_or(0);
                // Of what was made anew the first documents cancel as a whole; what moved between lines alone is on none.
                if all == 1 && said != due {
                    moved += said - due;
                    of_lines.push(format!(
                        "{account} {month} {item:?}: documents come to {said}, it costs {cost} and {given} was given back: {due}"
                    ));
                }
            }
            if moved != 0 {
                wrong.extend(of_lines);
            }
            if total != due_in_all {
                wrong
                    .push(format!("{account} {month}: documents come to {total}, its lines to {due_in_all}: {said:?}"));
            }
        }
        wrong.extend(self.costs_otherwise());
        wrong
    }

    /// Where what months cost isn't what their documents come to.
    fn costs_otherwise(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for of in MONTHS.map(month) {
            let by = vec![CostKey::Account, CostKey::Organization, CostKey::App, CostKey::Kind, CostKey::Meter];
            let query = CostQuery { month: of, by, account: None };
            let filter = InvoiceFilter { month: Some(of), ..InvoiceFilter::default() };
            let (costs, documents) = self.runtime.block_on(async {
                (self.store.cost(&query, None).await.unwrap(), self.store.invoices(&filter).await.unwrap())
            });
            let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
            for row in &costs {
                sums.entry(row.keys[0].as_ref().unwrap().value.clone()).or_default().0 += row.amount.0;
            }
            for document in &documents {
                sums.entry(document.document.account.clone()).or_default().1 += document.document.net.0;
            }
            let apart = sums.into_iter().filter(|(_, (cost, nets))| cost != nets);
            wrong.extend(apart.map(|(account, (cost, nets))| {
                format!("{account} {of} costs {cost}, and its documents come to {nets}: {costs:?}")
            }));
        }
        wrong
    }

    /// Everything is brought to an end, and nothing moves any more.
    fn end(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        for of in MONTHS.map(month) {
            let run = BillingRun::new(&self.configuration, &self.store, &self.clock, &self.card).unwrap();
            self.runtime.block_on(run.finalize(of, None, &[], |_, _| ())).unwrap();
        }
        wrong.extend(self.judge());
        let verified = self.runtime.block_on(self.store.verify_invoices()).unwrap();
        wrong.extend(verified.iter().filter_map(|series| series.broken.clone()));
        wrong
    }
}

async fn learn(store: &Store, clock: &Clock, events: Vec<String>) {
    let mut importer = Importer::begin(store, clock, "f", Settings::default()).await.unwrap();
    let mut import = importer.events(Stream::App);
    let page = events.into_iter().map(|raw| (raw.clone(), decode(Stream::App, &raw))).collect();
    import.page(page).await.unwrap();
    import.finish().await.unwrap();
    importer.complete(Timestamp::parse("2026-12-01T00:00:00Z").unwrap()).await.unwrap();
}

fn play(seed: u64, loud: bool) -> Result<u64, String> {
    let mut book = Afterwards::new(seed);
    for _ in 0..4 + book.below(4) {
        book.use_some();
    }
    book.know();
    let mut wrong = Vec::new();
    for _ in 0..6 + book.below(10) {
        book.step();
        wrong = book.judge();
        if !wrong.is_empty() {
            break;
        }
    }
    if wrong.is_empty() {
        wrong = book.end();
    }
    if loud || !wrong.is_empty() {
        println!("seed {seed}\n{}", book.log.join("\n"));
    }
    if wrong.is_empty() { Ok(book.kills) } else { Err(wrong.join("\n")) }
}

/// The sequences to play: a short set, or those that `CF_BILLING_SEQUENCES` says, as `7` or `1-2000`.
fn sequences(short: u64) -> Vec<u64> {
    let Ok(text) = std::env::var("CF_BILLING_SEQUENCES") else { return (1..=short).collect() };
    let number = |text: &str| text.parse::<u64>().expect("a number, or two with a dash between them");
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let all = number(first)..=number(last);
    if kind() == Kind::Postgres { all.step_by(20).collect() } else { all.collect() }
}

fn run(short: u64) {
    let seeds = sequences(short);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    let kills = std::sync::atomic::AtomicU64::new(0);
    let of = kind();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let played = std::panic::catch_unwind(|| database::with(of, || play(*seed, seeds.len() == 1)));
                    match played {
                        Ok(Ok(count)) => {
                            kills.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
                        }
                        Ok(Err(why)) => failed.lock().unwrap().push(format!("seed {seed}: {why}")),
                        Err(_) => failed.lock().unwrap().push(format!("seed {seed}: panicked")),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let name = if of == Kind::Postgres { "postgresql" } else { "sqlite" };
    println!("{name}: {} sequences, {} kills", seeds.len(), kills.into_inner());
    assert!(failed.is_empty(), "{} of {} sequences failed\n{}", failed.len(), seeds.len(), failed.join("\n"));
}

/// Takes some 30 s: twenty books, each judged after each of its steps. `tests/long afterwards` has two thousand.
#[test]
fn documents_add_up_whatever_happens() {
    run(12);
}

mod on_postgres {
    #[test]
    fn documents_add_up_whatever_happens() {
        crate::support::database::on_postgres(|| super::run(4));
    }
}
