//! `import`: turns the configuration of another system into one of Vestibule.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;

use crate::cli::exit::WrongUse;
use crate::cli::files;
use crate::cli::terminal::{for_stderr, print};
use crate::import::{self, Asking, Imported, Input, Wanted};

/// What a rule that answers 503 makes of the exit code.
const INCOMPLETE: u8 = 3;
/// Maximum size of an input file in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Maximum number of files in a folder.
const FILES_MAX: usize = 10_000;

const CODES: &str = "\
The configuration is written to standard output or to --output, the report to standard error. What cannot be carried over and might have kept \
somebody out closes its rule: it answers 503.

Exit codes: 0: everything that decides who comes in was carried over; 3: a configuration was written, and rules in it answer 503; 1: nothing \
was written; 2: invalid command line.";

/// Turns the configuration of another system into one of Vestibule.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = CODES)]
pub(crate) enum Import {
    Elbv2(Elbv2),
    Ingress(Ingress),
    #[command(name = "oauth2-proxy")]
    Oauth2Proxy(Oauth2Proxy),
    #[command(name = "mod-auth-openidc")]
    ModAuthOpenidc(ModAuthOpenidc),
}

/// What all importers have.
#[derive(Debug, clap::Args)]
struct Common {
    /// Write the configuration to this file. An existing file is not replaced.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file of --output.
    #[arg(long, requires = "output")]
    force: bool,
    /// Show what became of each setting, also of those that were kept.
    #[arg(long)]
    explain: bool,
}

/// From an Application Load Balancer of AWS: the JSON of `aws elbv2 describe-load-balancers`, `-listeners`, `-rules`, `-target-groups`,
/// `-target-health`, `-load-balancer-attributes`, `-listener-attributes`, `-target-group-attributes`, `-listener-certificates`, `-trust-stores` and
/// `-trust-store-revocations`.
#[derive(Debug, clap::Args)]
#[command(after_help = CODES)]
pub(crate) struct Elbv2 {
    /// Files, or folders with `*.json`. docs/MIGRATION.md has the commands that make them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// From Ingress objects of the AWS Load Balancer Controller, with the Services that they name: the YAML of `kubectl get -o yaml`, or of your
/// repository. Secrets are not needed.
#[derive(Debug, clap::Args)]
#[command(after_help = CODES)]
pub(crate) struct Ingress {
    /// Files, or folders with `*.yaml`, `*.yml` and `*.json`.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// From oauth2-proxy: its configuration file, its alpha file (`*.yaml`), variables `OAUTH2_PROXY_*` (`*.env`) and its flags.
#[derive(Debug, clap::Args)]
#[command(after_help = CODES)]
pub(crate) struct Oauth2Proxy {
    /// Files: `*.yaml` and `*.yml` are alpha files, `*.env` has a variable in each line, all others are configuration files.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Who asks, if another proxy asks oauth2-proxy about each request. Without it, nginx is taken to ask.
    #[arg(long, value_name = "PROXY", value_parser = PossibleValuesParser::new(Asking::NAMES))]
    asked_by: Option<String>,
    /// Let users choose among all providers of the alpha file. oauth2-proxy signs users in at the first one only.
    #[arg(long)]
    every_provider: bool,
    /// Flags of oauth2-proxy, behind `--`: `-- --provider=oidc --client-id=wiki`.
    #[arg(last = true, value_name = "FLAG")]
    flags: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// From an Apache configuration with mod_auth_openidc: its hosts, `<Location>` sections, `Require`, `ProxyPass` and `OIDC…` directives. Files
/// that it includes are read, too.
#[derive(Debug, clap::Args)]
#[command(after_help = CODES)]
pub(crate) struct ModAuthOpenidc {
    /// Files, in the order in which Apache reads them, or folders with `*.conf`. Usually one: `/etc/apache2/apache2.conf`.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A variable that Apache is started with: `--define NAME` as its `-D NAME`, `--define NAME=VALUE` as one of the environment.
    #[arg(long, value_name = "NAME[=VALUE]")]
    define: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Import {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Elbv2(elbv2) => {
                elbv2.common.check()?;
                elbv2.common.finish(import::elbv2(&read(&elbv2.files, &["json"])?)?)
            }
            Self::Ingress(ingress) => {
                ingress.common.check()?;
                ingress.common.finish(import::ingress(&read(&ingress.files, &["json", "yaml", "yml"])?)?)
            }
            Self::Oauth2Proxy(proxy) => {
                proxy.common.check()?;
                let inputs = read(&proxy.files, &["cfg", "env", "yaml", "yml"])?;
                let asked_by = proxy.asked_by.as_deref().and_then(Asking::named);
                let wanted = Wanted { asked_by, every_provider: proxy.every_provider };
                proxy.common.finish(import::oauth2_proxy(&inputs, &proxy.flags, wanted)?)
            }
            Self::ModAuthOpenidc(apache) => {
                apache.common.check()?;
                let inputs = read(&apache.files, &["conf"])?;
                let folder = apache.files.first().and_then(|file| file.parent()).unwrap_or(Path::new("")).to_owned();
                let include = |pattern: &str, root: Option<&str>| included(&folder, root, pattern);
                apache.common.finish(import::mod_auth_openidc(&inputs, &apache.define, &include)?)
            }
        }
    }
}

impl Common {
    /// Before anything is read.
    fn check(&self) -> anyhow::Result<()> {
        match &self.output {
            Some(output) if !self.force && output.symlink_metadata().is_ok() => {
                Err(WrongUse(format!("{} exists: add --force to replace it", output.display())).into())
            }
            _ => Ok(()),
        }
    }

    fn finish(&self, imported: Imported) -> anyhow::Result<ExitCode> {
        let report = if self.explain { imported.explanation() } else { imported.report() };
        eprint!("{report}");
        if !imported.warnings.is_empty() {
            eprintln!("{}", for_stderr(&imported.warnings));
        }
        match &self.output {
            Some(output) => files::write(output, imported.yaml.as_bytes())?,
            None => print(&imported.yaml)?,
        }
        Ok(if imported.closed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
    }
}

/// Reads files, and those files of folders that have one of the extensions.
fn read(paths: &[PathBuf], extensions: &[&str]) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.is_dir() {
            let files = in_folder(path, extensions)?;
            if files.is_empty() {
                bail!("{} has no file that ends with .{}", path.display(), extensions.join(" or ."));
            }
            for file in files {
                inputs.push(read_file(&file)?);
            }
        } else {
            inputs.push(read_file(path)?);
        }
    }
    Ok(inputs)
}

fn in_folder(folder: &Path, extensions: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
    let failed = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
        if extension.is_some_and(|extension| extensions.contains(&extension.as_str())) {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            bail!("{} has more than {FILES_MAX} files", folder.display());
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> anyhow::Result<Input> {
    let failed = || format!("cannot read {}", path.display());
    let size = std::fs::metadata(path).with_context(failed)?.len();
    if size > FILE_BYTES_MAX {
        bail!("{} is larger than {} MiB", path.display(), FILE_BYTES_MAX / (1024 * 1024));
    }
    let text = std::fs::read_to_string(path).with_context(failed)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
    Ok(Input { name: path.display().to_string(), text })
}

/// The files of an `Include` of Apache: a file, a folder with all that is below it, or a pattern with `*` and `?`. A pattern finds files of a
/// folder that is there, or none. Everything else is an error: a file that is missing may have a gate in it.
fn included(folder: &Path, root: Option<&str>, pattern: &str) -> Result<Vec<Input>, String> {
    let whole = folder.join(root.unwrap_or_default()).join(pattern);
    let mut found = vec![PathBuf::new()];
    for part in whole.components() {
        let name = part.as_os_str().to_string_lossy();
        if !name.contains(['*', '?', '[']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        if name.contains('[') {
            return Err(format!("`{pattern}` has a pattern that is not read"));
        }
        let mut next = Vec::new();
        for parent in &found {
            next.extend(names_like(parent, &name)?);
        }
        found = next;
    }
    let mut files = Vec::new();
    found.into_iter().try_for_each(|path| below(path, 0, &mut files))?;
    files.iter().map(|file| read_file(file).map_err(|error| format!("{error:#}"))).collect()
}

/// What is in a folder and has a name like the pattern, in the order of its name.
fn names_like(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // As in a shell, a pattern means no hidden files.
        if is_like(name.as_bytes(), pattern.as_bytes()) && (!name.starts_with('.') || pattern.starts_with('.')) {
            found.push(path);
        }
        if found.len() > FILES_MAX {
            return Err(format!("{} has more than {FILES_MAX} files", folder.display()));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name is like a pattern with `*` and `?`.
fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < name.len() {
        match pattern.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(sign) if *sign == b'?' || *sign == name[at] => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((star_of, star_at)) => {
                    (of, at) = (star_of + 1, star_at + 1);
                    star = Some((star_of, star_at + 1));
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|sign| *sign == b'*')
}

/// A file, or all files of a folder, in the order of their names.
fn below(path: PathBuf, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if depth > 16 || files.len() > FILES_MAX {
        return Err(format!("{} has too many files or folders", path.display()));
    }
    if path.is_dir() {
        names_like(&path, "*")?.into_iter().try_for_each(|path| below(path, depth + 1, files))
    } else if path.exists() {
        files.push(path);
        Ok(())
    } else {
        Err(format!("the file {} is not there", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_like_patterns() {
        for (name, pattern, expected) in [
            ("a.conf", "*.conf", true),
            ("a.conf", "?.conf", true),
            ("ab.conf", "?.conf", false),
            ("a.conf.bak", "*.conf", false),
            ("aXbXc", "a*b*c", true),
            ("", "*", true),
            ("a", "", false),
            ("abab", "*ab", true),
        ] {
            assert_eq!(is_like(name.as_bytes(), pattern.as_bytes()), expected, "{name} {pattern}");
        }
    }
}
