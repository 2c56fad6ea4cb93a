//! Look-ups of names: calls of the resolver, and of the closures that wait for results.

use crate::api::context::Context;
use crate::api::names::{Found, Resolver, cannot_look_up};
use crate::reactor::Reactor;
use crate::reactor::call::{Callee, Once};
use crate::reactor::dispatcher::Dispatcher;
use crate::reactor::owners::{Owner, Owners};
use crate::sys::Answer;
use crate::sys::error::failed;
use crate::values::error::Error;
use crate::values::guard::name_of;
use crate::values::id::Id;
use crate::values::journal::Callback;
use crate::values::to_addresses::ToAddresses;
use std::net::SocketAddr;

/// # Names
impl Reactor {
    /// Has a resolver of your own look up the names of hosts, in place of the system: for
    /// [`connect_tcp`](Context::connect_tcp) and [`resolve`](Context::resolve). A second one replaces the first.
    ///
    /// ```
    /// use ropewalk::{Answer, Context, Reactor};
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.set_resolver(|_: &mut Context, host: &str, port, answer: Answer| {
    ///     match host.ends_with(".test") {
    ///         true => answer.succeed([([127, 0, 0, 1], port).into()]),
    ///         false => return Some(answer), // The system looks it up.
    ///     }
    ///     None
    /// });
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    #[doc(alias = "installNameResolver")]
    pub fn set_resolver(&mut self, resolver: impl Resolver) {
        self.dispatcher.drop_resolver();
        self.dispatcher.owners.resolver = Some(Box::new(resolver));
        self.dispatcher.context.has_resolver = true;
    }

    /// Returns the addresses of a name, in the order in which to try them, so that a name that is used
    /// several times is looked up once. It blocks this thread, so it is for programs that look a name up before a
    /// run; the backend does it, not the [resolver](Self::set_resolver). A callback uses
    /// [`Context::resolve`].
    ///
    /// # Errors
    ///
    /// [`NotFound`](std::io::ErrorKind::NotFound) if no address is found for a name, and
    /// [`InvalidInput`](std::io::ErrorKind::InvalidInput) if `address` is neither an address nor a name with a port.
    ///
    /// ```
    /// # use ropewalk::{Error, Reactor};
    /// let mut reactor = Reactor::new()?;
    /// let found = reactor.look_up("127.0.0.1:80")?;
    /// assert_eq!(found, [([127, 0, 0, 1], 80).into()]);
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "getaddrinfo")]
    pub fn look_up(&mut self, address: impl ToAddresses) -> Result<Vec<SocketAddr>, Error> {
        self.context().addresses(cannot_look_up, address)
    }

    /// Returns the name of this host (gethostname(2)), which may but need not have a domain, and need not be one that
    /// other hosts can look up. In a simulated world it is the name of the node.
    ///
    /// There is no getfqdn: std's look-up returns addresses without the canonical name, and a look-up would block the
    /// reactor. A program that has to know its fully qualified name should read it from its configuration.
    ///
    /// # Errors
    ///
    /// If it is not valid UTF-8, or the backend has no name.
    ///
    /// ```
    /// # let mut reactor = ropewalk::Reactor::new()?;
    /// println!("this is {}", reactor.host_name()?);
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    #[doc(alias = "gethostname")]
    #[doc(alias = "getfqdn")]
    pub fn host_name(&self) -> Result<String, Error> {
        let cannot = |cause| failed("find", "the name of this host", cause, |_| None);
        self.dispatcher.context.backend.host_name().map_err(cannot)
    }

    /// Returns the port of a service of `tcp` or `udp`, such as 443 for `https`, by the file of services(5). Wherever a
    /// name with a port is accepted, the name of a service is accepted in place of the port.
    ///
    /// # Errors
    ///
    /// If the service is unknown.
    ///
    /// ```
    /// # let mut reactor = ropewalk::Reactor::new()?;
    /// assert!(reactor.service_port("no-such-service", "udp").is_err());
    /// # Ok::<(), ropewalk::Error>(())
    /// ```
    #[doc(alias = "getservbyname")]
    pub fn service_port(&self, service: &str, protocol: &str) -> Result<u16, Error> {
        let cannot = |cause| failed("find the port of", service, cause, |_| None);
        self.dispatcher.context.backend.service_port(service, protocol).map_err(cannot)
    }
}

/// The resolver of the reactor.
#[derive(Clone, Copy)]
struct TheResolver;

impl Callee for TheResolver {
    type Object = dyn Resolver;
    type Face<'a> = &'a mut Context;

    fn id(&self) -> Option<Id> {
        None
    }

    fn find<'a>(&self, owners: &'a mut Owners) -> Option<&'a mut Self::Object> {
        owners.resolver.as_deref_mut()
    }

    fn type_name(&self, resolver: &dyn Resolver) -> &'static str {
        resolver.type_name()
    }

    fn lend<'a>(&self, context: &'a mut Context) -> &'a mut Context {
        context
    }
}

impl Dispatcher {
    /// Has the resolver look a name up, and the backend if the resolver leaves it to that. After a panic of the
    /// resolver, the dropped answer fails the look-up.
    pub(super) fn look_up(&mut self, host: &str, port: u16, answer: Answer) {
        if !answer.is_wanted() {
            return;
        }
        let returned = self.call(TheResolver, Callback::Resolve, |resolver, context| {
            resolver.resolve(context, host, port, answer)
        });
        if let Some(Some(answer)) = returned {
            self.context.backend.begin_look_up(host, port, answer);
        }
    }

    /// Calls the closure of a look-up with the result, then frees the slot.
    pub(super) fn notify_resolved(&mut self, id: Id, found: Found) {
        if let Some(Owner::Resolution(resolution)) = self.owners.remove(id) {
            let once = Once::new(resolution.name());
            self.call(once, Callback::Resolved, |_, context| resolution.make(context, found));
        }
        self.free(id);
    }

    pub(super) fn drop_resolver(&mut self) {
        if let Some(resolver) = self.owners.resolver.take() {
            let type_name = name_of(|| resolver.type_name());
            self.drop_guarded(resolver, type_name);
        }
    }
}
