//! Wrong input of every kind, given to the shipped binary: one clear error with a hint, the right exit code, nothing lost.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use cf_billing::simulator::http::serve;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Request, Response};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::dataset::kept;
use crate::support::background::{Background, configure, simulate};
use crate::support::program::{Program, Run, path};

/// Exit code and stderr, without what differs from run to run.
fn said(program: &Program, run: &Run) -> String {
    let folder = path(program.folder.path()).to_owned();
    format!("exit {}\n{}", run.code.unwrap_or(-1), run.stderr.replace(&folder, "<folder>"))
}

fn write(program: &Program, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(program.folder.path().join(name), content).unwrap();
}

/// What goes wrong with a configuration.
fn configured(text: &str, variables: &[(&str, &str)]) -> String {
    let program = Program::new();
    write(&program, "cf-billing.toml", text);
    let mut command = program.command(&["check", "--config", "cf-billing.toml"]);
    command.envs(variables.iter().copied());
    said(&program, &Run::from(command.output().unwrap()))
}

const FOUNDATION: &str = "[[foundation]]\nname = \"eu1\"\napi = \"https://api.example.org\"\nclient_id = \"billing\"\nclient_secret = \"s\"\n";

#[test]
fn configuration() {
    insta::assert_snapshot!(configured(&format!("{FOUNDATION}client_secrett = \"s\"\n[billng]\n"), &[]), @"
    exit 2
    error: cf-billing.toml:6:1: unknown key `client_secrett` in `foundation`
    hint: did you mean `client_secret`?
    error: cf-billing.toml:7:2: unknown section `billng`
    hint: did you mean `billing`?
    ");
    insta::assert_snapshot!(configured(FOUNDATION, &[("CF_BILLING__COLLECTION__POLL_INTERVAL", "soon"), ("CF_BILLING__FOUNDATION__EU2__API", "https://x")]), @"
    exit 2
    error: environment variable CF_BILLING__COLLECTION__POLL_INTERVAL: `poll_interval`: `soon` is not a duration
    hint: write a number and its unit, such as 250ms, 30s, 15m, 6h or 2d
    error: environment variable CF_BILLING__FOUNDATION__EU2__API: no foundation `eu2` is configured
    hint: foundations are: eu1
    ");
    insta::assert_snapshot!(configured("[[foundation]]\nname = \"eu 1\"\napi = \"ftp://user:pass@example.org\"\n[billing]\ntime_zone = \"Berlin\"\n", &[]), @r#"
    exit 2
    error: cf-billing.toml:1:1: `client_id` is missing in `foundation`
    hint: write client_id = "…" (The UAA client to use)
    error: cf-billing.toml:1:1: `client_secret` is missing in `foundation`
    hint: write client_secret_file = "…" (Its secret)
    error: cf-billing.toml:2:8: `name`: `eu 1` is not a name
    hint: use letters, digits, `-`, `_` and `.`
    error: cf-billing.toml:3:7: `api`: `***@example.org` is not an http or https URL
    hint: write an address such as https://api.cf.example.org
    error: cf-billing.toml:5:13: `time_zone`: `Berlin` is not a time zone
    hint: write the name of an IANA time zone, such as Europe/Berlin
    "#);
    insta::assert_snapshot!(configured("[billing\ntime_zone = 1\n", &[]), @r#"
    exit 2
    error: cf-billing.toml:1:9: unclosed table, expected `]`
    hint: TOML: a [section], then key = "value", a line each
    "#);
    insta::assert_snapshot!(configured("\u{feff}[billing]\ntime_zone = \"UTC\"\n[http]\nlisten = \"0.0.0.0:80\"\n", &[]), @"
    exit 2
    error: cf-billing.toml:4:10: `listen`: `0.0.0.0:80` is not a loopback address
    hint: listen on 127.0.0.1, or set public_url, and tls_certificate or trusted_proxies
    ");
    let program = Program::new();
    write(&program, "cf-billing.toml", b"[billing]\nseller = \"M\xfcller\"\n");
    insta::assert_snapshot!(said(&program, &program.run(&["check", "--config", "cf-billing.toml"])), @"
    exit 2
    error: cf-billing.toml:2:1: it is not UTF-8 text
    hint: save the file as UTF-8
    ");
    insta::assert_snapshot!(said(&program, &program.run(&["check", "--config", "missing.toml"])), @"
    exit 2
    error: missing.toml: can't read the configuration: No such file or directory (os error 2)
    hint: give its path with --config or CF_BILLING_CONFIG
    ");
}

#[test]
fn durations_just_inside_and_just_outside() {
    for (section, key, inside, outside) in [
        ("collection", "poll_interval", ["10ms", "1h"], ["9ms", "3600001ms"]),
        ("collection", "sweep_window", ["60s", "7d"], ["59s", "604801s"]),
        ("collection", "sweep_interval", ["1s", "1d"], ["0s", "86401s"]),
        ("collection", "observe_interval", ["1s", "1d"], ["0s", "86401s"]),
        ("collection", "reconcile_interval", ["1m", "30d"], ["59s", "2592001s"]),
        ("collection", "snapshot_patience", ["0s", "30d"], ["500ms", "2592001s"]),
        ("billing", "draft_interval", ["1s", "1d"], ["999ms", "86401s"]),
    ] {
        for value in inside {
            let text = configured(&format!("[{section}]\n{key} = \"{value}\"\n"), &[]);
            assert!(text.starts_with("exit 0"), "{key} = {value}: {text}");
        }
        for value in outside {
            let text = configured(&format!("[{section}]\n{key} = \"{value}\"\n"), &[]);
            assert!(
                text.starts_with("exit 2")
                    && text.contains(&format!("cf-billing.toml:2:{}: `{key}`: `{value}`", key.len() + 4)),
                "{text}"
            );
        }
    }
}

#[test]
fn rate_cards() {
    let program = Program::new();
    write(&program, "float.toml", "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = 0.01\n");
    insta::assert_snapshot!(said(&program, &program.run(&["rates", "check", "float.toml"])), @r#"
    exit 2
    there is no ledger to compare with, so names aren't checked
    warning: float.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    warning: float.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    warning: float.toml:1:1: there is no `service` rate: service instances will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    error: float.toml:4:19: `memory_gib_hour` is the number 0.01, not a quoted decimal
    hint: quote it, so that it stays exact: memory_gib_hour = "0.01"
    "#);
    write(&program, "number.toml", "name = \"x\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"1,5\"\n");
    insta::assert_snapshot!(said(&program, &program.run(&["rates", "check", "number.toml"])), @r"
    exit 2
    there is no ledger to compare with, so names aren't checked
    warning: number.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    warning: number.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    warning: number.toml:1:1: there is no `service` rate: service instances will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    error: number.toml:4:19: `memory_gib_hour`: `1,5` is not a decimal number such as 0.0125
    hint: digits and a point, no sign, no comma, no exponent
    ");
    insta::assert_snapshot!(said(&program, &program.run(&["rates", "check", "missing.toml"])), @r"
    exit 2
    error: can't read the rate card `missing.toml`: No such file or directory (os error 2)
    hint: set [billing] rates to a TOML file or a folder of them, or give one
    ");
    write(&program, "latin.toml", b"name = \"M\xfcller\"\n");
    insta::assert_snapshot!(said(&program, &program.run(&["rates", "check", "latin.toml"])), @"
    exit 2
    error: can't read the rate card `latin.toml`: it is not UTF-8 text
    hint: save the file as UTF-8
    ");
}

fn usage(program: &Program, database: &str) -> Run {
    let url = format!("sqlite://{}", program.folder.path().join(database).display());
    program.run(&["usage", "--from", "2026-01-01", "--to", "2026-02-01", "--database", &url])
}

/// Makes a database.
fn make(program: &Program, database: &str) {
    let url = format!("sqlite://{}", program.folder.path().join(database).display());
    write(program, "none.json", "[]");
    program.succeed(&["import", "--foundation", "f", "--app-events", "none.json", "--database", &url]);
}

#[test]
fn databases() {
    let program = Program::new();
    write(&program, "text.db", "this is no database, but long enough to be taken for one".repeat(20));
    insta::assert_snapshot!(said(&program, &usage(&program, "text.db")), @"
    exit 1
    error: can't open the database `<folder>/text.db`: file is not a database
    hint: the file isn't an SQLite database; give another path
    ");
    insta::assert_snapshot!(said(&program, &usage(&program, "no/such/folder.db")), @"
    exit 1
    error: can't open the database `<folder>/no/such/folder.db`: the folder doesn't exist
    hint: the folder must exist and be writable
    ");
    insta::assert_snapshot!(said(&program, &program.run(&["usage", "--from", "2026-01-01", "--to", "2026-02-01", "--database", "mysql://root:hunter2@db/x"])), @"
    exit 2
    error: `mysql://***@db/x` is not a database this program knows
    hint: use sqlite:///path/to/file.db or postgres://user@host/database
    ");

    insta::assert_snapshot!(said(&program, &usage(&program, "none.db")), @"
    exit 1
    error: there is no database at <folder>/none.db
    hint: set [database] url to the daemon's database, or give --database; `run` and `import` make one
    ");
    assert!(!program.folder.path().join("none.db").exists());
    make(&program, "newer.db");
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        use sqlx::{Connection, SqliteConnection};
        let url = format!("sqlite://{}", program.folder.path().join("newer.db").display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)";
        sqlx::query(newer).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap();
    let newest = files.filter_map(|file| file.unwrap().file_name().to_str()?.split('_').next()?.parse::<u32>().ok());
    let newest = format!("up to {}\n", newest.max().unwrap());
    insta::assert_snapshot!(said(&program, &usage(&program, "newer.db")).replace(&newest, "up to <newest>\n"), @r"
    exit 1
    error: the database `<folder>/newer.db` has schema version 9999, this program knows up to <newest>
    hint: it was written by a newer cf-billing; install that version or a later one
    ");
    write(&program, "cf-billing.toml", "");
    let url = format!("sqlite://{}", program.folder.path().join("newer.db").display());
    let check = program.run(&["check", "--config", "cf-billing.toml", "--database", &url, "--format", "csv"]);
    assert!(check.code == Some(1) && check.stdout.contains("fail,,database,"), "{}", check.stdout);

    // Bytes in the middle that aren't what was written.
    make(&program, "damaged.db");
    let file = program.folder.path().join("damaged.db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[..100].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    insta::assert_snapshot!(said(&program, &usage(&program, "damaged.db")), @"
    exit 1
    error: can't open the database `<folder>/damaged.db`: file is not a database
    hint: the file isn't an SQLite database; give another path
    ");
}

fn import(program: &Program, file: &str) -> Run {
    program.run(&["import", "--foundation", "eu1", "--app-events", file])
}

fn archived(program: &Program) -> usize {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = cf_billing::store::Store::open(&program.database()).await.unwrap();
        let head = store.foundation("eu1").await.unwrap();
        let inputs = store.archived(&head, 0, usize::MAX).await.unwrap();
        inputs.iter().filter(|input| matches!(input.kind, cf_billing::store::InputKind::Event(_))).count()
    })
}

/// Some events of the kept months, a line each.
fn events(count: usize) -> Vec<String> {
    let file = std::fs::File::open(kept("small").join("app_v3.jsonl.gz")).unwrap();
    let reader = std::io::BufReader::new(flate2::read::GzDecoder::new(file));
    std::io::BufRead::lines(reader).take(count).map(Result::unwrap).collect()
}

#[test]
fn files_to_import() {
    let program = Program::new();
    let lines = events(300);
    let whole = lines.join("\n");
    write(&program, "cut.jsonl", &whole[..whole.len() - 100]);
    insta::assert_snapshot!(said(&program, &import(&program, "cut.jsonl")), @"
    exit 1
    error: `cut.jsonl` line 300 column 689, after 299 records: EOF while parsing a string
    hint: the file is cut short: fetch it again; what was read before is kept, and the import goes on from there
    ");
    assert_eq!(archived(&program), 299, "what was read before is kept");
    write(&program, "whole.jsonl", &whole);
    insta::assert_snapshot!(said(&program, &import(&program, "whole.jsonl")), @"
    exit 0
    eu1: 300 read, 1 archived, 299 known already, 0 late; 0 ledger entries, 0 anomalies
    ");
    assert_eq!(archived(&program), 300, "and the same import goes on");

    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(events(2000).join("\n").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    write(&program, "cut.jsonl.gz", &packed[..packed.len() / 2]);
    insta::assert_snapshot!(said(&program, &import(&program, "cut.jsonl.gz")), @"
    exit 1
    error: `cut.jsonl.gz` line 993 column 0, after 992 records: incomplete deflate stream
    hint: the file can't be read to its end (cut short, or not gzip): fetch it again; what was read before is kept
    ");
    assert!(archived(&program) > 300);

    write(&program, "page.html", "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>");
    insta::assert_snapshot!(said(&program, &import(&program, "page.html")), @"
    exit 1
    error: `page.html` line 1 column 0, after 0 records: not an object or an array
    hint: this is not V3 JSON (perhaps a proxy's HTML page); what was read before is kept
    ");
    write(&program, "latin.jsonl", b"{\"guid\": \"M\xfcller\"}\n");
    insta::assert_snapshot!(said(&program, &import(&program, "latin.jsonl")), @"
    exit 1
    error: `latin.jsonl` line 1 column 12, after 0 records: invalid unicode code point
    hint: this is not V3 JSON (perhaps a proxy's HTML page); what was read before is kept
    ");
    write(&program, "empty.json", "");
    insta::assert_snapshot!(said(&program, &import(&program, "empty.json")), @"
    exit 1
    error: `empty.json` is empty
    hint: it must hold V3 JSON: an array, pages, or one record per line (an empty list is [])
    ");
    insta::assert_snapshot!(said(&program, &import(&program, "missing.jsonl")), @"
    exit 1
    error: can't read `missing.jsonl`: No such file or directory (os error 2)
    hint: give the path of a JSON file, or - for standard input
    ");
    insta::assert_snapshot!(said(&program, &import(&program, ".")), @"
    exit 1
    error: can't read `.`: Is a directory (os error 21)
    hint: give the path of a JSON file, or - for standard input
    ");
    write(&program, "snapshot.json", "{\"guid\": \"x\"}");
    insta::assert_snapshot!(said(&program, &program.run(&["import", "--foundation", "eu2", "--snapshot", "snapshot.json"])), @"
    exit 1
    error: `snapshot.json` holds neither a usage snapshot nor its chunks: missing field `organization_guid` at line 1 column 13
    hint: give the answers of GET /v3/app_usage/snapshots/GUID and GET /v3/app_usage/snapshots/GUID/chunks, unchanged
    ");
}

/// The shell limits how large a file may become, as a full disk does.
#[test]
fn a_full_disk() {
    let program = Program::new();
    write(&program, "events.jsonl", events(4000).join("\n"));
    let run = |limit: &str| {
        let mut command = Command::new("bash");
        let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_cf-billing")]);
        command.args(["import", "--foundation", "eu1", "--app-events", "events.jsonl", "--page-size", "500"]);
        command.current_dir(program.folder.path()).env_clear().env("CF_BILLING__DATABASE__URL", program.database());
        Run::from(command.env("HOME", program.folder.path()).stdin(Stdio::null()).output().unwrap())
    };
    // So many KiB.
    let full = run("1400");
    insta::assert_snapshot!(said(&program, &full), @"
    exit 1
    error: can't write to the database, because its disk is full or failing: disk I/O error (code 778)
    hint: make room; nothing was changed, and the same command goes on where it stopped
    ");
    let kept = archived(&program);
    assert!((1..4000).contains(&kept), "{kept}");
    let done = run("unlimited");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(archived(&program), 4000);
}

/// A server that answers every request with these bytes.
struct Answering {
    _runtime: Runtime,
    api: String,
}

impl Answering {
    fn new(kind: &'static str, body: &'static str) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let answer = move |_: &Request<Bytes>| {
            Response::builder().header("content-type", kind).body(Bytes::from_static(body.as_bytes())).unwrap()
        };
        runtime.spawn(serve(listener, answer, std::future::pending()));
        Self { _runtime: runtime, api }
    }
}

/// The first thing that `check` finds wrong with a foundation.
fn checked(program: &Program, api: &str, change: (&str, &str)) -> String {
    configure(program, api, "");
    let file = program.folder.path().join("cf-billing.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace(change.0, change.1);
    std::fs::write(&file, text).unwrap();
    let run = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
    let lines: Value = serde_json::from_str(&run.stdout).unwrap();
    let failed = lines.as_array().unwrap().iter().find(|line| line["verdict"] == "fail").unwrap();
    let text = |key: &str| failed[key].as_str().unwrap_or_default().replace(api, "<api>");
    let code = run.code.unwrap();
    format!("exit {code}\nfail {} {}: {}\nhint: {}", text("of"), text("what"), text("detail"), text("hint"))
}

#[test]
fn foundations() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    insta::assert_snapshot!(checked(&program, "http://127.0.0.1:9", ("", "")), @"
    exit 1
    fail sim address: GET <api>/: can't connect: Connection refused (os error 111)
    hint: check `api` of the foundation, DNS and firewalls
    ");
    insta::assert_snapshot!(checked(&program, "http://no-such-host.invalid", ("", "")), @"
    exit 1
    fail sim address: GET <api>/: can't connect: failed to lookup address information: Name or service not known
    hint: check `api` of the foundation, DNS and firewalls
    ");
    insta::assert_snapshot!(checked(&program, &api, ("simulated-secret", "another")), @"
    exit 1
    fail sim token: POST <api>/oauth/token: 401 unauthorized: Bad credentials (request id 00000002)
    hint: check client_id and client_secret of the foundation
    ");
    insta::assert_snapshot!(checked(&program, &api, ("\"billing\"", "\"nobody\"")), @"
    exit 1
    fail sim scope: client `nobody`: its token can't read everything; its authorities are: cloud_controller.read
    hint: give the UAA client the authority cloud_controller.admin_read_only, cloud_controller.global_auditor or cloud_controller.admin
    ");
    let page = Answering::new("text/html", "<!DOCTYPE html><html><body>Welcome to nginx!</body></html>");
    insta::assert_snapshot!(checked(&program, &page.api, ("", "")), @"
    exit 1
    fail sim address: GET <api>/: the answer (200, text/html, 58 bytes) is not what was asked for: expected value at line 1 column 1
    hint: check that `api` is Cloud Controller's address, and the proxies on the way
    ");
    let cut = Answering::new("application/json", "{\"links\": {\"login\": {\"href\": \"http://127");
    insta::assert_snapshot!(checked(&program, &cut.api, ("", "")), @"
    exit 1
    fail sim address: GET <api>/: the answer (200, application/json, 40 bytes) is not what was asked for: EOF while parsing a string at line 1 column 40
    hint: check that `api` is Cloud Controller's address, and the proxies on the way
    ");
    let other = Answering::new("application/json", "{\"links\": {}}");
    insta::assert_snapshot!(checked(&program, &other.api, ("", "")), @"
    exit 1
    fail sim address: GET <api>/: the answer (200, application/json, 13 bytes) is not what was asked for: its root document has no login or uaa link
    hint: check that `api` is Cloud Controller's address, and the proxies on the way
    ");
}

#[test]
fn a_certificate_nobody_knows() {
    let program = Program::new();
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let api = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], private).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    insta::assert_snapshot!(checked(&program, &api, ("", "")), @"
    exit 1
    fail sim address: GET <api>/: the server's certificate isn't trusted: invalid peer certificate: UnknownIssuer
    hint: set ca_file to the authority that signed the server's certificate
    ");
    insta::assert_snapshot!(checked(&program, &api, ("[[foundation]]", "[[foundation]]\nca_file = \"missing.pem\"")), @"
    exit 1
    fail sim client: foundation `sim`: can't read `missing.pem`: No such file or directory (os error 2)
    hint: ca_file is a PEM file with the certificate authority to trust
    ");
}

#[test]
fn an_interrupted_import_says_how_to_go_on() {
    let program = Program::new();
    // Many more than are imported before somebody looks: one a transaction.
    let event: Value = serde_json::from_str(&events(1)[0]).unwrap();
    let many = (0..20_000).map(|number| {
        let mut event = event.clone();
        event["guid"] = format!("event-{number}").into();
        event.to_string()
    });
    write(&program, "many.jsonl", many.collect::<Vec<_>>().join("\n"));
    let child = program.spawn(&["import", "--foundation", "eu1", "--app-events", "many.jsonl", "--page-size", "1"]);
    crate::support::background::eventually(String::new, || (archived(&program) >= 50).then_some(()));
    crate::support::background::signal(&child, "INT");
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(
        run.stderr.contains("new records, which are kept\nhint: run the same command again; it goes on from there"),
        "{}",
        run.stderr
    );
    assert!((50..20_000).contains(&archived(&program)));
}

const CANARY: &str = "c4n4ry-7c3e";

#[test]
fn no_secret_is_in_any_output() {
    let program = Program::new();
    let (simulated, api) = simulate(&program, &[]);
    let mut outputs = Vec::new();
    let mut run = |text: &str, arguments: &[&str], variables: &[(&str, &str)]| {
        write(&program, "cf-billing.toml", text);
        let mut command = program.command(arguments);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        outputs.push(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned());
    };
    let secret = |api: &str, more: &str| {
        format!(
            "{more}\n[log]\nlevel = \"trace\"\n[http]\nlisten = \"127.0.0.1:0\"\n[[foundation]]\nname = \"sim\"\napi = \"{api}\"\nclient_id = \"billing\"\nclient_secret = \"{CANARY}\"\n"
        )
    };
    let check = ["check", "--config", "cf-billing.toml"];
    run(&secret(&api, ""), &check, &[]);
    run(&secret(&format!("https://user:{CANARY}@example.org"), ""), &check, &[]);
    run(&secret(&format!("not a url with user:{CANARY}@host"), ""), &check, &[]);
    run(&secret(&api, &format!("[database]\nurl = \"postgres://user:{CANARY}@db/billing\"")), &check, &[]);
    run(&secret(&api, ""), &check, &[("CF_BILLING__FOUNDATION__OTHER__CLIENT_SECRET", CANARY)]);
    run(&secret(&api, ""), &check, &[("CF_BILLING__FOUNDATION__SIM__CLIENT_SECRET_FILE", "nowhere")]);
    run(&format!("{}client_secret_file = \"x\"\n", secret(&api, "")), &check, &[]);
    run(&format!("{}client_secret = \"{CANARY}\"\n", secret(&api, "")), &check, &[]);
    run(&format!("[[foundation]]\nclient_secret = {CANARY}\n"), &check, &[]);
    run(&format!("[[foundation]]\nclient_secret = \"{CANARY}\n"), &check, &[]);
    run(&secret(&api, ""), &["snapshots", "list", "--config", "cf-billing.toml"], &[]);
    // The daemon, refused with it, at the most talkative level; and with the right one, whose token nobody may see.
    write(&program, "cf-billing.toml", secret(&api, ""));
    let daemon = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    daemon.says("check client_id and client_secret");
    let url = daemon.url();
    outputs.push(crate::support::background::text(&format!("{url}/")));
    outputs.push(crate::support::background::text(&format!("{url}/metrics")));
    outputs.push(crate::support::background::text(&format!("{url}/readyz")));
    outputs.push(daemon.end("TERM").2);
    write(&program, "cf-billing.toml", secret(&api, "").replace(CANARY, "simulated-secret"));
    let daemon = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    daemon.says("onboarding is complete");
    outputs.push(daemon.end("TERM").2);
    drop(simulated);
    for output in &outputs {
        assert!(!output.contains(CANARY), "{output}");
        assert!(!output.contains("eyJ"), "a token: {output}");
        assert!(!output.contains("simulated-secret"), "{output}");
    }
    assert!(outputs.iter().any(|output| output.contains("TRACE") || output.contains("DEBUG")), "trace isn't on");
}
