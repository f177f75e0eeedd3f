//! Every key that a card may have, with its meaning: what the parser knows, the schema offers to editors, and the
//! documentation lists. Owns the names; reads nothing.

use super::Meter;
use crate::domain::codes::{Code, TAX_CATEGORIES};
use crate::domain::{Kind, Rounding};
use crate::keyed::{Described, Key, Takes, key};

/// The lists of a card, each a block with `[[…]]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Rate(Kind),
    Allowance,
    Discount,
    Minimum,
    Commitment,
    Tax,
}

impl Block {
    pub const ALL: [Self; 9] = [
        Self::Rate(Kind::Process),
        Self::Rate(Kind::Staging),
        Self::Rate(Kind::Task),
        Self::Rate(Kind::Service),
        Self::Allowance,
        Self::Discount,
        Self::Minimum,
        Self::Commitment,
        Self::Tax,
    ];

    /// What stands between the brackets.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate(kind) => kind.name(),
            Self::Allowance => "allowance",
            Self::Discount => "discount",
            Self::Minimum => "minimum",
            Self::Commitment => "commitment",
            Self::Tax => "tax",
        }
    }

    /// What it is, in a line.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Rate(Kind::Process) => "What instances of apps cost",
            Self::Rate(Kind::Staging) => "What building apps costs",
            Self::Rate(Kind::Task) => "What tasks cost",
            Self::Rate(Kind::Service) => "What service instances cost",
            Self::Allowance => "A quantity that is free each month",
            Self::Discount => "What is taken off",
            Self::Minimum => "What an invoice is filled up to",
            Self::Commitment => "What is always paid, and covers usage up to its amount",
            Self::Tax => "The tax on top, as of the month's end; prices are without tax",
        }
    }

    /// Its keys.
    #[must_use]
    pub fn keys(self) -> Vec<Key> {
        let groups: &[&[Key]] = match self {
            Self::Rate(Kind::Process) => &[WHEN, WHOM, BUILDPACK, TYPE, HOURS, TERMS, &[SURCHARGE_OF_HOURS]],
            Self::Rate(Kind::Staging) => &[WHEN, WHOM, BUILDPACK, HOURS, STAGING, TERMS, &[SURCHARGE_OF_STAGING]],
            Self::Rate(Kind::Task) => &[WHEN, WHOM, HOURS, TERMS, &[SURCHARGE_OF_HOURS]],
            Self::Rate(Kind::Service) => &[WHEN, WHOM, PLAN, SERVICE, TERMS],
            Self::Allowance => &[&[NAME], WHEN, WHOM, ALLOWANCE, BUILDPACK, TYPE, PLAN],
            Self::Discount => &[&[NAME], WHEN, WHOM, DISCOUNT],
            Self::Minimum | Self::Commitment => &[&[NAME], WHEN, &[ACCOUNT], &[AMOUNT.required()]],
            Self::Tax => &[WHEN, TAX],
        };
        groups.concat()
    }

    /// The list itself, as a key of the file.
    fn key(self) -> Key {
        let keys: fn() -> Vec<Key> = match self {
            Self::Rate(Kind::Process) => || Self::Rate(Kind::Process).keys(),
            Self::Rate(Kind::Staging) => || Self::Rate(Kind::Staging).keys(),
            Self::Rate(Kind::Task) => || Self::Rate(Kind::Task).keys(),
            Self::Rate(Kind::Service) => || Self::Rate(Kind::Service).keys(),
            Self::Allowance => || Self::Allowance.keys(),
            Self::Discount => || Self::Discount.keys(),
            Self::Minimum => || Self::Minimum.keys(),
            Self::Commitment => || Self::Commitment.keys(),
            Self::Tax => || Self::Tax.keys(),
        };
        key(self.name(), Takes::Tables(keys), self.about())
    }
}

/// The keys of a file: those at its top, and its lists.
pub(super) fn file() -> Vec<Key> {
    TOP.iter().copied().chain(Block::ALL.into_iter().map(Block::key)).collect()
}

/// Every table of keys, for documentation.
#[must_use]
pub fn tables() -> Vec<Described> {
    let described = |heading: &str, about, keys| Described { heading: heading.to_owned(), about, keys };
    let blocks =
        Block::ALL.into_iter().map(|block| described(&format!("`[[{}]]`", block.name()), block.about(), block.keys()));
    std::iter::once(described("At the top", "", TOP.to_vec()))
        .chain(blocks)
        .chain([
            described("A price as a table", "", MODEL.to_vec()),
            described("A tier", "", tier()),
            described("`granularity`", "", granularity()),
        ])
        .collect()
}

/// The keys at the top of a file.
const TOP: &[Key] = &[
    key("name", Takes::Text, "The card's name").required(),
    key("currency", Takes::Code(Code::Currency), "ISO 4217 code of all its prices, such as EUR").required(),
    key("from", Takes::Time, "When the blocks of this file begin, unless they say it themselves"),
    key("to", Takes::Time, "When the blocks of this file end, unless they say it themselves"),
    key(
        "rounding",
        Takes::Choice(&ROUNDINGS),
        "How each line is rounded to the currency's smallest unit: half_up (away from zero; the default), half_even, up or down",
    ),
];

const ROUNDINGS: [&str; 4] =
    [Rounding::HalfUp.name(), Rounding::HalfEven.name(), Rounding::Up.name(), Rounding::Down.name()];

const TAX: &[Key] = &[
    key("name", Takes::Text, "As on the invoice, such as VAT"),
    key(
        "category",
        Takes::Choice(&TAX_CATEGORIES),
        "Category of EN 16931: S standard (the default), Z zero rated, E exempt, AE reverse charge, K within the EU, G export, O outside",
    ),
    key("percent", Takes::Decimal, "Of the net total, such as \"19\"").required(),
];

const WHEN: &[Key] = &[
    key("from", Takes::Time, "In force from here: a date is midnight in the billing time zone; left out, always was"),
    key(
        "to",
        Takes::Time,
        "In force until just before this time; left out, until a later block for the same usage takes over",
    ),
];

const NAME: Key = key("name", Takes::Text, "As on the invoice");
const ACCOUNT: Key =
    key("account", Takes::Text, "Only for this account: its id in the accounts file, else FOUNDATION/ORG-GUID");
const AMOUNT: Key = key("amount", Takes::Decimal, "For a whole month, in the card's currency");

const WHOM: &[Key] = &[
    ACCOUNT,
    key("org", Takes::Text, "Only for this org: FOUNDATION/NAME or FOUNDATION/GUID"),
    key("org_label", Takes::Text, "Only for orgs with this label: KEY=VALUE"),
    key("space_label", Takes::Text, "Only for spaces with this label: KEY=VALUE"),
];

const BUILDPACK: &[Key] = &[
    key("buildpack", Takes::Text, "Only under this buildpack, by name or custom URL"),
    key("buildpack_guid", Takes::Text, "Only under the buildpack with this guid"),
    key("buildpack_pattern", Takes::Text, "Only under buildpacks like this; * stands for anything"),
    key("without_buildpack", Takes::True, "Only usage without a buildpack, such as docker images"),
];

const TYPE: &[Key] = &[key("process_type", Takes::Text, "Only processes of this type, such as web")];

const HOURS: &[Key] = &[
    key(Meter::InstanceHour.name(), Takes::Defined("price"), "Price of one instance for an hour"),
    key(Meter::MemoryGibHour.name(), Takes::Defined("price"), "Price of 1 GiB of memory for an hour"),
    key(Meter::DiskGibHour.name(), Takes::Defined("price"), "Price of 1 GiB of disk for an hour"),
];

const STAGING: &[Key] = &[
    key(Meter::Staging.name(), Takes::Defined("price"), "Price of each staging, in the month in which it begins"),
    key("minimum_seconds", Takes::Whole { min: 1, max: 86_400 }, "Each staging counts at least this long"),
];

const PLAN: &[Key] = &[
    key("plan_guid", Takes::Text, "Only this plan, by guid"),
    key("offering", Takes::Text, "Only this offering, by its newest name"),
    key("plan", Takes::Text, "Only this plan of the offering, by its newest name"),
    key("broker", Takes::Text, "Only of this service broker, by its guid or newest name"),
    key("user_provided", Takes::True, "Only user-provided service instances, which are free unless a rate is for them"),
];

const SERVICE: &[Key] = &[
    key(Meter::InstanceHour.name(), Takes::Defined("price"), "Price of one instance for an hour"),
    key(Meter::Month.name(), Takes::Decimal, "Price of one instance for a calendar month, by the second"),
];

const TERMS: &[Key] = &[
    key("free", Takes::True, "It costs nothing"),
    key("multiplier", Takes::Decimal, "Instead of prices: those of the next less specific rate, times this"),
    key(
        "granularity",
        Takes::Table(granularity),
        "How lengths are rounded: { unit = \"hour\", round = \"up\", per = \"interval\" }; left out, by the second, or as the rate that it changes",
    ),
];

const fn surcharge(keys: fn() -> Vec<Key>) -> Key {
    key(
        "surcharge",
        Takes::SomeOf(keys),
        "Instead of prices: those of the next less specific rate, plus these: { memory_gib_hour = \"0.001\" }",
    )
}

const SURCHARGE_OF_HOURS: Key = surcharge(|| surcharges(Kind::Process));
const SURCHARGE_OF_STAGING: Key = surcharge(|| surcharges(Kind::Staging));

/// A surcharge by meter.
fn surcharges(kind: Kind) -> Vec<Key> {
    Meter::of(kind).iter().map(|meter| key(meter.name(), Takes::Decimal, "")).collect()
}

const KINDS: [&str; 4] = [Kind::Process.name(), Kind::Staging.name(), Kind::Task.name(), Kind::Service.name()];
const METERS: [&str; 5] = [
    Meter::InstanceHour.name(),
    Meter::MemoryGibHour.name(),
    Meter::DiskGibHour.name(),
    Meter::Month.name(),
    Meter::Staging.name(),
];

const ALLOWANCE: &[Key] = &[
    key("kind", Takes::Choice(&KINDS), "Of which kind of usage").required(),
    key("meter", Takes::Choice(&METERS), "Of which quantity").required(),
    key("amount", Takes::Decimal, "How much in a whole month, in the meter's unit").required(),
    key("per", Takes::Choice(&["account", "org"]), "Who gets it: each account (the default) or each org"),
];

const DISCOUNT: &[Key] = &[
    key("kind", Takes::Choice(&KINDS), "Only on this kind of usage"),
    key("percent", Takes::Decimal, "Of the list amount, such as \"10\""),
    key("amount", Takes::Decimal, "For a whole month, in the card's currency; never more than the amount due"),
];

fn granularity() -> Vec<Key> {
    vec![
        key("unit", Takes::Choice(&["second", "minute", "hour"]), "Whole seconds, minutes or hours").required(),
        key("round", Takes::Choice(&["up", "nearest"]), "Up (the default), or to the nearest, halves up"),
        key(
            "per",
            Takes::Choice(&["interval", "day"]),
            "Each interval (the default), or each resource's day as a whole",
        ),
    ]
}

/// The keys of a price model.
pub(super) const MODEL: &[Key] = &[
    key("model", Takes::Choice(&["flat", "graduated", "volume", "package"]), "How the price follows from the quantity")
        .required(),
    key("price", Takes::Decimal, "flat, package: the price"),
    key("size", Takes::Decimal, "package: its size in units; each package begun is paid"),
    key("tiers", Takes::Tables(tier), "graduated, volume: its steps"),
];

/// The keys of a tier.
pub(super) fn tier() -> Vec<Key> {
    vec![
        key("up_to", Takes::Decimal, "Its end, inclusive, in units per month; the last tier has none"),
        key("price", Takes::Decimal, "Price of a unit").required(),
    ]
}
