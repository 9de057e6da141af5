//! Applications with users: each user is served by one of them, through the SDK, as in a real one.

use std::collections::BTreeMap;
use std::time::Duration;

use ripcord_proto::EnvironmentKey;
use ripcord_sdk::engine::Reason;
use ripcord_sdk::{Client, Context, View};

/// How long an application may take to hear from the server.
const PATIENCE: Duration = Duration::from_secs(10);

/// A flag as the applications read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DemoFlag {
    /// Its key.
    pub(super) key: &'static str,
    /// The variant that the view counts: the one that a kill takes away.
    pub(super) counted: &'static str,
    kind: FlagType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlagType {
    Boolean,
    Text,
}

/// What the shop's code asks for.
pub(super) const DEMO_FLAGS: [DemoFlag; 4] = [
    DemoFlag {
        key: "checkout-v2",
        counted: "on",
        kind: FlagType::Boolean,
    },
    DemoFlag {
        key: "one-click-pay",
        counted: "on",
        kind: FlagType::Boolean,
    },
    DemoFlag {
        key: "search-ranking",
        counted: "neural",
        kind: FlagType::Text,
    },
    DemoFlag {
        key: "free-shipping",
        counted: "on",
        kind: FlagType::Boolean,
    },
];

/// What the users are served of one flag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Exposure {
    /// Users by variant; a caller's own default counts as `default`.
    pub(super) variants: BTreeMap<String, u32>,
    /// Whether it is killed.
    pub(super) killed: bool,
}

/// The applications and their users.
#[derive(Debug)]
pub(super) struct Shop {
    applications: Vec<Client>,
    users: Vec<DemoUser>,
}

#[derive(Debug)]
struct DemoUser {
    id: String,
    country: &'static str,
    plan: &'static str,
    version: &'static str,
}

impl DemoUser {
    /// The same users each time: countries, plans and versions are spread by the user's number.
    fn new(number: u32) -> Self {
        const COUNTRIES: [&str; 8] = ["DE", "FR", "NL", "US", "GB", "JP", "BR", "IN"];
        let among = |choices: &[&'static str], step: u32| choices.get((number / step) as usize % choices.len()).copied().unwrap_or_default();
        Self {
            id: format!("user-{number}"),
            country: among(&COUNTRIES, 1),
            plan: if number.is_multiple_of(20) { "beta" } else { "free" },
            version: among(&["2.14.0", "2.14.1", "2.13.4"], 3),
        }
    }
}

impl Shop {
    /// Connects the applications and waits until each has the flags.
    pub(super) async fn open(server: &str, key: &str, environment: &EnvironmentKey, applications: u16, users: u32) -> Result<Self, String> {
        let start = |number: u16| {
            Client::builder(server, key)
                .environment(environment.as_str())
                .instance(&format!("shop-{}", number + 1))
                .start()
                .map_err(|error| error.to_string())
        };
        let applications: Vec<Client> = (0..applications).map(start).collect::<Result<_, _>>()?;
        for application in &applications {
            application.ready_within(PATIENCE).await.map_err(|error| error.to_string())?;
        }
        Ok(Self {
            applications,
            users: (0..users).map(DemoUser::new).collect(),
        })
    }

    /// How many applications there are.
    pub(super) fn applications(&self) -> usize {
        self.applications.len()
    }

    /// How many users there are.
    pub(super) fn users(&self) -> usize {
        self.users.len()
    }

    /// What every user is served now, flag by flag. Each application answers its users out of one revision.
    pub(super) fn exposure(&self) -> Vec<(DemoFlag, Exposure)> {
        let views: Vec<View> = self.applications.iter().map(Client::view).collect();
        let of = |feature: DemoFlag| {
            let mut exposure = Exposure::default();
            for (user, view) in self.users.iter().zip(views.iter().cycle()) {
                let (variant, reason) = feature.served(view, user);
                *exposure.variants.entry(variant).or_default() += 1;
                exposure.killed |= reason == Reason::Killed;
            }
            (feature, exposure)
        };
        DEMO_FLAGS.into_iter().map(of).collect()
    }

    /// Says goodbye for all applications.
    pub(super) async fn close(&self) {
        for application in &self.applications {
            application.close().await;
        }
    }
}

impl DemoFlag {
    fn served(self, view: &View, user: &DemoUser) -> (String, Reason) {
        let context = Context::new(&user.id)
            .with("country", user.country)
            .with("plan", user.plan)
            .with("app.version", user.version);
        let (variant, reason) = match self.kind {
            FlagType::Boolean => {
                let answer = view.bool_detail(self.key, &context, false);
                (answer.variant, answer.reason)
            }
            FlagType::Text => {
                let answer = view.string_detail(self.key, &context, "");
                (answer.variant, answer.reason)
            }
        };
        (variant.map_or_else(|| "default".to_owned(), |variant| variant.to_string()), reason)
    }
}
