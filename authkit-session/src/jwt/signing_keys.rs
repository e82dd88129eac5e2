//! The signing keys of an installation: one row each, held in memory by every node.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use authkit_core::{At, AuthError, Batch, Collection, Id, RequestContext, Scan, Task, Timestamp, codes};
use tokio::sync::Mutex;

use super::{
    config::{JwtConfig, Profile},
    entity::SigningKeyRow,
    event::SigningKeyCreated,
    key::{Algorithm, BadKey, Jwks, SigningKey},
    token::Parts,
};

/// The keys that sign access tokens; `auth.capability::<SigningKeys>()`.
///
/// Every node reads them once in half a minute and knows them for at most a minute. Keys are of the installation, not
/// of a tenant.
///
/// # Examples
///
/// Somebody may have copied the keys:
///
/// ```
/// use authkit_core::{AuthError, AuthManager, Client, codes};
/// use authkit_session::SigningKeys;
///
/// async fn replace(auth: &AuthManager) -> Result<(), AuthError> {
///     let keys = auth.capability::<SigningKeys>().ok_or(AuthError::new(&codes::NOT_FOUND))?;
///     keys.replace(&auth.request(Client::default())).await
/// }
/// ```
pub struct SigningKeys {
    rows: Collection<SigningKeyRow>,
    algorithm: Algorithm,
    rotate_every: Duration,
    /// How long after its last signature a key's tokens may be shown.
    outlived_by: Duration,
    held: ArcSwap<KeySet>,
    /// Whoever reads the rows has it; the others wait and take what was read, or fail with it.
    reading: Mutex<()>,
    /// How often the rows could not be read.
    failures: AtomicU64,
}

/// The keys as they were read.
#[derive(Default)]
struct KeySet {
    /// None before the first time.
    read_at: Option<Timestamp>,
    /// Newest first.
    keys: Vec<HeldKey>,
    /// Serial of the newest row, whether or not its key could be opened.
    newest: i64,
}

#[derive(Clone)]
struct HeldKey {
    key: Arc<SigningKey>,
    id: Id,
    serial: i64,
    created_at: Timestamp,
    signs_from: Timestamp,
    expires_at: Timestamp,
}

/// What becomes of the keys before a new one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Succession {
    /// They sign until the new one is known everywhere, and verify what they signed.
    Overlaps,
    /// They are dropped at once.
    Replaces,
}

/// Keys are read again after this, by one request while the others go on.
const AGEING: Duration = Duration::from_secs(30);
/// Keys that were read so long ago are not used.
const STALE: Duration = Duration::from_secs(60);
/// How often the rows are read at most because a token names a key that is not among them.
const SEARCH_EVERY: Duration = Duration::from_secs(1);
/// How long others may keep the published keys.
pub(crate) const PUBLISHED_FOR: Duration = Duration::from_secs(15 * 60);
/// How long a key is published before it signs: longer than anybody keeps the published ones.
const PUBLISHED_BEFORE: Duration = Duration::from_secs(60 * 60);
/// How often the job looks whether a key is due.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// The most keys that are read: those of a year, were there one a day.
const MOST: usize = 400;

impl SigningKeys {
    pub(crate) fn new(rows: Collection<SigningKeyRow>, config: &JwtConfig, profile: &Profile) -> Self {
        Self {
            rows,
            algorithm: config.algorithm,
            rotate_every: config.rotate_keys_every,
            // Twice the skew: the clock of whoever signs may be behind, and the clock of whoever verifies.
            outlived_by: profile.access.saturating_add(profile.skew.saturating_mul(2)),
            held: ArcSwap::default(),
            reading: Mutex::new(()),
            failures: AtomicU64::new(0),
        }
    }

    /// The public keys that verify access tokens, and those that soon will; at least one, since others keep them.
    ///
    /// # Errors
    ///
    /// When the store fails, or no key can be made.
    pub async fn published(&self, cx: &RequestContext) -> Result<Jwks, AuthError> {
        let (set, _) = self.signing(cx).await?;
        Ok(Jwks::new(set.alive(cx.now()).map(|held| held.key.jwk().clone()).collect()))
    }

    /// Makes the next key. It is published at once and signs in an hour; those before it go on until then, and verify
    /// what they signed. Nobody is signed out.
    ///
    /// # Errors
    ///
    /// [`codes::CONFLICT`] if another node was faster; else when the store fails.
    pub async fn rotate(&self, cx: &RequestContext) -> Result<(), AuthError> {
        let set = self.read_again(cx).await?;
        self.make(cx, &set, Succession::Overlaps).await?;
        self.read_again(cx).await.map(drop)
    }

    /// Makes the next key and drops all others, for when somebody may have copied them.
    ///
    /// Within a minute no access token that was made before is taken by any node; other services go on taking them for
    /// as long as they keep the published keys. Clients refresh; nobody is signed out.
    ///
    /// # Errors
    ///
    /// As [`SigningKeys::rotate`].
    pub async fn replace(&self, cx: &RequestContext) -> Result<(), AuthError> {
        let set = self.read_again(cx).await?;
        self.make(cx, &set, Succession::Replaces).await?;
        self.read_again(cx).await.map(drop)
    }

    /// The key that signed a token; none if there is none, or if it is past.
    pub(crate) async fn signer_of(
        &self,
        cx: &RequestContext,
        token: Parts<'_>,
    ) -> Result<Option<Arc<SigningKey>>, AuthError> {
        let mut set = self.known(cx).await?;
        let mut key = set.of_header(token.header, cx.now());
        if key.is_none() && SigningKey::kid_in(token.header).is_some() && set.age(cx.now()) >= SEARCH_EVERY {
            set = self.read_after(cx, &set).await?;
            key = set.of_header(token.header, cx.now());
        }
        Ok(key.filter(|key| key.signed(token)))
    }

    /// The key that signs now.
    pub(crate) async fn current(&self, cx: &RequestContext) -> Result<Arc<SigningKey>, AuthError> {
        self.signing(cx).await.map(|(_, key)| key)
    }

    /// The keys, and the one among them that signs now; makes the first one.
    async fn signing(&self, cx: &RequestContext) -> Result<(Arc<KeySet>, Arc<SigningKey>), AuthError> {
        let mut set = self.known(cx).await?;
        for _ in 0..FIRST_KEY_TRIES {
            if let Some(key) = set.current(cx.now()) {
                return Ok((set, key));
            }
            // What others made in the meantime is seen before another one is made.
            set = self.read_after(cx, &set).await?;
            if set.current(cx.now()).is_none() {
                match self.make(cx, &set, Succession::Replaces).await {
                    Err(error) if *error.code() != codes::CONFLICT => return Err(error),
                    _ => set = self.read_after(cx, &set).await?,
                }
            }
        }
        let key =
            set.current(cx.now()).ok_or(AuthError::new(&codes::INTERNAL).because("there is no key to sign with"))?;
        Ok((set, key))
    }

    /// The keys, read a minute ago at most.
    async fn known(&self, cx: &RequestContext) -> Result<Arc<KeySet>, AuthError> {
        let held = self.held.load_full();
        let age = held.age(cx.now());
        if age < AGEING {
            return Ok(held);
        }
        if age >= STALE {
            return self.read_after(cx, &held).await;
        }
        let Ok(_turn) = self.reading.try_lock() else {
            return Ok(held);
        };
        match self.read(cx).await {
            Ok(set) => Ok(set),
            Err(error) => {
                tracing::warn!(?error, "the signing keys could not be read again; those that are known go on");
                Ok(held)
            }
        }
    }

    /// What is read now, or what another request has read since `seen`. Of those who wait for one that fails none reads:
    /// a store that hangs would let each of them wait for as long again as those before it.
    async fn read_after(&self, cx: &RequestContext, seen: &Arc<KeySet>) -> Result<Arc<KeySet>, AuthError> {
        let failures = self.failures.load(Ordering::Relaxed);
        let _turn = self.reading.lock().await;
        let held = self.held.load_full();
        if !Arc::ptr_eq(&held, seen) {
            return Ok(held);
        }
        if self.failures.load(Ordering::Relaxed) != failures {
            let failed = AuthError::new(&codes::UNAVAILABLE).because("another request could not read the signing keys");
            return Err(failed.retry_after(Duration::from_secs(1)));
        }
        self.read(cx).await
    }

    async fn read_again(&self, cx: &RequestContext) -> Result<Arc<KeySet>, AuthError> {
        let _turn = self.reading.lock().await;
        self.read(cx).await
    }

    async fn read(&self, cx: &RequestContext) -> Result<Arc<KeySet>, AuthError> {
        let before = self.held.load_full();
        let rows = self.rows.query(cx, Scan::of(SigningKeyRow::by_serial, ()).descending().limit(MOST)).await;
        let page = rows.inspect_err(|_| {
            self.failures.fetch_add(1, Ordering::Relaxed);
        })?;
        let mut set = KeySet { read_at: Some(cx.now()), keys: Vec::new(), newest: 0 };
        for row in page.items {
            set.newest = set.newest.max(row.serial);
            let known = before.keys.iter().find(|held| held.id == row.id.into()).map(|held| held.key.clone());
            let key = match known {
                Some(key) => key,
                None => match self.open(cx, &row) {
                    Ok(key) => Arc::new(key),
                    Err(error) => {
                        tracing::warn!(kid = row.kid, ?error, "a signing key cannot be opened, and is none");
                        continue;
                    }
                },
            };
            set.keys.push(HeldKey {
                key,
                id: row.id.into(),
                serial: row.serial,
                created_at: row.created_at,
                signs_from: row.signs_from,
                expires_at: row.expires_at,
            });
        }
        let set = Arc::new(set);
        self.held.store(set.clone());
        Ok(set)
    }

    fn open(&self, cx: &RequestContext, row: &SigningKeyRow) -> Result<SigningKey, AuthError> {
        let pkcs8 = self.rows.open(cx, SigningKeyRow::private, row.id, &row.private)?;
        SigningKey::from_pkcs8(row.algorithm, &pkcs8).map_err(unusable)
    }

    /// Adds a key. Of several who do so at once, one wins; the others lose with [`codes::CONFLICT`].
    async fn make(&self, cx: &RequestContext, set: &KeySet, succession: Succession) -> Result<(), AuthError> {
        let key = SigningKey::generate(self.algorithm, &zeroize::Zeroizing::new(cx.random())).map_err(unusable)?;
        let (signs_from, dropped_at) = match succession {
            Succession::Overlaps => {
                let signs_from = cx.now().plus(PUBLISHED_BEFORE);
                (signs_from, signs_from.plus(self.outlived_by))
            }
            Succession::Replaces => (cx.now(), cx.now()),
        };
        let mut batch = Batch::new(cx);
        let mut dropped = 0;
        for held in set.alive(cx.now()).filter(|held| held.expires_at > dropped_at) {
            dropped += 1;
            let unchanged = [SigningKeyRow::expires_at.eq(held.expires_at)];
            let changes = [SigningKeyRow::expires_at.set(dropped_at)];
            batch.update(&self.rows, At::id(held.id.into()), unchanged, changes).or(&codes::CONFLICT);
        }
        let id = cx.new_id();
        let private = self.rows.seal(cx, SigningKeyRow::private, id, &key.to_pkcs8().map_err(unusable)?)?;
        let row = SigningKeyRow {
            id,
            serial: set.newest.saturating_add(1),
            kid: key.kid().to_owned(),
            algorithm: key.algorithm(),
            private,
            created_at: cx.now(),
            signs_from,
            expires_at: Timestamp::MAX,
        };
        batch.insert(&self.rows, row).or(&codes::CONFLICT);
        let replaces = succession == Succession::Replaces && dropped > 0;
        let event = SigningKeyCreated { kid: key.kid().to_owned(), algorithm: key.algorithm(), signs_from, replaces };
        cx.commit(event, batch).await.map(drop)
    }

    /// Whether the newest key has signed for long enough, is too short, or signs with what is not wanted any more.
    fn is_due(&self, set: &KeySet, now: Timestamp) -> bool {
        let Some(newest) = set.keys.first().filter(|held| held.signs_from <= now) else {
            return false;
        };
        let old = !self.rotate_every.is_zero() && now.since(newest.created_at) >= self.rotate_every;
        old || newest.key.is_short() || newest.key.algorithm() != self.algorithm
    }
}

#[async_trait]
impl Task for SigningKeys {
    async fn run(&self, cx: &RequestContext) -> Result<(), AuthError> {
        let (set, _) = self.signing(cx).await?;
        if !self.is_due(&set, cx.now()) {
            return Ok(());
        }
        match self.rotate(cx).await {
            Err(error) if *error.code() == codes::CONFLICT => Ok(()),
            rotated => rotated,
        }
    }
}

impl KeySet {
    /// How long ago it was read; a clock that was set back counts as well.
    fn age(&self, now: Timestamp) -> Duration {
        self.read_at.map_or(Duration::MAX, |at| now.since(at).max(at.since(now)))
    }

    fn alive(&self, now: Timestamp) -> impl Iterator<Item = &HeldKey> {
        self.keys.iter().filter(move |held| held.expires_at > now)
    }

    fn of_header(&self, header: &str, now: Timestamp) -> Option<Arc<SigningKey>> {
        self.alive(now).find(|held| held.key.header() == header).map(|held| held.key.clone())
    }

    /// The newest key that signs already; where this node's clock is behind, the oldest one.
    fn current(&self, now: Timestamp) -> Option<Arc<SigningKey>> {
        let signing = self.alive(now).find(|held| held.signs_from <= now);
        let oldest = || self.alive(now).min_by_key(|held| held.serial);
        signing.or_else(oldest).map(|held| held.key.clone())
    }
}

/// The first key is made by one of the nodes that start at the same time, and read by the others.
const FIRST_KEY_TRIES: usize = 3;

fn unusable(error: BadKey) -> AuthError {
    AuthError::new(&codes::INTERNAL).caused_by(error)
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({})", self.algorithm.as_str())
    }
}
