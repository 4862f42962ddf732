//! What a reactor lends its connections to ask limits by: the exact time, which of them acts, and where a place goes that one
//! of them took.

use crate::access::limits::{Client, InForce, Limiter, Moment, Place, What};
use crate::access::{AccessPolicy, Identity};
use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::peer_address::{AddressPrefix, PeerAddress};
use crate::model::refusal::Refusal;
use crate::node::gate::Limited;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// The places that a connection holds.
#[derive(Debug, Default)]
pub struct Places {
    /// As a connection of its address.
    pub connection: Option<Place>,
    /// As a socket or an event stream, of its user or key and of its address behind a proxy.
    pub transport: SmallVec<[Place; 2]>,
}

/// The connection that acts, and the address that its limits count by.
type Acting = (ConnId, Option<AddressPrefix>);

/// See the module. It is lent with much that is lent for changing, so it changes by a shared reference.
#[derive(Debug)]
pub struct Meter {
    limiter: Arc<Limiter>,
    in_force: Cell<InForce>,
    now: Cell<Moment>,
    acting: Cell<Option<Acting>>,
    places: RefCell<Places>,
    has_places: Cell<bool>,
}

impl Meter {
    /// One for a reactor, which asks a limiter that all threads share.
    #[must_use]
    pub fn new(limiter: Arc<Limiter>, in_force: InForce) -> Meter {
        Meter {
            limiter,
            in_force: Cell::new(in_force),
            now: Cell::default(),
            acting: Cell::default(),
            places: RefCell::default(),
            has_places: Cell::default(),
        }
    }

    /// What is limited at all.
    #[must_use]
    #[inline]
    pub fn in_force(&self) -> InForce {
        self.in_force.get()
    }

    /// Other rules hold, and with them perhaps other limits.
    pub fn set_in_force(&self, in_force: InForce) {
        self.in_force.set(in_force);
    }

    /// Another configuration allows something else.
    pub fn set_limiter(&mut self, limiter: Arc<Limiter>) {
        self.limiter = limiter;
    }

    /// What is asked.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now.get()
    }

    /// Takes the time.
    pub fn set_now(&self, now: Moment) {
        self.now.set(now);
    }

    /// This connection acts. Over HTTP its address may change with each head: [`Meter::comes_from`].
    pub fn begin(&self, connection: ConnId, from: PeerAddress, policy: &AccessPolicy) {
        self.acting.set(Some((connection, policy.limited_by(from))));
    }

    /// What the connection that acts asks now comes from this address.
    #[inline]
    pub(super) fn comes_from(&self, from: PeerAddress, policy: &AccessPolicy) {
        if self.in_force().any()
            && let Some((connection, _)) = self.acting.get()
        {
            self.acting.set(Some((connection, policy.limited_by(from))));
        }
    }

    /// How what it asks is limited, if it is.
    #[must_use]
    #[inline]
    pub fn limited(&self) -> Option<Limited> {
        if !self.in_force().requests() {
            return None;
        }
        let (_, address) = self.acting.get()?;
        Some(Limited { address, now: self.now() })
    }

    /// The client that acts; none where it has no limits.
    #[must_use]
    pub fn client<'i>(&self, identity: &'i Identity) -> Option<Client<'i>> {
        let (connection, address) = self.acting.get()?;
        Some(Client { connection, party: identity.party()?, address })
    }

    /// Counts a request over HTTP that is answered by its head alone: those that go on are counted with what they ask.
    ///
    /// # Errors
    /// Its client sends too many.
    pub(super) fn admit_head(&self, identity: &Identity) -> Result<(), Refusal> {
        match self.client(identity) {
            Some(client) if self.in_force().requests() => {
                self.limiter.admit(&client, What::Requests, self.in_force().is_open_mode(), self.now())
            }
            _ => Ok(()),
        }
    }

    /// Lets a user or a key open a socket or an event stream.
    ///
    /// # Errors
    /// It has as many as it may, or opens them too fast.
    pub(super) fn enter_as(&self, identity: &Identity) -> Result<(), Refusal> {
        if let (true, Some(party)) = (self.in_force().entries(), identity.party()) {
            let place = self.limiter.enter_as(party, self.now())?;
            self.has_places.set(self.has_places.get() | place.is_some());
            self.places.borrow_mut().transport.extend(place);
        }
        Ok(())
    }

    /// Lets an address open a connection: `whole`, or behind a proxy a socket or an event stream on one of that.
    ///
    /// # Errors
    /// It has as many as it may, or opens them too fast.
    pub fn enter_from(&self, from: PeerAddress, policy: &AccessPolicy, whole: bool) -> Result<(), Refusal> {
        if let (true, Some(address)) = (self.in_force().addresses(), policy.limited_by(from))
            && let Some(place) = self.limiter.enter_from(address, self.now())?
        {
            let places = &mut *self.places.borrow_mut();
            if whole {
                places.connection = Some(place);
            } else {
                places.transport.push(place);
            }
            self.has_places.set(true);
        }
        Ok(())
    }

    /// Why a connection of this address was turned away.
    pub(super) fn turned_away(&self, reason: Code, from: PeerAddress, policy: &AccessPolicy) -> Refusal {
        match policy.limited_by(from) {
            Some(address) => self.limiter.turned_away(address, reason, self.now()),
            None => reason.into(),
        }
    }

    /// The places that were taken since the last call. Whoever drops them gives them back.
    #[must_use]
    pub fn take_places(&self) -> Places {
        self.has_places.set(false);
        self.places.take()
    }

    /// Whether a place was taken since the last call of that.
    #[must_use]
    #[inline]
    pub fn has_places(&self) -> bool {
        self.has_places.get()
    }
}
