//! A browser, as far as signing in takes one: it keeps cookies for each host and port, and says from which page it sends a form.

use std::collections::BTreeMap;

use bytes::Bytes;
use cf_billing::cloud_controller::transport::{Exchange, Http};
use http::{Request, Response};
use tokio::runtime::Runtime;
use url::{Url, form_urlencoded};

use super::{header, text};

#[derive(Default)]
pub struct Browser {
    /// By host and port: a real one sends them to every port, which have names of their own therefore.
    jar: BTreeMap<String, BTreeMap<String, String>>,
}

/// A page, and where it is.
pub struct Page {
    pub url: Url,
    pub answer: Response<Bytes>,
}

impl Page {
    pub fn status(&self) -> u16 {
        self.answer.status().as_u16()
    }

    pub fn text(&self) -> String {
        text(&self.answer)
    }

    /// Where it leads.
    #[track_caller]
    pub fn location(&self) -> Url {
        assert!(matches!(self.status(), 302 | 303), "{} {}: {}", self.url, self.status(), self.text());
        self.url.join(header(&self.answer, "location")).unwrap()
    }

    /// The address and the hidden fields of its form.
    #[track_caller]
    pub fn form(&self) -> (Url, Vec<(String, String)>) {
        let text = self.text();
        let attribute = |tag: &str, name: &str| -> Option<String> {
            let from = tag.find(&format!("{name}=\""))? + name.len() + 2;
            let value = &tag[from..from + tag[from..].find('"')?];
            Some(value.replace("&amp;", "&").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">"))
        };
        let at = text.find("<form").unwrap_or_else(|| panic!("{} has no form: {text}", self.url));
        let form = &text[at..at + text[at..].find("</form>").unwrap()];
        let action = attribute(form, "action").unwrap();
        let hidden = form.split("<input").skip(1).filter_map(|input| {
            let tag = &input[..input.find('>').unwrap()];
            (attribute(tag, "type").as_deref() == Some("hidden"))
                .then(|| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap_or_default()))
        });
        (self.url.join(&action).unwrap(), hidden.collect())
    }
}

fn authority(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap())
}

impl Browser {
    pub fn open(&mut self, url: &str) -> Page {
        self.send("GET", url.parse().unwrap(), &[], None)
    }

    /// Sends a form of a page.
    pub fn send_form(&mut self, page: &Page, more: &[(&str, &str)]) -> Page {
        let (action, mut fields) = page.form();
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let origin = page.url.origin().ascii_serialization();
        self.send("POST", action, &[("origin", &origin)], Some(body))
    }

    pub fn send(&mut self, method: &str, url: Url, headers: &[(&str, &str)], body: Option<String>) -> Page {
        let jar = self.jar.entry(authority(&url)).or_default();
        let cookies = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut request = Request::builder().method(method).uri(url.as_str());
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        if body.is_some() {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body.unwrap_or_default())).unwrap();
        let answer = Runtime::new().unwrap().block_on(Http::new(None).unwrap().exchange(request)).unwrap();
        let jar = self.jar.entry(authority(&url)).or_default();
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { url, answer }
    }

    /// The cookie of a name that begins so, at the host and port of an address.
    pub fn cookie(&mut self, url: &str, name: &str) -> Option<&mut String> {
        let jar = self.jar.get_mut(&authority(&url.parse().unwrap()))?;
        jar.iter_mut().find(|(found, _)| found.starts_with(name)).map(|(_, value)| value)
    }
}
