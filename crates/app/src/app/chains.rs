//! The live action chains of the rules of one configuration.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::action::allow::Allow;
use crate::action::authenticate::{Authenticate, GenerationServices};
use crate::action::authorize::{Authorize, Owner};
use crate::action::bearer::Bearer;
use crate::action::extras::Extras;
use crate::action::fixed_response::FixedResponse;
use crate::action::forward::Forward;
use crate::action::redirect::Redirect;
use crate::action::settings::{
    AuthenticateKind, AuthenticateSettings, BearerSettings, ChainSettings, ForwardSettings, GateSettings,
    GroupStickiness, ProviderChoice, TerminalSettings,
};
use crate::action::static_files::StaticFiles;
use crate::action::{ActionChain, Gate, SessionOrBearer, Terminal};
use crate::app::providers::{Provider, Providers};
use crate::claims::ClaimsHeaders;
use crate::drain::Control;
use crate::identity::endings::EndingsByIssuer;
use crate::message::header::Protected;
use crate::session;
use crate::session::names::OurCookies;
use crate::static_files::site::Site;
use crate::telemetry::logged_names::LoggedNames;
use crate::telemetry::metrics::Registry;
use crate::upstream::stickiness::groups;
use crate::upstream::weighted::{self, Share};

/// What the chains of all listeners are built from, and what they have in common.
pub(crate) struct Chains {
    pub(crate) providers: Providers,
    /// Present when a rule signs users in; validation has checked that.
    pub(crate) services: Option<GenerationServices>,
    pub(crate) claims: Option<Arc<ClaimsHeaders>>,
    pub(crate) control: Control,
    /// What the user pools of this process have ended.
    pub(crate) endings: EndingsByIssuer,
    /// Present when a `forward` has `stickiness`; validation has checked that.
    pub(crate) session: Option<session::settings::Settings>,
    /// What the `forward` actions need that have several groups or transforms.
    pub(crate) extras: RefCell<Vec<Arc<Extras>>>,
    /// The directories of the `static` actions so far.
    pub(crate) sites: RefCell<Vec<PathBuf>>,
    /// The index of each target group among the upstream clients of a worker.
    pub(crate) places: BTreeMap<Arc<str>, usize>,
    pub(crate) protected: Arc<Protected>,
    pub(crate) our_cookies: Arc<OurCookies>,
    /// Targets whose cookies were already reported in the log.
    pub(crate) told: Arc<LoggedNames>,
    pub(crate) registry: Registry,
}

/// The actions of a listener so far. Rules with equal settings share them.
#[derive(Default)]
pub(crate) struct Actions {
    pub(crate) authenticate: Vec<Arc<Authenticate>>,
    pub(crate) bearer: Vec<Arc<Bearer>>,
}

impl Chains {
    /// The live chain of the rule that `owner` names.
    pub(crate) fn chain(
        &self,
        owner: &Owner<'_>,
        settings: ChainSettings,
        head_bytes_max: usize,
        Actions { authenticate: actions, bearer: tokens }: &mut Actions,
    ) -> ActionChain {
        let demand = settings.demand();
        let gates = settings.gates.into_iter().map(|gate| match gate {
            GateSettings::Authenticate(settings) => {
                Gate::Authenticate(self.authenticate(settings, head_bytes_max, actions))
            }
            GateSettings::Bearer(settings) => Gate::Bearer(self.bearer(settings, tokens)),
            GateSettings::SessionOrBearer(session, bearer) => Gate::SessionOrBearer(SessionOrBearer {
                session: self.authenticate(session, head_bytes_max, actions),
                bearer: self.bearer(bearer, tokens),
            }),
            GateSettings::Authorize(settings) => {
                Gate::Authorize(Arc::new(Authorize::new(settings, owner, &self.registry)))
            }
        });
        let gates: Box<[Gate]> = gates.collect();
        let terminal = match settings.terminal {
            TerminalSettings::Redirect(settings) => Terminal::Redirect(Redirect::new(settings)),
            TerminalSettings::FixedResponse(settings) => Terminal::FixedResponse(FixedResponse::new(settings)),
            TerminalSettings::Static(settings) => {
                let mut sites = self.sites.borrow_mut();
                let place = sites.len();
                sites.push(settings.directory.clone());
                Terminal::Static(StaticFiles { site: Arc::new(Site::new(*settings)), place })
            }
            TerminalSettings::Allow(audience) => {
                Terminal::Allow(Allow { audience, our_cookies: Arc::clone(&self.our_cookies) })
            }
            TerminalSettings::Forward(settings) => Terminal::Forward(Forward {
                group: self.places[&settings.groups[0].0],
                preserve_host: settings.preserve_host,
                extras: self.extras(settings),
                protected: Arc::clone(&self.protected),
                our_cookies: Arc::clone(&self.our_cookies),
                told: Arc::clone(&self.told),
                authorize: gates.iter().filter_map(Gate::authorize).cloned().collect(),
            }),
        };
        ActionChain { gates, terminal, demand }
    }

    /// Rules of a listener with equal settings share one action, so that a token is verified only once for all of them.
    fn bearer(&self, settings: BearerSettings, tokens: &mut Vec<Arc<Bearer>>) -> Arc<Bearer> {
        if let Some(action) = tokens.iter().find(|action| action.is_of(&settings)) {
            return Arc::clone(action);
        }
        let clients = settings.issuers.iter().map(|issuer| find(&self.providers, issuer).client).collect();
        let action = Arc::new(Bearer::new(settings, clients, self.claims.as_ref(), &self.control, &self.endings));
        tokens.push(Arc::clone(&action));
        action
    }

    /// What a `forward` needs that has several groups or transforms.
    fn extras(&self, settings: ForwardSettings) -> Option<(usize, Arc<Extras>)> {
        let sticky = settings.stickiness.zip(self.session.as_ref());
        let weighted = (settings.groups.len() > 1).then(|| weighted::Settings {
            shares: settings
                .groups
                .iter()
                .map(|(name, weight)| Share { group: self.places[name], name: Arc::clone(name), weight: *weight })
                .collect(),
            stickiness: sticky.map(|(GroupStickiness { duration, format }, session)| {
                groups::Settings::new(duration, format, session.keys.clone())
            }),
        });
        if weighted.is_none() && settings.transforms.is_none() {
            return None;
        }
        let extras = Arc::new(Extras { weighted, transforms: settings.transforms });
        let mut all = self.extras.borrow_mut();
        all.push(Arc::clone(&extras));
        Some((all.len() - 1, extras))
    }

    /// Rules of a listener with equal settings share one action, so that a session is decrypted only once for all of them.
    fn authenticate(
        &self,
        settings: AuthenticateSettings,
        head_bytes_max: usize,
        actions: &mut Vec<Arc<Authenticate>>,
    ) -> Arc<Authenticate> {
        if let Some(action) = actions.iter().find(|action| action.is_of(&settings)) {
            return Arc::clone(action);
        }
        let services = self.services.as_ref().expect("a configuration that authenticates has session and claims");
        let provider = |choice: &ProviderChoice| {
            let Provider { client, logout } = find(&self.providers, &choice.kind);
            (client, logout)
        };
        let providers = settings.providers.iter().map(provider).collect();
        let action = Arc::new(Authenticate::new(settings, providers, services, head_bytes_max));
        actions.push(Arc::clone(&action));
        action
    }
}

/// The provider that a setting names.
fn find(providers: &Providers, kind: &AuthenticateKind) -> Provider {
    match kind {
        AuthenticateKind::Oidc(name) => providers.oidc(name),
        AuthenticateKind::UserPool(name) => providers.user_pool(name),
    }
}
