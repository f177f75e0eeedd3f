//! Pages and API over TLS of their own.

use std::path::Path;

use bytes::Bytes;
use cf_billing::cloud_controller::transport::{Exchange, Http};
use http::{Request, Response};
use tokio::runtime::Runtime;

use super::{header, secret, tokens};
use crate::support::background::{self, Background, eventually, signal};
use crate::support::program::Program;
use crate::support::tls;

fn put(folder: &Path) -> Http {
    let (authority, certificate, key) = tls::files("127.0.0.1");
    for (name, text) in [("authority.pem", authority), ("server.pem", certificate), ("server.key", key)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    Http::new(Some(&folder.join("authority.pem"))).unwrap()
}

fn get(http: &Http, url: &str, headers: &[(&str, &str)]) -> Option<Response<Bytes>> {
    let mut request = Request::get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Runtime::new().unwrap().block_on(http.exchange(request.body(Bytes::new()).unwrap())).ok()
}

fn status(http: &Http, url: &str) -> Option<u16> {
    get(http, url, &[]).map(|answer| answer.status().as_u16())
}

#[test]
fn pages_have_tls_of_their_own_and_read_the_certificate_again() {
    let program = Program::new();
    let folder = program.folder.path().to_owned();
    let first = put(&folder);
    background::configure(&program, "http://127.0.0.1:9", &tokens());
    let file = folder.join("cf-billing.toml");
    let of_tls = "[http]\ntls_certificate = \"server.pem\"\ntls_key = \"server.key\"\n";
    let text = std::fs::read_to_string(&file).unwrap().replace("[http]\n", of_tls);
    std::fs::write(&file, text).unwrap();
    let daemon = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    let url = eventually(
        || daemon.log(),
        || {
            let log = daemon.log();
            let at = log.find("https://127.0.0.1:")?;
            Some(log[at..].split("/,").next()?.to_owned())
        },
    );
    let plain = url.replace("https:", "http:");
    let anybody = Http::new(None).unwrap();
    let log = || std::fs::read_to_string(folder.join("run.log")).unwrap();
    assert_eq!(status(&first, &format!("{url}/healthz")), Some(200), "{}", log());
    assert_eq!(status(&anybody, &format!("{url}/healthz")), None, "nobody vouches for it");
    // On this machine probes and Prometheus need no certificate.
    assert_eq!(status(&anybody, &format!("{plain}/healthz")), Some(200), "{}", log());
    let bearer = format!("Bearer {}", secret("sre"));
    let gaps = get(&first, &format!("{url}/api/v1/gaps"), &[("authorization", &bearer)]).unwrap();
    assert_eq!(gaps.status(), 200);
    // Cookies are of https.
    let form = Request::post(format!("{url}/sign-in")).header("origin", &url);
    let form = form.body(Bytes::from(format!("token={}", secret("sre")))).unwrap();
    let signed_in = Runtime::new().unwrap().block_on(first.exchange(form)).unwrap();
    let cookie = header(&signed_in, "set-cookie");
    assert!(cookie.starts_with("__Host-cf-billing=") && cookie.contains("; Secure"), "{cookie}");
    // Another certificate, of another authority.
    let second = put(&folder);
    assert_eq!(status(&first, &format!("{url}/healthz")), Some(200), "as long as nobody says so");
    signal(&daemon.child, "HUP");
    daemon.says("the certificate of the pages was read again");
    assert_eq!(status(&second, &format!("{url}/healthz")), Some(200), "{}", log());
    // What isn't good isn't taken.
    std::fs::write(folder.join("server.key"), "no key").unwrap();
    signal(&daemon.child, "HUP");
    daemon.says("the certificate of the pages stays as it was");
    assert_eq!(status(&second, &format!("{url}/healthz")), Some(200), "{}", log());
    let check = program.run(&["check", "--config", "cf-billing.toml"]);
    assert!(check.stdout.contains("server.key") && check.code == Some(1), "{}", check.stdout);
    daemon.end("TERM");
    let refused = program.run(&["run", "--config", "cf-billing.toml"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("can't use"), "{}", refused.stderr);
}
