//! The servers that a URL of PostgreSQL names, several as libpq writes them, and which of them accepts writes.
//! Owns how the URL is read and a server is chosen; keeps no connection.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::task::JoinSet;
use url::form_urlencoded::{byte_serialize, parse};

use super::connect::{connected, open_error};
use super::server::{Server, State};
use crate::store::StoreError;

/// Each is asked at once when the primary is looked for.
const MOST_HOSTS: usize = 10;

/// Once one accepts writes, how long the others may take to show that they do, too, and are newer.
const GRACE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Hosts {
    /// As in the URL, without secrets.
    pub location: String,
    each: Vec<Host>,
    /// A server that only reads is passed over.
    must_write: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Host {
    /// For people: name and port.
    pub name: String,
    pub options: PgConnectOptions,
}

/// The server to work with.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Which host of the URL.
    pub index: usize,
    pub connection: PgConnection,
    /// Which server answers there; `None`: it can't be seen.
    pub server: Option<Server>,
    /// Another server that accepts writes, too, by its host's name.
    pub rival: Option<String>,
}

impl Hosts {
    /// Reads a URL: one host, or several with a comma between them (`db1:5432,db2:5432`, `?host=/a,/b&port=1,2`), and
    /// `target_session_attrs`.
    ///
    /// # Errors
    /// [`StoreError::Open`] if it isn't valid; no password is told.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        let location = crate::store::types::without_secret(url);
        let wrong = |reason: String, hint| StoreError::Open { path: location.clone(), reason, hint };
        let parts = Parts::of(url);
        let names = parts.names().map_err(|reason| wrong(reason, HOSTS))?;
        if names.len() > MOST_HOSTS {
            return Err(wrong(format!("it names {} hosts", names.len()), "name at most 10"));
        }
        let are_several = names.len() > 1;
        let must_write = match parts.last("target_session_attrs").as_deref() {
            None => are_several,
            Some("read-write" | "primary") => true,
            Some("any") if !are_several => false,
            Some(other) => {
                let hint = "cf-billing writes: leave target_session_attrs out, or set it to read-write";
                return Err(wrong(format!("target_session_attrs is `{other}`"), hint));
            }
        };
        let urls = if are_several { names.iter().map(|name| parts.with(name)).collect() } else { vec![parts.alone()] };
        let each = urls.iter().map(|url| {
            let options = PgConnectOptions::from_str(url)
                .map_err(|error| wrong(error.to_string(), "give postgres://user:password@host:5432/database"))?;
            let name = match options.get_socket() {
                Some(folder) => format!("{}:{}", folder.display(), options.get_port()),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            };
            // Poolers refuse the digits of floats, which nothing here is.
            let options = options.application_name("cf-billing").extra_float_digits(None).disable_statement_logging();
            Ok(Host { name, options })
        });
        Ok(Self { each: each.collect::<Result<_, StoreError>>()?, location, must_write })
    }

    /// Whether somebody on the way could read what is sent, or stand in for a server: one is on another machine, and its
    /// certificate isn't verified.
    pub fn is_unverified(&self) -> bool {
        self.each.iter().any(|Host { options, .. }| {
            let is_here =
                options.get_socket().is_some() || matches!(options.get_host(), "localhost" | "127.0.0.1" | "::1");
            !is_here && !matches!(options.get_ssl_mode(), PgSslMode::VerifyFull)
        })
    }

    pub fn host(&self, index: usize) -> &Host {
        &self.each[index]
    }

    /// A server that only reads is passed over, and another one is looked for.
    pub const fn must_write(&self) -> bool {
        self.must_write
    }

    /// Connects: to the only host, or to the one that accepts writes. If two do, one of them was the primary before a
    /// failover, and the newer timeline is the book's. `known`: where the book was before; whoever took over from that one is
    /// taken without a look at the others.
    pub async fn connect(&self, limit: Duration, known: Option<&Server>) -> Result<Chosen, StoreError> {
        if !self.must_write {
            let mut connection = connected(&self.host(0).options, &self.location, limit).await?;
            let server = State::ask(&mut connection).await?.server;
            return Ok(Chosen { index: 0, connection, server, rival: None });
        }
        let mut trying = self.ask(limit);
        let (mut found, mut passed): (Vec<Chosen>, Vec<(usize, Passed)>) = (Vec::new(), Vec::new());
        loop {
            let took_over =
                |chosen: &Chosen| known.zip(chosen.server.as_ref()).is_some_and(|(old, new)| old.is_before(new));
            let next = if found.is_empty() {
                trying.join_next().await
            } else if found.iter().any(took_over) {
                None
            } else {
                tokio::time::timeout(GRACE, trying.join_next()).await.unwrap_or_default()
            };
            match next {
                None => break,
                Some(Ok((index, Ok((connection, server))))) => {
                    found.push(Chosen { index, connection, server, rival: None });
                }
                Some(Ok((index, Err(why)))) => passed.push((index, why)),
                Some(Err(_)) => {}
            }
        }
        passed.sort_by_key(|(index, _)| *index);
        found.sort_by_key(|chosen| chosen.index);
        self.newest(found).await.ok_or_else(|| self.none(&passed))
    }

    /// A server that accepts writes and took over from this one, if one says so in time.
    pub async fn successor(&self, of: &Server, limit: Duration) -> Option<Server> {
        let mut trying = self.ask(limit.min(GRACE));
        while let Some(answered) = trying.join_next().await {
            let Ok((_, Ok((connection, server)))) = answered else { continue };
            let _ = connection.close().await;
            if let Some(newer) = server.filter(|server| of.is_before(server)) {
                return Some(newer);
            }
        }
        None
    }

    /// Asks every host at once whether it accepts writes.
    fn ask(&self, limit: Duration) -> JoinSet<(usize, Answer)> {
        let mut trying = JoinSet::new();
        for (index, host) in self.each.iter().cloned().enumerate() {
            let location = self.location.clone();
            trying.spawn(async move { (index, writable(&host, &location, limit).await) });
        }
        trying
    }

    /// Of servers that accept writes the first, or one on a newer timeline of the same cluster.
    async fn newest(&self, found: Vec<Chosen>) -> Option<Chosen> {
        let mut best: Option<Chosen> = None;
        for chosen in found {
            let Some(other) = best.take() else {
                best = Some(chosen);
                continue;
            };
            let is_newer = matches!((&other.server, &chosen.server), (Some(old), Some(new)) if old.is_before(new));
            let (mut kept, left) = if is_newer { (chosen, other) } else { (other, chosen) };
            if kept.server.is_some() && kept.server != left.server {
                let rival = &self.host(left.index).name;
                tracing::error!(
                    "{} and {rival} both accept writes, and aren't the same server: {rival} isn't used\n\
                     hint: stop it; whatever still writes to it writes to another book",
                    self.host(kept.index).name
                );
                kept.rival = Some(rival.clone());
            }
            let _ = left.connection.close().await;
            best = Some(kept);
        }
        best
    }

    fn none(&self, passed: &[(usize, Passed)]) -> StoreError {
        let told = passed.iter().map(|(index, why)| format!("{}: {}", self.host(*index).name, why.reason));
        // What keeps a connection from being made says more than that another host is a standby.
        let hint = passed.iter().find_map(|(_, why)| why.hint).unwrap_or("promote a standby, or start the primary");
        let reason = format!("no host accepts writes: {}", told.collect::<Vec<_>>().join("; "));
        StoreError::Away { path: self.location.clone(), reason, hint }
    }
}

/// A connection that can write, or why there is none.
type Answer = Result<(PgConnection, Option<Server>), Passed>;

/// Why a host is passed over.
struct Passed {
    reason: String,
    hint: Option<&'static str>,
}

async fn writable(host: &Host, location: &str, limit: Duration) -> Answer {
    let asked = async {
        let mut connection = host.options.connect().await?;
        let state = State::ask(&mut connection).await?;
        Ok((connection, state))
    };
    let (connection, state) = match tokio::time::timeout(limit, asked).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => {
            return Err(match open_error(location, &error) {
                StoreError::Away { reason, hint, .. } => Passed { reason, hint: Some(hint) },
                other => Passed { reason: other.to_string(), hint: None },
            });
        }
        Err(_) => return Err(Passed { reason: format!("no answer within {} s", limit.as_secs()), hint: None }),
    };
    if state.reads_only {
        let _ = connection.close().await;
        return Err(Passed { reason: "it is a standby, or read-only".to_owned(), hint: None });
    }
    Ok((connection, state.server))
}

const HOSTS: &str = "give several hosts as db1:5432,db2:5432 or as ?host=db1,db2&port=5432,5433";

/// A URL in pieces. What isn't about hosts stays as it is.
struct Parts<'u> {
    scheme: &'u str,
    user: Option<&'u str>,
    hosts: &'u str,
    path: &'u str,
    query: Vec<&'u str>,
}

/// One host of several.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    host: String,
    port: Option<u16>,
}

impl<'u> Parts<'u> {
    fn of(url: &'u str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (user, hosts) = authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        Self { scheme, user, hosts, path, query: query.split('&').filter(|one| !one.is_empty()).collect() }
    }

    /// The last value of a parameter.
    fn last(&self, name: &str) -> Option<String> {
        let mut values = self.query.iter().filter_map(|one| parse(one.as_bytes()).next());
        values.rfind(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The hosts with their ports; those of the parameters count before those before the path.
    fn names(&self) -> Result<Vec<Name>, String> {
        let mut names = Vec::new();
        if let Some(hosts) = self.last("host") {
            names.extend(hosts.split(',').map(|host| Name { host: host.to_owned(), port: None }));
        } else {
            for one in self.hosts.split(',') {
                names.push(name_of(one)?);
            }
        }
        if let Some(ports) = self.last("port") {
            let ports = ports.split(',').map(port_of).collect::<Result<Vec<_>, _>>()?;
            if ports.len() != 1 && ports.len() != names.len() {
                return Err(format!("it has {} hosts and {} ports", names.len(), ports.len()));
            }
            for (at, name) in names.iter_mut().enumerate() {
                name.port = ports[if ports.len() == 1 { 0 } else { at }];
            }
        }
        if names.len() > 1 {
            if self.last("hostaddr").is_some() {
                return Err("`hostaddr` names one host, and there are several".to_owned());
            }
            if names.iter().any(|name| name.host.is_empty()) {
                return Err("one of its hosts has no name".to_owned());
            }
        }
        Ok(names)
    }

    /// The URL of one of several hosts.
    fn with(&self, name: &Name) -> String {
        let encoded: String = byte_serialize(name.host.as_bytes()).collect();
        let port = name.port.map(|port| format!("&port={port}")).unwrap_or_default();
        let kept = self.query(&["host", "port", "target_session_attrs"]);
        let kept = if kept.is_empty() { kept } else { format!("{kept}&") };
        format!("{}localhost{}?{kept}host={encoded}{port}", self.begin(), self.path)
    }

    /// The URL of the only host.
    fn alone(&self) -> String {
        let kept = self.query(&["target_session_attrs"]);
        let kept = if kept.is_empty() { kept } else { format!("?{kept}") };
        format!("{}{}{}{kept}", self.begin(), self.hosts, self.path)
    }

    fn begin(&self) -> String {
        let user = self.user.map(|user| format!("{user}@")).unwrap_or_default();
        format!("{}://{user}", self.scheme)
    }

    /// The parameters but for some.
    fn query(&self, without: &[&str]) -> String {
        let kept = self.query.iter().filter(|one| {
            let key = parse(one.as_bytes()).next();
            key.is_none_or(|(key, _)| !without.contains(&&*key))
        });
        kept.copied().collect::<Vec<_>>().join("&")
    }
}

fn name_of(text: &str) -> Result<Name, String> {
    let odd = || format!("`{text}` is no host");
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(odd)?;
        (host, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")).ok_or_else(odd)?)
    } else {
        text.split_once(':').unwrap_or((text, ""))
    };
    // A folder with a socket is written with %2F.
    let encoded = format!("host={}", host.replace('+', "%2B"));
    let host = parse(encoded.as_bytes()).next().map(|(_, host)| host.into_owned()).unwrap_or_default();
    Ok(Name { host, port: port_of(port)? })
}

/// None given: the usual one.
fn port_of(text: &str) -> Result<Option<u16>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.map(Some).ok_or_else(|| format!("the port `{text}` is no number from 1 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::{Hosts, MOST_HOSTS};

    fn read(url: &str) -> Result<Vec<String>, String> {
        let hosts = Hosts::parse(url).map_err(|error| error.to_string())?;
        let written = if hosts.must_write { "read-write" } else { "any" };
        let each = hosts.each.iter().map(|host| {
            let options = &host.options;
            format!("{} {}/{}", host.name, options.get_username(), options.get_database().unwrap_or_default())
        });
        Ok(std::iter::once(written.to_owned()).chain(each).collect())
    }

    #[test]
    fn hosts_are_read_as_libpq_reads_them() {
        for (url, found) in [
            ("postgres://u:p@db1/b", &["any", "db1:5432 u/b"][..]),
            ("postgres://u:p@db1:5433/b?target_session_attrs=any&sslmode=disable", &["any", "db1:5433 u/b"]),
            ("postgres://u:p@db1/b?target_session_attrs=read-write", &["read-write", "db1:5432 u/b"]),
            ("postgres://u:p@db1/b?target_session_attrs=primary", &["read-write", "db1:5432 u/b"]),
            ("postgresql://u:p@db1:5433,db2/b", &["read-write", "db1:5433 u/b", "db2:5432 u/b"]),
            (
                "postgres://u:p%40%2C@db1,db2:65535/b?sslmode=verify-full&target_session_attrs=read-write",
                &["read-write", "db1:5432 u/b", "db2:65535 u/b"],
            ),
            ("postgres://u@[::1]:5433,[fe80::2]/b", &["read-write", "::1:5433 u/b", "fe80::2:5432 u/b"]),
            ("postgres://u@%2Frun%2Fa,db2/b", &["read-write", "/run/a:5432 u/b", "db2:5432 u/b"]),
            ("postgres://u@/b?host=/run/a,/run/b&port=1,2", &["read-write", "/run/a:1 u/b", "/run/b:2 u/b"]),
            ("postgres://u@/b?host=db1,db2&port=6432", &["read-write", "db1:6432 u/b", "db2:6432 u/b"]),
            ("postgres://u@db1:1,db2:2/b?port=3,4", &["read-write", "db1:3 u/b", "db2:4 u/b"]),
            ("postgres://u@elsewhere/b?host=db1,db2", &["read-write", "db1:5432 u/b", "db2:5432 u/b"]),
            ("postgres://u@localhost/b?host=/run/a&port=1", &["any", "/run/a:1 u/b"]),
        ] {
            assert_eq!(read(url).unwrap(), found, "{url}");
        }
    }

    /// The error has the value and what to do, and never a password.
    #[test]
    fn what_is_wrong_is_told_with_its_value() {
        let most = |count: usize| {
            let names: Vec<String> = (0..count).map(|number| format!("db{number}")).collect();
            format!("postgres://u:secret@{}/b", names.join(","))
        };
        assert_eq!(read(&most(MOST_HOSTS)).unwrap().len(), MOST_HOSTS + 1);
        for (url, told) in [
            (&*most(MOST_HOSTS + 1), "it names 11 hosts\nhint: name at most 10"),
            (
                "postgres://u:secret@db1:0,db2/b",
                "the port `0` is no number from 1 to 65535\nhint: give several hosts as",
            ),
            ("postgres://u:secret@db1,db2:65536/b", "the port `65536` is no number"),
            ("postgres://u:secret@db1,db2/b?port=1,2,3", "it has 2 hosts and 3 ports"),
            ("postgres://u:secret@db1,,db3/b", "one of its hosts has no name"),
            ("postgres://u:secret@db1,[::1/b", "`[::1` is no host"),
            ("postgres://u:secret@db1,db2/b?hostaddr=192.0.2.1", "`hostaddr` names one host"),
            (
                "postgres://u:secret@db1,db2/b?target_session_attrs=any",
                "target_session_attrs is `any`\nhint: cf-billing writes",
            ),
            ("postgres://u:secret@db1/b?target_session_attrs=standby", "target_session_attrs is `standby`"),
            (
                "postgres://u:secret@db1/b?target_session_attrs=prefer-standby",
                "target_session_attrs is `prefer-standby`",
            ),
            ("postgres://db1,db2:x/b?password=secret", "the port `x` is no number"),
            ("postgres://u:sec?ret@db1,db2/b", "the port `sec` is no number"),
        ] {
            let error = read(url).unwrap_err();
            assert!(error.contains(told), "{url}: {error}");
            assert!(!error.contains("secret") && !error.contains("ret@"), "{url}: {error}");
        }
    }

    #[test]
    fn a_server_elsewhere_must_show_its_certificate() {
        for (url, unverified) in [
            ("postgres://me@db.example.org/book?sslmode=verify-full", false),
            ("postgres://me@db1,db2/book?sslmode=verify-full", false),
            ("postgres://me@localhost,db2/book?sslmode=require", true),
            ("postgres://me@db.example.org/book?sslmode=verify-ca", true),
            ("postgres://me@db.example.org/book?sslmode=require", true),
            ("postgres://me@db.example.org/book?sslmode=disable", true),
            ("postgres://me@192.0.2.1/book?sslmode=disable", true),
            ("postgres://me@localhost/book?sslmode=disable", false),
            ("postgres://me@127.0.0.1/book?sslmode=disable", false),
            ("postgres://me@localhost/book?sslmode=disable&host=/run/postgresql", false),
        ] {
            assert_eq!(Hosts::parse(url).unwrap().is_unverified(), unverified, "{url}");
        }
    }
}
