//! `static`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use http::{HeaderMap, HeaderValue, header};

use crate::action::settings::GateSettings;
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw;
use crate::config::raw::action::Action;
use crate::config::raw::process as written;
use crate::config::raw::static_files::Static;
use crate::config::validate::context::Context;
use crate::config::validate::{every_action, value};
use crate::message::caching;
use crate::message::uri::{self, EncodedSlash};
use crate::static_files::name;
use crate::static_files::settings::Settings;

const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

pub(super) fn static_files(raw: &Static, at: &Path, context: &mut Context<'_>) -> Result<Settings, Reported> {
    let directory = directory(&raw.directory, &at.key("directory"), context);
    let prefix = raw.path_prefix.as_deref().map(|prefix| path_prefix(prefix, &at.key("path_prefix"), context));
    let index = value::each(&raw.index, &at.key("index"), &mut context.found, |name, at, found| {
        let is_name = name::is_servable(name, raw.dotfiles) && !name.contains('/');
        is_name.then(|| Box::from(name.as_str())).ok_or_else(|| {
            let problem = found.problem(at, format!("`{name}` is not the name of a file that is served"));
            problem.hint("write a name without a slash: `index.html`").reported()
        })
    });
    let mut page = |key: &str, written: &Option<String>| {
        let at = at.key(key);
        written.as_deref().map(|name| page(name, raw.dotfiles, directory.as_ref().ok(), &at, context)).transpose()
    };
    let (fallback, not_found) = (page("fallback", &raw.fallback), page("not_found", &raw.not_found));
    let content_types = content_types(&raw.content_types, &at.key("content_types"), context);
    let cache_control = match &raw.cache_control {
        None => Ok(NO_CACHE),
        Some(text) => HeaderValue::from_str(text).map_err(|_| {
            let at = at.key("cache_control");
            context.found.problem(&at, "this is not a value of `Cache-Control`").hint("write `max-age=3600`").reported()
        }),
    };
    Ok(Settings {
        directory: directory?,
        path_prefix: prefix.transpose()?.unwrap_or_default(),
        index: index?,
        fallback: fallback?,
        not_found: not_found?,
        dotfiles: raw.dotfiles,
        precompressed: raw.precompressed,
        content_types: content_types?,
        cache_control: cache_control?,
    })
}

fn directory(written: &str, at: &Path, context: &mut Context<'_>) -> Result<PathBuf, Reported> {
    if written.is_empty() {
        return context.found.problem(at, "the path is empty").hint("write `site` or `/srv/site`").fail();
    }
    let directory = context.source.resolve(written);
    let shown = directory.display();
    let is_file = fs::metadata(&directory).is_ok_and(|metadata| !metadata.is_dir());
    // What is in it can be reached if it can itself. It need not be listed.
    let metadata = fs::metadata(directory.join(".")).map_err(|error| {
        let problem = context.found.problem(at, format!("the directory `{shown}` cannot be read: {error}"));
        problem
            .maybe_hint(
                is_file
                    .then(|| "name a directory; for one answer without a directory, use `fixed-response`".to_owned()),
            )
            .reported()
    })?;
    if metadata.mode() & 0o002 != 0 {
        let warning = context.found.warning(at, format!("every user of this machine can write to `{shown}`"));
        warning.hint("what they put there is served under the name of your site: `chmod o-w` takes that away");
    }
    Ok(directory)
}

/// A path as rules see it, without a slash at its end.
fn path_prefix(written: &str, at: &Path, context: &mut Context<'_>) -> Result<Box<str>, Reported> {
    let prefix = written.strip_suffix('/').unwrap_or(written);
    let is_canonical = uri::rewritten(prefix, EncodedSlash::Refuse)
        .is_ok_and(|target| target.as_str() == prefix && !prefix.contains(['%', ';', '?']));
    // As in a pattern: not encoded.
    let is_text = !prefix.is_ascii() && prefix.starts_with('/') && !prefix.contains(['%', ';', '?', '#', '\\']);
    if prefix.is_empty() || !(is_canonical || is_text && name::is_servable(&prefix[1..], true)) {
        let problem = context.found.problem(at, format!("`{written}` is not the beginning of a path"));
        return problem.hint("write it as in `path_pattern`, not encoded: `/docs`").fail();
    }
    Ok(prefix.into())
}

/// The name of a page below the directory.
fn page(
    written: &str,
    dotfiles: bool,
    directory: Option<&PathBuf>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<Box<str>, Reported> {
    let name = written.strip_prefix('/').unwrap_or(written);
    if !name::is_servable(name, dotfiles) {
        let problem = context.found.problem(at, format!("`{written}` is not the name of a file that is served"));
        return problem.hint("write a file below the directory: `/index.html`").fail();
    }
    if let Some(file) = directory.map(|directory| directory.join(name))
        && !file.is_file()
    {
        let warning = context.found.warning(at, format!("there is no file `{}` now", file.display()));
        warning.hint("requests that need it are answered 404 until there is");
    }
    Ok(name.into())
}

fn content_types(
    written: &BTreeMap<String, String>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<BTreeMap<Box<str>, HeaderValue>, Reported> {
    let mut types = Ok(BTreeMap::new());
    for (extension, text) in written {
        let at = at.key(extension);
        let is_extension = !extension.is_empty()
            && extension
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_+~".contains(&byte));
        if !is_extension {
            let problem = context.found.problem_at_key(&at, format!("`{extension}` is not an extension"));
            types = problem.hint("write it in lower case and without its dot: `wat`").fail();
            continue;
        }
        match media_type(text) {
            Some(value) => {
                if let Ok(types) = &mut types {
                    types.insert(extension.as_str().into(), value);
                }
            }
            None => {
                let problem = context.found.problem(&at, format!("`{text}` is not a media type"));
                types = problem.hint("write `text/plain`, or `text/plain; charset=utf-8`").fail();
            }
        }
    }
    types
}

/// RFC 9110 §8.3.1, with any parameters.
fn media_type(text: &str) -> Option<HeaderValue> {
    let is_token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = essence.split_once('/')?;
    (is_token(kind) && is_token(subtype)).then(|| HeaderValue::from_str(text).ok())?
}

/// Keeps shared caches from storing files that only some may see.
pub(super) fn keep_private(
    settings: &mut Settings,
    gates: &[GateSettings],
    at: &Path,
    context: &mut Context<'_>,
) -> Result<(), Reported> {
    if gates.is_empty() && !context.verifies_certificates {
        return Ok(());
    }
    let mut headers = HeaderMap::from_iter([(header::CACHE_CONTROL, settings.cache_control.clone())]);
    if caching::is_for_shared_caches(&headers) {
        let message = "this lets shared caches keep files that not everybody may see, and give them to everybody";
        let problem = context.found.problem(&at.key("cache_control"), message);
        return problem
            .hint("leave out `public` and `s-maxage`, or serve public files by a rule without a sign-in")
            .fail();
    }
    caching::make_private(&mut headers);
    if let Some(value) = headers.remove(header::CACHE_CONTROL) {
        settings.cache_control = value;
    }
    Ok(())
}

/// Checks that no file of this configuration is served. It would give away keys and secrets. The images of `pages` and the logos of providers are public.
pub(super) fn apart(raw: &raw::File, context: &mut Context<'_>) {
    let source = context.source;
    let of_pages = raw.pages.iter().flat_map(|pages| [&pages.logo, &pages.logo_dark]);
    let of_providers = raw.identity_providers.values().map(|provider| &provider.logo_file);
    let of_pools = raw.user_pools.values().map(|pool| &pool.logo_file);
    let images = of_pages.chain(of_providers).chain(of_pools).flatten();
    let images: Vec<PathBuf> = images.map(|image| source.resolve(image)).collect();
    let mut kept: Vec<PathBuf> = source.own.iter().map(|file| file.path.clone()).collect();
    kept.extend(source.files.all().into_iter().map(|file| file.path).filter(|path| !images.contains(path)));
    kept.extend(context.missing_keys.iter().map(|key| key.file.clone()));
    if !matches!(raw.access_log.destination.as_str(), written::STDOUT | written::SYSLOG) {
        kept.push(source.resolve(&raw.access_log.destination));
    }
    let stores = raw.user_pools.values().filter_map(|pool| pool.store.as_ref());
    kept.extend(stores.map(|store| source.resolve(&store.sqlite)));
    kept.extend(raw.acme.iter().map(|acme| source.resolve(&acme.directory_path)));
    let real = |path: &PathBuf| {
        // What does not exist yet will be in the directory that does.
        let parent = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
        path.canonicalize().ok().or_else(parent).unwrap_or_else(|| path.clone())
    };
    for (files, at) in all(raw) {
        if context.found.concern(&at.key("directory")).is_some() {
            continue;
        }
        let directory = real(&source.resolve(&files.directory));
        if let Some(file) = kept.iter().find(|file| real(file).starts_with(&directory)) {
            let message = format!("`{}` is in this directory and would be served", file.display());
            let problem = context.found.problem(&at.key("directory"), message);
            problem.hint("put the files of the site into a directory of their own");
        }
    }
}

/// Every `static` of the file, with its place.
fn all(raw: &raw::File) -> impl Iterator<Item = (&Static, Path)> {
    every_action::of_file(raw).filter_map(|(action, at)| match action {
        Action::Static(files) => Some((files, at)),
        _ => None,
    })
}
