//! Text that is never shown, from a key or from the file that it names.

use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::{Zeroize, Zeroizing};

use crate::domain::text::{NotText, text_of};
use crate::keyed::{Keyed, Problem};

/// A password or a URL that may hold one. Prints as `***`; its memory is overwritten when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one who must send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// A secret, from the key itself or from the file that `<key>_file` names; never both.
pub(super) fn secret(section: &Keyed<'_>, name: &str, warnings: &mut Vec<Problem>) -> Option<Secret> {
    match secret_if_readable(section, name, warnings)? {
        Ok(secret) => Some(secret),
        Err(problem) => {
            section.reader.add(problem);
            None
        }
    }
}

/// As [`secret`], where only some commands need it: why its file can't be read is for those to say.
pub(super) fn secret_if_readable(
    section: &Keyed<'_>,
    name: &str,
    warnings: &mut Vec<Problem>,
) -> Option<Result<Secret, Problem>> {
    let by_file = format!("{name}_file");
    if !section.has(&by_file) {
        return section.text(name).map(Secret::new).map(Ok);
    }
    if section.has(name) {
        section.error(&by_file, format!("`{name}` and `{by_file}` are both given"), "keep one of them");
        return None;
    }
    let path = section.path(&by_file)?;
    let file = path.display();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let hint = match error.kind() {
                ErrorKind::PermissionDenied => {
                    "run the command as the user of the service: sudo -u cf-billing cf-billing …".to_owned()
                }
                _ if path.starts_with("/run/credentials") => {
                    "systemd gives it to the service alone, while that runs: start it".to_owned()
                }
                _ => format!("give the path of a file that holds the secret: {by_file} = \"…\""),
            };
            let origin = section.reader.origin(section.at(&by_file));
            return Some(Err(Problem::error(origin, format!("can't read `{file}`: {error}"), hint)));
        }
    };
    match text_of(bytes) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            if let Some(mode) = open_to_all(&path) {
                let message = format!("`{file}` holds a secret, but everybody may read or change it (mode {mode:04o})");
                let hint = format!("chmod 0600 {file}; Kubernetes: defaultMode of the volume");
                warnings.push(Problem::warning(section.reader.origin(section.at(&by_file)), message, hint));
            }
            Some(Ok(Secret::new(text.trim_end_matches(['\n', '\r']).to_owned())))
        }
        Err(error) => {
            section.error(&by_file, format!("can't read `{file}`: {error}"), NotText::HINT);
            None
        }
    }
}

/// A file's mode, if others than its owner and group may read it, or others than its owner write it.
fn open_to_all(file: &Path) -> Option<u32> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    (mode & 0o026 != 0).then_some(mode)
}

/// `cf-billing.db` in the service's state folder, or in the user's.
pub(super) fn default_database(section: &Keyed<'_>) -> Option<Secret> {
    const HINT: &str = "set [database] url or CF_BILLING__DATABASE__URL";
    let Some(folder) = state_folder() else {
        section.error_here("there is no folder for the database: HOME isn't set", HINT);
        return None;
    };
    if let Err(error) = std::fs::create_dir_all(&folder) {
        section.error_here(format!("can't make `{}`: {error}", folder.display()), HINT);
        return None;
    }
    Some(Secret::new(format!("sqlite://{}", folder.join("cf-billing.db").display())))
}

/// Where this host keeps what isn't configured elsewhere; `None`: it says of no place.
#[must_use]
pub fn state_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("STATE_DIRECTORY")
        .or_else(|| variable("XDG_STATE_HOME").map(|folder| folder.join("cf-billing")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/cf-billing")))
}
