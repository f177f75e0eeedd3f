//! Query parameters: decoded, validated in Cloud Controller's words, and applied to rows.

use serde_json::Value;
use url::form_urlencoded;

use crate::domain::Timestamp;

/// A request's parameters, in the order given.
#[derive(Clone, Debug)]
pub struct Query {
    parameters: Vec<(String, String)>,
    /// Applied, but not named in links: they come from the path.
    implied: Vec<(String, String)>,
    /// `page * per_page` must be less.
    limit: i128,
}

/// `created_ats[gte]` as `created_ats` and `gte`.
fn split(key: &str) -> (&str, Option<&str>) {
    match key.split_once('[') {
        Some((name, operator)) => (name, Some(operator.trim_end_matches(']'))),
        None => (key, None),
    }
}

impl Query {
    pub fn parse(query: &str) -> Self {
        let parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { parameters, implied: Vec::new(), limit: i128::from(i64::MAX) }
    }

    /// With another limit of results than the largest number there is.
    pub fn within(self, limit: Option<u32>) -> Self {
        Self { limit: limit.map_or(self.limit, i128::from), ..self }
    }

    /// With one more, which comes from the path.
    pub fn and(mut self, key: &str, value: &str) -> Self {
        self.implied.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Without any but these.
    pub fn only(&self, keys: &[&str]) -> Self {
        let mut query = self.clone();
        query.parameters.retain(|(key, _)| keys.contains(&key.as_str()));
        query
    }

    fn all(&self) -> impl Iterator<Item = &(String, String)> {
        self.parameters.iter().chain(&self.implied)
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.all().rev_find(key)
    }

    /// The operators and values of `key[operator]=value`.
    pub fn relational(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        self.all().filter_map(move |(name, value)| match split(name) {
            (name, Some(operator)) if name == key => Some((operator, value.as_str())),
            _ => None,
        })
    }

    /// What is wrong, all messages joined, as Cloud Controller says it.
    pub fn check(&self, known: &[&str], order_by: &[&str]) -> Result<(), String> {
        let mut messages = Vec::new();
        let unknown: Vec<String> = (self.parameters.iter())
            .map(|(key, _)| split(key).0)
            .filter(|key| !known.contains(key))
            .map(|key| format!("'{key}'"))
            .collect();
        if !unknown.is_empty() {
            let valid: Vec<String> = known.iter().map(|key| format!("'{key}'")).collect();
            messages.push(format!(
                "Unknown query parameter(s): {}. Valid parameters are: {}",
                unknown.join(", "),
                valid.join(", ")
            ));
        }
        messages.extend(self.check_page());
        messages.extend(self.check_per_page());
        if let Some(order) = self.get("order_by")
            && !order_by.contains(&order.trim_start_matches(['+', '-']))
        {
            let allowed: Vec<String> = order_by.iter().map(|key| format!("'{key}'")).collect();
            messages.push(format!("Order by can only be: {}", allowed.join(", ")));
        }
        for key in ["created_ats", "updated_ats"] {
            let equal = self.get(key).into_iter().flat_map(|text| text.split(','));
            if equal.chain(self.relational(key).map(|(_, text)| text)).any(|text| time(text).is_none()) {
                let name = if key == "created_ats" { "Created ats" } else { "Updated ats" };
                messages.push(format!(
                    "{name} has an invalid timestamp format. Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'"
                ));
            }
        }
        if messages.is_empty() { Ok(()) } else { Err(messages.join(", ")) }
    }

    fn check_page(&self) -> Option<String> {
        let text = self.get("page").unwrap_or("1");
        match text.parse::<i128>() {
            Ok(page) if page * i128::from(self.per_page()) >= self.limit => {
                Some(format!("Maximum result (page * per_page) must be less than {}", self.limit))
            }
            Ok(1..) => None,
            _ => Some("Page must be a positive integer".to_owned()),
        }
    }

    fn check_per_page(&self) -> Option<String> {
        let text = self.get("per_page")?;
        match text.parse::<i128>() {
            Ok(1..=5000) => None,
            Ok(5001..) => Some("Per page must be between 1 and 5000".to_owned()),
            _ => Some("Per page must be a positive integer".to_owned()),
        }
    }

    pub fn page(&self) -> usize {
        self.get("page").and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    pub fn per_page(&self) -> u32 {
        self.get("per_page").and_then(|text| text.parse().ok()).unwrap_or(50)
    }

    /// Whether a filter `key=a,b` lets `value` pass; true if there is none.
    pub fn allows(&self, key: &str, value: Option<&str>) -> bool {
        self.get(key).is_none_or(|wanted| value.is_some_and(|value| wanted.split(',').any(|one| one == value)))
    }

    /// Whether the filters on a time let it pass. Rows hold whole seconds, which the server widens to.
    pub fn allows_time(&self, key: &str, value: Option<&str>) -> bool {
        let value = value.and_then(time);
        let equal = self.get(key).is_none_or(|wanted| wanted.split(',').any(|one| time(one) == value));
        equal
            && self.relational(key).all(|(operator, limit)| match (operator, value, time(limit)) {
                ("lt", Some(value), Some(limit)) => value < limit,
                ("lte", Some(value), Some(limit)) => value <= limit,
                ("gt", Some(value), Some(limit)) => value > limit,
                ("gte", Some(value), Some(limit)) => value >= limit,
                _ => false,
            })
    }

    /// Sorts by `order_by` if that is given; else the rows stay in id order. Rows hold whole seconds, the server
    /// sorts by microseconds: rows of one second are told apart by guid only where they are of one transaction (events).
    pub fn order(&self, rows: &mut [&Value], ties_by_guid: bool) {
        let Some(order) = self.get("order_by") else { return };
        let column = order.trim_start_matches(['+', '-']);
        rows.sort_by(|one, two| {
            let tie = |row: &Value| row["guid"].as_str().filter(|_| ties_by_guid).map(str::to_owned);
            let key = |row: &Value| (row[column].as_str().map(str::to_owned), tie(row));
            if order.starts_with('-') { key(two).cmp(&key(one)) } else { key(one).cmp(&key(two)) }
        });
    }

    /// The query of a link to another page: keys sorted, filters repeated.
    pub fn link(&self, page: usize) -> String {
        let mut pairs: Vec<(String, String)> =
            self.parameters.iter().filter(|(key, _)| key != "page" && key != "per_page").cloned().collect();
        for (key, value) in &mut pairs {
            if key == "order_by" && !value.starts_with(['+', '-']) {
                value.insert(0, '+');
            }
        }
        pairs.push(("page".to_owned(), page.to_string()));
        pairs.push(("per_page".to_owned(), self.per_page().to_string()));
        pairs.sort();
        form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    }
}

/// Exactly `YYYY-MM-DDThh:mm:ssZ`.
fn time(text: &str) -> Option<Timestamp> {
    let time = Timestamp::parse(text).ok()?;
    (time.to_string() == text).then_some(time)
}

/// The last value of a key.
trait RevFind<'a> {
    fn rev_find(self, key: &str) -> Option<&'a str>;
}

impl<'a, I: Iterator<Item = &'a (String, String)>> RevFind<'a> for I {
    fn rev_find(self, key: &str) -> Option<&'a str> {
        self.filter(|(name, _)| name == key).last().map(|(_, value)| value.as_str())
    }
}
