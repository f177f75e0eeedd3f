//! `cf-billing ledger attest`: the newest link of each hash chain, signed, for somebody who keeps it elsewhere.
//! Owns the file's form; the signature is over its bytes, so that any Ed25519 tool checks it.

use std::io::Write;
use std::path::{Path, PathBuf};

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde::{Deserialize, Serialize};
use x509_parser::oid_registry::OID_SIG_ED25519;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::chains::{broken, chains};
use crate::cli::output::note;
use crate::cli::{Failure, Global};
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::store::files;

/// Write down the newest link of each hash chain, signed, for an auditor to keep
///
/// Verifies all chains first. Whoever has the file can show later, with `ledger verify --against`, that nothing up to then
/// was rewritten, by whomever. Give it to somebody who can't change the database. With --key a signature is beside it, in
/// FILE.sig: 64 bytes over the file, as `openssl pkeyutl -verify -rawin` checks them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cf-billing ledger attest --key attest.key --out attested-2026-10.json

A key is made once. Keep it secret, and give its public half to the auditor:
  openssl genpkey -algorithm ed25519 -out attest.key
  openssl pkey -in attest.key -pubout -out attest.pub")]
pub(super) struct Attest {
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Sign it with this Ed25519 private key: PKCS#8, PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// What the file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attestation {
    pub made_at: Timestamp,
    /// The version of the program that made it.
    pub made_by: String,
    pub chains: Vec<Attested>,
}

/// A chain as it was.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attested {
    pub chain: String,
    pub links: u64,
    /// Number of the last input, or of the last invoice of the series, that it covers.
    pub through: u64,
    /// The last link: SHA-256, hexadecimal.
    pub digest: String,
}

impl Attest {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let key = self.key.as_deref().map(private_key).transpose()?;
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let found = chains(&store).await;
        store.close().await;
        let found = found?;
        let mut problems = broken(&found);
        if let Some(last) = problems.last_mut() {
            last.push_str("\nhint: nothing is attested of a broken chain; see `cf-billing ledger verify`");
            return Err(Failure { code: 1, problems });
        }
        let chains = (found.into_iter().filter(|chain| chain.numbers[0] > 0))
            .map(|chain| {
                let ([links, ..], through) = (chain.numbers, chain.through);
                Attested { chain: chain.name, links, through, digest: chain.digest }
            })
            .collect::<Vec<_>>();
        let made_by = format!("cf-billing {}", env!("CARGO_PKG_VERSION"));
        let count = chains.len();
        let attestation = Attestation { made_at: Clock::System.now(), made_by, chains };
        let mut text = serde_json::to_vec_pretty(&attestation).map_err(Failure::failed)?;
        text.push(b'\n');
        let signature = key.map(|key| key.sign(&text));
        put(&self.out, &text)?;
        let out = self.out.display();
        match signature {
            Some(signature) => {
                let beside = files::beside(&self.out, ".sig");
                put(&beside, signature.as_ref())?;
                note(&format!("{out}: {count} chain(s) attested; the signature is in {}", beside.display()));
            }
            None => note(&format!("{out}: {count} chain(s) attested, without a signature: --key signs it")),
        }
        Ok(())
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = files::create_new(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| file_failed(path, &error))
}

pub(super) fn file_failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: {error}\nhint: give the path of a file that can be read or made", path.display()))
}

fn private_key(path: &Path) -> Result<Ed25519KeyPair, Failure> {
    let text = std::fs::read(path).map_err(|error| file_failed(path, &error))?;
    let key = PrivatePkcs8KeyDer::from_pem_slice(&text).ok();
    // OpenSSL writes keys without their public half.
    let key = key.and_then(|key| Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der()).ok());
    key.ok_or_else(|| {
        let made = "openssl genpkey -algorithm ed25519 -out attest.key";
        Failure::failed(format!("{}: this isn't an Ed25519 private key\nhint: make one: {made}", path.display()))
    })
}

/// Whether the signature beside a file is that of a key.
pub(super) fn check_signature(file: &Path, text: &[u8], public_key: &Path) -> Result<(), Failure> {
    let beside = files::beside(file, ".sig");
    let signature = std::fs::read(&beside).map_err(|error| file_failed(&beside, &error))?;
    let pem = std::fs::read(public_key).map_err(|error| file_failed(public_key, &error))?;
    let key = public_key_of(&pem).ok_or_else(|| {
        let made = "openssl pkey -in attest.key -pubout -out attest.pub";
        Failure::failed(format!("{}: this isn't an Ed25519 public key\nhint: make it: {made}", public_key.display()))
    })?;
    UnparsedPublicKey::new(&ED25519, &key).verify(text, &signature).map_err(|_| {
        Failure::failed(format!(
            "{}: the signature isn't that of {}\nhint: the file was changed after it was signed, or somebody else signed it",
            beside.display(),
            public_key.display()
        ))
    })
}

fn public_key_of(pem: &[u8]) -> Option<Vec<u8>> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
    let (_, info) = SubjectPublicKeyInfo::from_der(&der).ok()?;
    (info.algorithm.algorithm == OID_SIG_ED25519).then(|| info.subject_public_key.data.to_vec())
}
