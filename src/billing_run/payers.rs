//! Who pays for what was used when: who did, where it is invoiced; else whose it is by the accounts file.
//! Owns how usage is split at a change of hands; never rates any.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::accounts::{Account, Accounts, Whereabouts};
use crate::domain::{Guid, Span};
use crate::invoicing::{Coverage, PlaceLabels};
use crate::rating::{LineKey, Named, Piece, UsageKey};
use crate::store::Invoiced;

/// Foundation, organization and space.
type Whereof = (String, Guid, Guid);

/// Whose usage of a month is on final invoices.
#[derive(Debug, Default)]
pub(super) struct Paid {
    /// Name by account.
    pub names: HashMap<String, Option<String>>,
    /// Account, and foundation and organization that it was charged for.
    organizations: HashSet<(String, (String, Guid))>,
    /// By foundation, organization and space; without a space: all of the organization.
    spans: HashMap<(String, Guid, Option<Guid>), Vec<Charged>>,
    /// Labels by which accounts' places were priced, by foundation, organization and space.
    labels: HashMap<(String, Whereof), Arc<PlaceLabels>>,
    /// Names by which accounts' usage was priced, where they may be others by now, by guid.
    renamed: HashMap<(String, Guid), Option<String>>,
    /// The accounts as they were when these invoices were made, where that is known, and whose were made so; the first
    /// comes first.
    pub made_by: Vec<(Accounts, BTreeSet<String>)>,
}

/// A span, and the account that is charged for it.
type Charged = (Span, String);

impl Paid {
    pub fn new(invoiced: Vec<Invoiced>) -> Self {
        let mut paid = Self::default();
        for Invoiced { account, account_name, organization, space, span, labels } in invoiced {
            paid.names.insert(account.clone(), account_name);
            if let Some((foundation, organization)) = organization {
                if let (Some(space), Some(labels)) = (&space, labels) {
                    let place = (foundation.clone(), organization.clone(), space.clone());
                    paid.labels.insert((account.clone(), place), Arc::new(labels));
                }
                paid.organizations.insert((account.clone(), (foundation.clone(), organization.clone())));
                paid.spans.entry((foundation, organization, space)).or_default().push((span, account));
            }
        }
        for spans in paid.spans.values_mut() {
            spans.sort();
        }
        paid
    }

    /// Takes note of the names by which usage was priced, of what may be called otherwise by now.
    pub fn note_names(&mut self, names: Vec<(String, Guid, Option<String>)>, later: &HashSet<Guid>) {
        let renamed = names.into_iter().filter(|(_, guid, _)| later.contains(guid));
        self.renamed.extend(renamed.map(|(account, guid, name)| ((account, guid), name)));
    }

    /// Whether usage may be called or labelled otherwise now than when it was priced.
    fn may_differ(&self, account: &str) -> bool {
        self.names.contains_key(account) && !(self.labels.is_empty() && self.renamed.is_empty())
    }

    /// What usage of `account` was called and labelled when its month was priced, where that is known.
    fn as_priced(&self, account: &str, key: &UsageKey) -> UsageKey {
        let named = |named: &Named| Named {
            name: match self.renamed.get(&(account.to_owned(), named.guid.clone())) {
                Some(name) => name.clone(),
                None => named.name.clone(),
            },
            guid: named.guid.clone(),
        };
        let line = &key.line;
        let place = (line.foundation.clone(), line.organization.guid.clone(), line.space.guid.clone());
        let line = LineKey {
            organization: named(&line.organization),
            space: named(&line.space),
            service_offering: line.service_offering.as_ref().map(named),
            service_plan: line.service_plan.as_ref().map(named),
            ..(**line).clone()
        };
        let mut key = UsageKey { line: Arc::new(line), ..key.clone() };
        if let Some(labels) = self.labels.get(&(account.to_owned(), place)) {
            key.organization_labels = Arc::new(labels.organization.clone());
            key.space_labels = Arc::new(labels.space.clone());
        }
        key
    }

    /// Whether usage of the organization is on the account's final invoice.
    fn has(&self, account: &str, key: &UsageKey) -> bool {
        let organization = (key.line.foundation.clone(), key.line.organization.guid.clone());
        self.organizations.contains(&(account.to_owned(), organization))
    }

    /// The spans of a space's usage that are charged already, in order.
    fn of(&self, key: &UsageKey) -> Vec<Charged> {
        let line = &key.line;
        let of = |space: Option<Guid>| {
            self.spans.get(&(line.foundation.clone(), line.organization.guid.clone(), space)).cloned()
        };
        let mut spans = of(Some(line.space.guid.clone())).unwrap_or_default();
        spans.extend(of(None).unwrap_or_default());
        spans.sort();
        spans
    }
}

/// A span of one space's usage, and who pays for it.
pub(super) type Owner = (Span, Arc<Account>);

/// A space of one organization in one foundation, and whose it is when.
#[derive(Debug)]
struct OwnedSpace {
    foundation: String,
    organization: Guid,
    space: Guid,
    labels: PlaceLabels,
    /// The whole period, in order, without gap or overlap.
    owners: Arc<[Owner]>,
}

/// One account's pieces of a resource, and the places that they are of.
#[derive(Debug)]
pub(super) struct Share {
    pub account: Arc<Account>,
    pub pieces: Vec<Piece>,
    pub places: BTreeSet<usize>,
}

/// Finds payers, each place once.
#[derive(Debug)]
pub(super) struct Payers<'a> {
    pub accounts: &'a Accounts,
    pub paid: &'a Paid,
    pub period: Span,
    places: Vec<OwnedSpace>,
    known: HashMap<(String, Guid, Guid), usize>,
    /// Accounts by id, so that one id is one account.
    by_id: HashMap<String, Arc<Account>>,
    /// Keys as they were priced, by the places in memory of their accounts and of what they are now.
    as_priced: HashMap<(usize, usize), (Arc<UsageKey>, Arc<UsageKey>)>,
}

impl<'a> Payers<'a> {
    pub fn new(accounts: &'a Accounts, paid: &'a Paid, period: Span) -> Self {
        Self {
            accounts,
            paid,
            period,
            places: Vec::new(),
            known: HashMap::new(),
            by_id: HashMap::new(),
            as_priced: HashMap::new(),
        }
    }

    /// The account of that id: of the file, or one that only the book knows.
    pub fn account(&mut self, id: &str) -> Arc<Account> {
        if let Some(known) = self.by_id.get(id) {
            return known.clone();
        }
        let account = self.accounts.get(id).cloned().unwrap_or_else(|| {
            let name = self.paid.names.get(id).cloned().flatten();
            let (foundation, guid) = id.split_once('/').unwrap_or(("", id));
            let named = crate::rating::Named { name, guid: Guid::new(guid) };
            let mut own = self.accounts.own(foundation, &named);
            id.clone_into(&mut own.id);
            // The id of an account that the file has no more names none.
            own.foundations.retain(|foundation| !foundation.is_empty());
            own
        });
        let account = Arc::new(account);
        self.by_id.insert(id.to_owned(), account.clone());
        account
    }

    /// The number of a space's place.
    fn place(&mut self, key: &UsageKey) -> usize {
        let line = &key.line;
        let of = (line.foundation.clone(), line.organization.guid.clone(), line.space.guid.clone());
        if let Some(known) = self.known.get(&of) {
            return *known;
        }
        let owners = self.owners(key).into();
        let (foundation, organization, space) = of.clone();
        let labels =
            PlaceLabels { organization: (*key.organization_labels).clone(), space: (*key.space_labels).clone() };
        self.places.push(OwnedSpace { foundation, organization, space, labels, owners });
        self.known.insert(of, self.places.len() - 1);
        self.places.len() - 1
    }

    /// Who pays for a space: who is charged for it; else whose it was by the file that his own final invoice was made by,
    /// who pays with his next one; else whose it is by the file now.
    fn owners(&mut self, key: &UsageKey) -> Vec<Owner> {
        let mut owners: Vec<Owner> = Vec::new();
        for (span, now) in self.owned(self.accounts, key) {
            let account = match now {
                // Who joins an account whose invoice is final pays for that month alone.
                Some(id) if !self.paid.names.contains_key(&id) || self.paid.has(&id, key) => self.account(&id),
                _ => self.own(key),
            };
            join(&mut owners, span, &account);
        }
        let own = self.own(key).id.clone();
        let mut claimed: Vec<Charged> = Vec::new();
        for (accounts, made) in self.paid.made_by.iter().rev() {
            let then = self.owned(accounts, key).into_iter();
            let then = then.map(|(span, id)| (span, id.unwrap_or_else(|| own.clone())));
            claimed.extend(then.filter(|(_, id)| made.contains(id)));
        }
        for (span, id) in claimed.into_iter().chain(self.paid.of(key)) {
            let account = self.account(&id);
            owners = overlaid(owners, span, &account);
        }
        owners
    }

    /// The whole period by whose a space is, by an accounts file: in order, without gap or overlap.
    fn owned(&self, accounts: &Accounts, key: &UsageKey) -> Vec<(Span, Option<String>)> {
        let owners = accounts.owners(&Whereabouts::from(key), self.period).into_iter();
        owners.map(|(span, account)| (span, account.map(|account| account.id.clone()))).collect()
    }

    fn own(&mut self, key: &UsageKey) -> Arc<Account> {
        let own = self.accounts.own(&key.line.foundation, &key.line.organization);
        self.by_id.entry(own.id.clone()).or_insert_with(|| Arc::new(own)).clone()
    }

    /// A resource's pieces by who pays for them, cut where it changes hands.
    pub fn split(&mut self, pieces: Vec<Piece>) -> Vec<Share> {
        let mut shares: Vec<Share> = Vec::new();
        // Mostly all of one place.
        let mut last: Option<(Arc<UsageKey>, usize)> = None;
        for piece in pieces {
            let place = match &last {
                Some((key, place)) if Arc::ptr_eq(key, &piece.key) => *place,
                _ => self.place(&piece.key),
            };
            last = Some((piece.key.clone(), place));
            let owners = self.places[place].owners.clone();
            let last_owner = owners.len().saturating_sub(1);
            for (position, (span, account)) in owners.iter().enumerate() {
                let within = piece.span.within(*span);
                // What has no length is its owner's at that instant.
                let at_once = piece.span.from == piece.span.to
                    && span.from <= piece.span.from
                    && (piece.span.from < span.to || position == last_owner);
                if within.from >= within.to && !at_once {
                    continue;
                }
                let key = self.as_priced(account, &piece.key);
                let piece = Piece { key, span: if at_once { piece.span } else { within }, ..piece.clone() };
                match shares.iter_mut().find(|share| share.account.id == account.id) {
                    Some(share) => {
                        share.pieces.push(piece);
                        share.places.insert(place);
                    }
                    None => shares.push(Share {
                        account: account.clone(),
                        pieces: vec![piece],
                        places: BTreeSet::from([place]),
                    }),
                }
            }
        }
        shares
    }

    /// A key as it was when the account's invoice was made, if that is final.
    fn as_priced(&mut self, account: &Arc<Account>, key: &Arc<UsageKey>) -> Arc<UsageKey> {
        if !self.paid.may_differ(&account.id) {
            return key.clone();
        }
        let of = (Arc::as_ptr(account) as usize, Arc::as_ptr(key) as usize);
        // `by_id` keeps the account and what is kept here the key alive, so that their places in memory are no other's.
        let (_, priced) =
            self.as_priced.entry(of).or_insert_with(|| (key.clone(), Arc::new(self.paid.as_priced(&account.id, key))));
        priced.clone()
    }

    /// What of some places an account is charged for.
    pub fn coverage(&self, places: &BTreeSet<usize>, account: &str) -> Vec<Coverage> {
        let of_place = |place: &OwnedSpace| -> Vec<Coverage> {
            let owned = place.owners.iter().filter(|(_, owner)| owner.id == account);
            let of = |(span, _): &Owner| Coverage {
                foundation: place.foundation.clone(),
                organization: place.organization.clone(),
                space: place.space.clone(),
                span: *span,
                labels: Some(place.labels.clone()),
            };
            owned.map(of).collect()
        };
        let mut coverage: Vec<Coverage> = places.iter().flat_map(|place| of_place(&self.places[*place])).collect();
        coverage.sort();
        coverage
    }
}

/// Owners, with `span` given to `account`; neighbours with one owner are one.
fn overlaid(owners: Vec<Owner>, span: Span, account: &Arc<Account>) -> Vec<Owner> {
    let mut parts: Vec<Owner> = Vec::with_capacity(owners.len() + 2);
    for (known, owner) in owners {
        let before = Span { from: known.from, to: known.to.min(span.from) };
        let within = known.within(span);
        let after = Span { from: known.from.max(span.to), to: known.to };
        for (part, owner) in [(before, &owner), (within, account), (after, &owner)] {
            if part.from < part.to {
                join(&mut parts, part, owner);
            }
        }
    }
    parts
}

/// Adds the next span in time; neighbours with one owner are one.
fn join(parts: &mut Vec<Owner>, span: Span, owner: &Arc<Account>) {
    match parts.last_mut() {
        Some((last, of)) if last.to == span.from && of.id == owner.id => last.to = span.to,
        _ => parts.push((span, owner.clone())),
    }
}
