//! From a TOML document to a [`Config`]: section by section, collecting every problem on the way.
//!
//! Called by [`Config::from_text`] alone. A value that is wrong is replaced by its default so that
//! the walk can go on; the [`Config`] that results is only handed out when there was no problem.

mod records;
mod sections;
mod telemetry;
mod tls;
mod verifiers;

pub(super) use verifiers::registry;

use super::document::{Field, NumberOrText, Problems, Section, nearest};
use super::values::{self, Wrong};
use super::{
    Admin, Config, ConfigError, Covers, CrlSource, FurtherSigner, GenerationConfig, IssuerConfig,
    ScopesPolicy, Server, SignerConfig, StoreConfig, Unlisted,
};
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

const DEFAULT_PORT: u16 = 8080;
/// What a small machine can spare; a large store wants more.
const DEFAULT_STORE_CACHE_SIZE: u64 = 256 << 20;
/// The last two days, where a CRL comes every day.
const DEFAULT_CHECKPOINTS: usize = 2;
const DEFAULT_CHECKPOINT_EVERY: Duration = Duration::from_secs(86_400);
const MAX_CHECKPOINTS: u64 = 100;
const LEAST_STORE_CACHE_SIZE: u64 = 8 << 20;
const DEFAULT_MAX_CRL_SIZE: u64 = 256 << 20;
/// More threads than any machine has cores: a slip of the keyboard.
const MAX_WORKERS: u64 = 4096;

const COVERS: &[(&str, Covers)] = &[("all", Covers::All), ("user", Covers::User), ("ca", Covers::Ca)];
const UNLISTED: &[(&str, Unlisted)] = &[
    ("good", Unlisted::Good),
    ("unknown", Unlisted::Unknown),
    ("unauthorized", Unlisted::Unauthorized),
    ("revoked", Unlisted::Revoked),
];

/// What every section is read with.
struct Walk<'t> {
    problems: Problems<'t>,
    /// What relative paths start at.
    folder: PathBuf,
    /// Where `response.crl_references` stands.
    crl_references_at: usize,
}

pub(super) fn config(path: &Path, text: &str) -> Result<Config, ConfigError> {
    walk(path, text, |walk, top| walk.document(path, top))
}

/// Walks over a document with `read`, and gives what it read if nothing was wrong.
fn walk<T>(
    path: &Path,
    text: &str,
    read: impl FnOnce(&mut Walk<'_>, Section<'_>) -> T,
) -> Result<T, ConfigError> {
    // Editors of another system put a mark in front of UTF-8; TOML does not know it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let problems = Problems::new(text);
    let document = DeTable::parse(text).map_err(|error| {
        let (line, column) = problems.position(error.span().map_or(text.len(), |span| span.start));
        // One line, whatever the parser says.
        let why = error.message().lines().collect::<Vec<_>>().join(", ");
        ConfigError::Syntax { path: path.into(), line, column, why }
    })?;
    let mut walk =
        Walk { problems, folder: path.parent().unwrap_or(Path::new("")).into(), crl_references_at: 0 };
    let read = read(&mut walk, Section::new(document.get_ref(), "", 0));
    let problems = walk.problems.into_found();
    if problems.is_empty() { Ok(read) } else { Err(ConfigError::Invalid { path: path.into(), problems }) }
}

impl Walk<'_> {
    fn document(&mut self, path: &Path, mut top: Section<'_>) -> Config {
        let server = top.take("server").and_then(|field| self.table(&field, "server.", "[server]"));
        let server = self.server(server);
        let admin = top.take("admin").and_then(|field| self.table(&field, "admin.", "[admin]"));
        let admin = self.admin(admin, &server);
        let store = top.take("store").and_then(|field| self.table(&field, "store.", "[store]"));
        let store = self.store(store);
        let response = top.take("response").and_then(|field| self.table(&field, "response.", "[response]"));
        let response = self.response(response);
        let guard = top.take("guard").and_then(|field| self.table(&field, "guard.", "[guard]"));
        let guard = self.guard(guard);
        let fetch = top.take("fetch").and_then(|field| self.table(&field, "fetch.", "[fetch]"));
        let fetch = self.fetch(fetch);
        let audit = top.take("audit").and_then(|field| self.table(&field, "audit.", "[audit]"));
        let audit = audit.map(|section| self.audit(section));
        let usage = top.take("usage").and_then(|field| self.table(&field, "usage.", "[usage]"));
        let usage = usage.map(|section| self.usage(section));
        let telemetry =
            top.take("telemetry").and_then(|field| self.table(&field, "telemetry.", "[telemetry]"));
        let telemetry = telemetry.map(|section| self.telemetry(section));
        let sections = match top.take("issuer") {
            None => Vec::new(),
            Some(field) => field.sections(&mut self.problems, "[[issuer]]", issuer_path),
        };
        if sections.is_empty() {
            let hint = "add an [[issuer]] section with name, certificate, signer and crls";
            self.problems.add(0, "issuer", "there is none, so there is nobody to answer for", hint);
        }
        let mut issuers = Vec::with_capacity(sections.len());
        for section in sections {
            let offset = section.offset;
            let issuer = self.issuer(section);
            self.check_unique(offset, &issuer, &issuers);
            issuers.push(issuer);
        }
        let verifiers = top.take("verifiers");
        let verifiers = verifiers
            .and_then(|field| self.table(&field, "verifiers.", "[verifiers]"))
            .map(|one| self.verifiers(one));
        top.finish(&mut self.problems);
        let config = Config {
            file: path.into(),
            server,
            admin,
            store,
            response,
            guard,
            fetch,
            audit,
            usage,
            telemetry,
            issuers,
            verifiers,
        };
        self.check_references(&config);
        config
    }

    fn table<'d>(&mut self, field: &Field<'d>, path: &str, example: &str) -> Option<Section<'d>> {
        field.section(&mut self.problems, path, example)
    }

    fn server(&mut self, section: Option<Section<'_>>) -> Server {
        let default = SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT));
        let Some(mut section) = section else {
            return Server { listen: vec![default], workers: 0, tls: None };
        };
        let plain = section.take("listen");
        let tls = section.take("tls");
        let listen = match (plain, &tls) {
            (Some(field), Some(_)) if field.is_empty_list() => Vec::new(),
            (Some(field), _) => self.addresses(&field),
            (None, Some(_)) => Vec::new(),
            (None, None) => vec![default],
        };
        let tls = tls.and_then(|field| self.tls(&field, &listen));
        let workers = section.take("workers").and_then(|field| {
            let number = field.number(&mut self.problems, "workers = 0, which is one per core")?;
            if number > MAX_WORKERS {
                let why = format!("{number} threads are too many");
                field.wrong(&mut self.problems, why, "0 is one per core, which is right for most");
            }
            usize::try_from(number).ok()
        });
        section.finish(&mut self.problems);
        Server { listen, workers: workers.unwrap_or(0), tls }
    }

    fn admin(&mut self, section: Option<Section<'_>>, server: &Server) -> Admin {
        let mut admin = Admin { listen: None, max_crl_size: DEFAULT_MAX_CRL_SIZE };
        let Some(mut section) = section else { return admin };
        if let Some(field) = section.take("listen")
            && let Some(text) = field.text(&mut self.problems, "listen = \"127.0.0.1:9090\"")
        {
            admin.listen = self.accept(&field, values::address(text));
            if admin.listen.is_some_and(|listen| {
                listen.port() != 0 && server.listeners().any(|(_, other)| other == listen)
            }) {
                field.wrong(
                    &mut self.problems,
                    format!("{text} already serves OCSP"),
                    "give the admin pages a port of their own, as in \"127.0.0.1:9090\"",
                );
            }
        }
        if let Some(field) = section.take("max_crl_size")
            && let Some(size) = self.size(&field, "max_crl_size = \"256MiB\"")
        {
            if size == 0 {
                field.wrong(&mut self.problems, "no CRL is that small", "write it like \"256MiB\"");
            }
            admin.max_crl_size = size;
        }
        section.finish(&mut self.problems);
        admin
    }

    fn store(&mut self, section: Option<Section<'_>>) -> StoreConfig {
        let default = self.folder.join("data");
        let mut store = StoreConfig {
            path: default,
            cache_size: DEFAULT_STORE_CACHE_SIZE,
            checkpoints: DEFAULT_CHECKPOINTS,
            checkpoint_every: DEFAULT_CHECKPOINT_EVERY,
            backups: None,
        };
        let Some(mut section) = section else { return store };
        if let Some(path) = section.take("path").and_then(|field| self.path(&field)) {
            store.path = path;
        }
        if let Some(field) = section.take("cache_size")
            && let Some(size) = self.size(&field, "cache_size = \"256MiB\"")
        {
            if size < LEAST_STORE_CACHE_SIZE {
                field.wrong(&mut self.problems, "is too little to work with", "write 8MiB or more");
            }
            store.cache_size = size;
        }
        if let Some(field) = section.take("checkpoints")
            && let Some(number) = field.number(&mut self.problems, "checkpoints = 2, or 0 for none")
        {
            if number > MAX_CHECKPOINTS {
                let why = format!("{number} copies are too many");
                field.wrong(&mut self.problems, why, "each may come to be as large as the store; write 2");
            }
            store.checkpoints = usize::try_from(number).unwrap_or(usize::MAX);
        }
        if let Some(every) = self.duration(&mut section, "checkpoint_every", "checkpoint_every = \"24h\"") {
            store.checkpoint_every = every;
        }
        store.backups = section.take("backups").and_then(|field| self.path(&field));
        section.finish(&mut self.problems);
        store
    }

    fn duration(&mut self, section: &mut Section<'_>, key: &'static str, example: &str) -> Option<Duration> {
        let field = section.take(key)?;
        let text = field.text(&mut self.problems, example)?;
        self.accept(&field, values::duration(text))
    }

    fn issuer(&mut self, mut section: Section<'_>) -> IssuerConfig {
        let name = section.require("name", &mut self.problems, "name = \"user-authentication\"");
        let name = name.and_then(|field| {
            let text = field.text(&mut self.problems, "name = \"user-authentication\"")?;
            self.accept(&field, values::issuer_name(text))
        });
        let certificate = self.required_path(&mut section, "certificate", "certificate = \"auth-ca.pem\"");
        let certificate = certificate.unwrap_or_default();
        let signer = self.signer(&mut section, &certificate);
        let signers = self.signers(&mut section, &certificate);
        let crls = section.take("crls").map(|field| self.crl_sources(&field)).unwrap_or_default();
        let crl_issuers = section.take("crl_issuers").map(|field| self.paths(&field)).unwrap_or_default();
        let scopes = section.take("scopes").and_then(|field| self.scopes(&field)).unwrap_or_default();
        let covers = section.take("covers").and_then(|field| self.word(&field, COVERS)).unwrap_or_default();
        let inventory = section.take("inventory").map(|field| self.paths(&field));
        let unlisted = section.take("unlisted").and_then(|field| self.word(&field, UNLISTED));
        let retention = section.take("retention").and_then(|field| {
            let text = field.text(&mut self.problems, "retention = \"10years\"")?;
            self.accept(&field, values::long_duration(text))
        });
        let path = section.key("generation ");
        let generations = match section.take("generation") {
            None => Vec::new(),
            Some(field) => field
                .sections(&mut self.problems, "[[issuer.generation]]", |place, _| format!("{path}{place} "))
                .into_iter()
                .map(|section| self.generation(section))
                .collect(),
        };
        section.finish(&mut self.problems);
        IssuerConfig {
            name: name.unwrap_or_default(),
            certificate,
            signer,
            signers,
            crls,
            crl_issuers,
            scopes,
            covers,
            inventory,
            unlisted,
            retention,
            generations,
        }
    }

    /// Two issuers of one name would share their metrics; a certificate named twice would have two
    /// signers, and which of them answers would be left to chance.
    fn check_unique(&mut self, offset: usize, issuer: &IssuerConfig, before: &[IssuerConfig]) {
        let IssuerConfig { name, .. } = issuer;
        if !name.is_empty() && before.iter().any(|other| other.name == *name) {
            let why = format!("another issuer is called \"{name}\" as well");
            self.problems.add(offset, "issuer name", why, "give each issuer a name of its own");
        }
        let mut seen: HashSet<&Path> = before.iter().flat_map(certificates).collect();
        for certificate in certificates(issuer) {
            if !certificate.as_os_str().is_empty() && !seen.insert(certificate) {
                let why = format!("{} stands here for the second time", certificate.display());
                let hint = "name each CA certificate once, as an issuer or as a generation of one";
                self.problems.add(offset, &format!("issuer \"{name}\" certificate"), why, hint);
            }
        }
    }

    fn generation(&mut self, mut section: Section<'_>) -> GenerationConfig {
        let certificate =
            self.required_path(&mut section, "certificate", "certificate = \"auth-ca-2019.pem\"");
        let certificate = certificate.unwrap_or_default();
        let signer = self.signer(&mut section, &certificate);
        let signers = self.signers(&mut section, &certificate);
        section.finish(&mut self.problems);
        GenerationConfig { certificate, signer, signers }
    }

    fn signer(&mut self, section: &mut Section<'_>, ca: &Path) -> SignerConfig {
        let example = "signer = { certificate = \"auth-ocsp.pem\", key = \"auth-ocsp.key\" }";
        let nobody = SignerConfig { certificate: ca.into(), key: PathBuf::new() };
        let path = section.key("signer.");
        let Some(field) = section.require("signer", &mut self.problems, example) else { return nobody };
        let Some(mut signer) = self.table(&field, &path, example) else { return nobody };
        let found = self.signer_of(&mut signer, ca);
        signer.finish(&mut self.problems);
        found
    }

    fn signer_of(&mut self, signer: &mut Section<'_>, ca: &Path) -> SignerConfig {
        let certificate = signer.take("certificate").and_then(|field| self.path(&field));
        let key = self.required_path(signer, "key", "key = \"auth-ocsp.key\"");
        SignerConfig { certificate: certificate.unwrap_or(ca.into()), key: key.unwrap_or_default() }
    }

    fn signers(&mut self, section: &mut Section<'_>, ca: &Path) -> Vec<FurtherSigner> {
        let path = section.key("signers ");
        let Some(field) = section.take("signers") else { return Vec::new() };
        let example = "signers = [{ certificate = \"auth-ocsp-p384.pem\", key = \"auth-ocsp-p384.key\" }]";
        let tables = field.sections(&mut self.problems, example, |place, _| format!("{path}{place} "));
        let one = |mut section: Section<'_>| {
            let signer = self.signer_of(&mut section, ca);
            let presign = self.cert_id_forms(&mut section);
            section.finish(&mut self.problems);
            FurtherSigner { signer, presign }
        };
        tables.into_iter().map(one).collect()
    }

    fn crl_sources(&mut self, field: &Field<'_>) -> Vec<CrlSource> {
        let mut sources = Vec::new();
        for (item, text) in field.texts(&mut self.problems, "crls = [\"crl/\", \"http://crl.example/a.crl\"]")
        {
            let Some(source) = self.accept(&item, values::crl_source(text, &self.folder)) else { continue };
            if sources.contains(&source) {
                item.wrong(
                    &mut self.problems,
                    format!("\"{text}\" stands here twice"),
                    "take one of them out",
                );
            }
            sources.push(source);
        }
        sources
    }

    fn scopes(&mut self, field: &Field<'_>) -> Option<ScopesPolicy> {
        let example = "scopes = \"discovered\", scopes = 1900 or scopes = \"distribution-points.txt\"";
        match field.number_or_text(&mut self.problems, example)? {
            NumberOrText::Text("discovered") => Some(ScopesPolicy::Discovered),
            NumberOrText::Text(path) => Some(ScopesPolicy::Listed(self.folder.join(path))),
            NumberOrText::Number(0) => {
                let why = "0 scopes would mean that no CRL is needed to answer good";
                field.wrong(
                    &mut self.problems,
                    why,
                    "write how many CRL scopes there are, or \"discovered\"",
                );
                None
            }
            NumberOrText::Number(count) => usize::try_from(count).ok().map(ScopesPolicy::Count),
        }
    }

    fn addresses(&mut self, field: &Field<'_>) -> Vec<SocketAddr> {
        let texts = field.texts(&mut self.problems, "listen = [\"127.0.0.1:8080\"]");
        let mut addresses = Vec::with_capacity(texts.len());
        let none = texts.is_empty();
        for (item, text) in texts {
            let Some(address) = self.accept(&item, values::address(text)) else { continue };
            // Port 0 is a fresh port each time.
            if address.port() != 0 && addresses.contains(&address) {
                item.wrong(
                    &mut self.problems,
                    format!("\"{text}\" stands here twice"),
                    "take one of them out",
                );
            }
            addresses.push(address);
        }
        if none && field.is_list() {
            let hint = "write it like listen = [\"127.0.0.1:8080\"]";
            field.wrong(&mut self.problems, "has no address, so nobody could ask", hint);
        }
        addresses
    }

    fn size(&mut self, field: &Field<'_>, example: &str) -> Option<u64> {
        match field.number_or_text(&mut self.problems, example)? {
            NumberOrText::Number(size) => Some(size),
            NumberOrText::Text(text) => self.accept(field, values::size(text)),
        }
    }

    fn word<T: Copy>(&mut self, field: &Field<'_>, words: &[(&'static str, T)]) -> Option<T> {
        let known: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        let all = known.join(", ");
        let text = field.text(&mut self.problems, &format!("one of {all}, in quotes"))?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let hint = match nearest(text, &known) {
                Some(word) => format!("did you mean \"{word}\"? known: {all}"),
                None => format!("one of {all}"),
            };
            field.wrong(&mut self.problems, format!("\"{text}\" is not a choice here"), hint);
        }
        found.map(|(_, value)| *value)
    }

    fn required_path(
        &mut self,
        section: &mut Section<'_>,
        key: &'static str,
        example: &str,
    ) -> Option<PathBuf> {
        let field = section.require(key, &mut self.problems, example)?;
        self.path(&field)
    }

    fn path(&mut self, field: &Field<'_>) -> Option<PathBuf> {
        let text = field.text(&mut self.problems, "\"certs/ca.pem\", a path in quotes")?;
        Some(self.folder.join(text))
    }

    fn paths(&mut self, field: &Field<'_>) -> Vec<PathBuf> {
        let texts = field.texts(&mut self.problems, "[\"one.file\", \"another.file\"]");
        texts.into_iter().map(|(_, text)| self.folder.join(text)).collect()
    }

    /// The value, or its problem on record.
    fn accept<T>(&mut self, field: &Field<'_>, value: Result<T, Wrong>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(Wrong { why, hint }) => {
                field.wrong(&mut self.problems, why, hint);
                None
            }
        }
    }
}

/// `issuer "auth" `, or its place where it has no name.
fn issuer_path(place: usize, table: &DeTable<'_>) -> String {
    match table.get("name").and_then(|name| name.get_ref().as_str()).filter(|name| !name.is_empty()) {
        Some(name) => format!("issuer \"{name}\" "),
        None => format!("issuer {place} "),
    }
}

/// Every CA certificate of an issuer.
fn certificates(issuer: &IssuerConfig) -> impl Iterator<Item = &Path> {
    let generations = issuer.generations.iter().map(|generation| generation.certificate.as_path());
    std::iter::once(issuer.certificate.as_path()).chain(generations)
}
