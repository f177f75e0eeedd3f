//! How quantity and price of a line are said so that a reader who multiplies them comes to its amount.
//! Owns which of the exact forms is taken; never changes an amount.

use rust_decimal::Decimal;

use crate::domain::{Amount, Currency, Price};
use crate::rate_card::{Meter, units};

/// BT-129, BT-130, BT-146 and BT-149.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Priced {
    pub quantity: Decimal,
    /// Of UN/ECE recommendations 20 and 21.
    pub unit: &'static str,
    pub price: Decimal,
    /// For how much of the quantity the price is; `None`: one.
    pub base: Option<Decimal>,
}

/// Seconds; hours; months; one, of what has no unit.
const SECOND: &str = "SEC";
const HOUR: &str = "HUR";
const MONTH: &str = "MON";
pub(super) const ONE: &str = "C62";

/// What was used, and what it costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub meter: Meter,
    /// The unit is a package, not the meter's.
    pub is_package: bool,
    pub quantity: i64,
    pub unit_size: i64,
    pub price: Price,
    pub amount: Amount,
}

impl Priced {
    /// A whole, for its amount: the price is never negative, the quantity is.
    pub(super) fn whole(amount: Amount, currency: Currency) -> Self {
        let major = amount.in_major_units(currency);
        let quantity = if amount < Amount::default() { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
        Self { quantity, unit: ONE, price: major.abs(), base: None }
    }

    /// What was used, unless price × quantity says something else than the amount: in units of the price, if six
    /// decimals are enough for that; else in seconds, at the price for an hour or month of them; else at the amount
    /// for all of it (a share of packages; a currency without decimals, where readers allow for two hundredths).
    pub(super) fn of(cost: Cost, currency: Currency) -> Self {
        let readable = cost.readable();
        let exact = cost.exact();
        let all = || std::iter::once(&readable).chain(&exact);
        let wanted = cost.amount.in_major_units(currency);
        let says = |priced: &&Self| priced.rounded(currency) == Some(wanted) && priced.is_near(wanted);
        let found = all().find(says).or_else(|| all().find(|priced| priced.is_near(wanted)));
        found.cloned().unwrap_or_else(|| cost.at_amount(currency))
    }

    /// Price × quantity, if that can be said exactly enough.
    fn product(&self) -> Option<Decimal> {
        self.price.checked_mul(self.quantity)?.checked_div(self.base.unwrap_or(Decimal::ONE))
    }

    /// As a reader would round it.
    fn rounded(&self, currency: Currency) -> Option<Decimal> {
        let strategy = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
        Some(self.product()?.round_dp_with_strategy(currency.digits(), strategy))
    }

    /// PEPPOL-EN16931-R120 allows for 0.02; half of that is kept for readers with less digits.
    fn is_near(&self, wanted: Decimal) -> bool {
        self.product().is_some_and(|product| (product - wanted).abs() <= Decimal::new(1, 2))
    }
}

impl Cost {
    fn unit(&self) -> &'static str {
        match self.meter {
            _ if self.is_package => ONE,
            // A GiB-hour is an hour of one GiB; no code is for both.
            Meter::InstanceHour | Meter::MemoryGibHour | Meter::DiskGibHour => HOUR,
            Meter::Month => MONTH,
            Meter::Staging => ONE,
        }
    }

    fn readable(&self) -> Priced {
        let quantity = units(self.quantity, self.unit_size);
        Priced { quantity, unit: self.unit(), price: self.price.decimal(), base: None }
    }

    /// In seconds, which are whole: of an instance, or of one GiB.
    fn exact(&self) -> Option<Priced> {
        let per_second = match self.meter {
            Meter::InstanceHour | Meter::Month => 1,
            Meter::MemoryGibHour | Meter::DiskGibHour => 1024,
            Meter::Staging => return None,
        };
        if self.is_package || self.unit_size % per_second != 0 {
            return None;
        }
        let seconds = |quantity: i64| (Decimal::from(quantity) / Decimal::from(per_second)).normalize();
        let (quantity, base) = (seconds(self.quantity), seconds(self.unit_size));
        Some(Priced { quantity, unit: SECOND, price: self.price.decimal(), base: Some(base) })
    }

    fn at_amount(&self, currency: Currency) -> Priced {
        let quantity = units(self.quantity, self.unit_size);
        if quantity <= Decimal::ZERO || self.amount < Amount::default() {
            return Priced::whole(self.amount, currency);
        }
        Priced { quantity, unit: self.unit(), price: self.amount.in_major_units(currency), base: Some(quantity) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, Priced};
    use crate::domain::money::amount;
    use crate::domain::{Amount, Currency, Rounding};
    use crate::rate_card::Meter;

    /// `744 HUR at 0.0125`, `1 SEC at 2 per 3600`.
    fn shown(priced: &Priced) -> String {
        let base = priced.base.map(|base| format!(" per {base}")).unwrap_or_default();
        format!("{} {} at {}{base}", priced.quantity, priced.unit, priced.price)
    }

    fn check(meter: Meter, unit_size: i64, quantity: i64, price: &str, code: &str, rounding: Rounding) -> String {
        let (currency, price) = (Currency::from_code(code).unwrap(), price.parse().unwrap());
        let amount = amount(quantity, price, unit_size, currency, rounding).unwrap();
        let cost = Cost { meter, is_package: false, quantity, unit_size, price, amount };
        format!("{} = {}", shown(&Priced::of(cost, currency)), amount.in_major_units(currency))
    }

    #[test]
    fn a_quantity_is_said_so_that_it_comes_to_the_amount() {
        let gib = 3_686_400;
        for (meter, unit, quantity, price, code, rounding, wanted) in [
            // In units, rounded to six decimals or not.
            (Meter::MemoryGibHour, gib, gib * 744, "0.0125", "EUR", Rounding::HalfUp, "744 HUR at 0.0125 = 9.30"),
            (Meter::MemoryGibHour, gib, 1024, "0.0125", "EUR", Rounding::HalfUp, "0.000278 HUR at 0.0125 = 0.00"),
            (Meter::InstanceHour, 3600, 1, "1000", "EUR", Rounding::HalfUp, "0.000278 HUR at 1000 = 0.28"),
            (Meter::Staging, 1, 3, "0.01", "EUR", Rounding::HalfUp, "3 C62 at 0.01 = 0.03"),
            (Meter::Month, 2_678_400, 2_678_400, "25", "EUR", Rounding::HalfUp, "1 MON at 25 = 25.00"),
            // Where six decimals come to another cent.
            (Meter::InstanceHour, 3600, 1, "100000", "EUR", Rounding::HalfUp, "1 SEC at 100000 per 3600 = 27.78"),
            (Meter::MemoryGibHour, gib, 1536, "72000", "EUR", Rounding::HalfUp, "1.5 SEC at 72000 per 3600 = 30.00"),
            // Rounded another way than readers do, by less than a cent.
            (Meter::MemoryGibHour, gib, gib, "0.0125", "EUR", Rounding::Up, "1 HUR at 0.0125 = 0.02"),
            (Meter::MemoryGibHour, gib, gib, "0.0199", "EUR", Rounding::Down, "1 HUR at 0.0199 = 0.01"),
            // Without decimals, readers would allow for less than a yen.
            (Meter::MemoryGibHour, gib, gib * 741, "0.0125", "JPY", Rounding::HalfUp, "741 HUR at 9 per 741 = 9"),
            (Meter::MemoryGibHour, gib, gib * 720, "0.0125", "JPY", Rounding::HalfUp, "720 HUR at 0.0125 = 9"),
            (Meter::InstanceHour, 3600, 1, "1", "JPY", Rounding::Up, "0.000278 HUR at 1 per 0.000278 = 1"),
            (Meter::InstanceHour, 3600, 0, "1", "JPY", Rounding::Up, "0 HUR at 1 = 0"),
        ] {
            assert_eq!(check(meter, unit, quantity, price, code, rounding), wanted);
        }
    }

    #[test]
    fn a_share_of_packages_costs_its_amount() {
        let (currency, price) = (Currency::EUR, "5".parse().unwrap());
        let meter = Meter::MemoryGibHour;
        let cost = |quantity, unit_size, amount| Cost {
            meter,
            is_package: true,
            quantity,
            unit_size,
            price,
            amount: Amount(amount),
        };
        assert_eq!(shown(&Priced::of(cost(1, 4, 400), currency)), "0.25 C62 at 4.00 per 0.25");
        assert_eq!(shown(&Priced::of(cost(1, 4, 125), currency)), "0.25 C62 at 5");
        // So little that it rounds to nothing.
        assert_eq!(shown(&Priced::of(cost(1, 1 << 40, 500), currency)), "1 C62 at 5.00");
        assert_eq!(shown(&Priced::whole(Amount(-125), currency)), "-1 C62 at 1.25");
        assert_eq!(shown(&Priced::whole(Amount(0), currency)), "1 C62 at 0.00");
    }
}
