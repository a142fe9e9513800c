//! A cluster of simulated machines.

use crate::backup::{RecoverPlan, Recovery};
use crate::border::{Change, ChangeError, Changed, Health, Leadership, Store, StoreError, StoreStatus};
use crate::config::{MemberAddress, PeerTls, StoreConfig};
use crate::environment::Environment;
use crate::rt::{Context, Runner, here, spawn_in};
use crate::sim::disk::SimDisk;
use crate::sim::engine::SimEngines;
use crate::sim::network::{Listener, SimNetwork, SimTransport};
use crate::sim::tree::{Access, SimTree};
use crate::sim::{Chance, Crash, DiskFaults, Loss, Weather, entries};
use crate::store::RaftStore;
use parking_lot::Mutex;
use raftsman_state::{Outcome, Txn, View};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Small, so that the log goes from one file to the next often.
const SEGMENT: u64 = 64 << 10;

/// A member's clock: jumps ahead by so much, then goes at so many millionths of the true speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Ahead, once.
    pub forward: Duration,
    /// 1,000,000 is exact.
    pub millionths: u64,
}

/// A machine: its disk stays, its lives come and go.
struct Machine {
    disk: Arc<Mutex<SimDisk>>,
    config: StoreConfig,
    life: Option<Life>,
}

#[derive(Clone)]
struct Life {
    context: Arc<Context>,
    store: Arc<RaftStore>,
}

impl Machine {
    fn address(&self) -> Option<&MemberAddress> {
        self.config.members.iter().find(|member| member.id == self.config.member)
    }
}

/// What each member is configured with, beside what names it.
type Settings = Box<dyn Fn(&mut StoreConfig) + Send + Sync>;

/// See the module.
pub struct World {
    network: Arc<SimNetwork>,
    machines: Mutex<BTreeMap<u64, Machine>>,
    chance: Mutex<Chance>,
    settings: Settings,
}

impl World {
    /// Machines 1 to `size` with empty disks, all off. `settings` may change what each member is configured with.
    pub fn new(seed: u64, size: u64, settings: impl Fn(&mut StoreConfig) + Send + Sync + 'static) -> Self {
        let mut chance = Chance::new(seed);
        let network = SimNetwork::new(chance.fork());
        let chance = Mutex::new(chance);
        let world = Self { network, machines: Mutex::default(), chance, settings: Box::new(settings) };
        let members: Vec<MemberAddress> =
            (1..=size).map(|id| MemberAddress { id, name: format!("m{id}"), address: address(id) }).collect();
        for id in 1..=size {
            world.put(id, members.clone(), false);
        }
        world
    }

    fn put(&self, id: u64, members: Vec<MemberAddress>, joined: bool) {
        let tls = PeerTls { ca: String::new(), certificate: String::new(), key: String::new() };
        let mut config = StoreConfig::new("simulated", id, members, format!("/m{id}"), tls);
        config.joined = joined;
        (self.settings)(&mut config);
        let disk = SimDisk::new(self.chance.lock().fork());
        self.machines.lock().insert(id, Machine { disk, config, life: None });
    }

    /// One more machine, off and with an empty disk, for a member that was added to the cluster under this name.
    pub fn add(&self, id: u64, name: &str) {
        self.note("add", &[id]);
        let own = MemberAddress { id, name: name.to_owned(), address: address(id) };
        self.put(id, vec![own], true);
    }

    /// A machine goes for ever.
    pub fn retire(&self, id: u64) {
        self.crash(id, Crash::Process);
        self.note("retire", &[id]);
        self.machines.lock().remove(&id);
    }

    /// Ids of all machines.
    pub fn machines(&self) -> Vec<u64> {
        self.machines.lock().keys().copied().collect()
    }

    /// Ids of those that run (a machine whose power went by itself does not).
    pub fn running(&self) -> Vec<u64> {
        self.machines().into_iter().filter(|id| self.life(*id).is_some()).collect()
    }

    /// Starts a member on what its disk holds. One that runs is left alone.
    ///
    /// # Errors
    /// What its process would end with. Its machine is off then.
    pub async fn start(&self, id: u64) -> Result<(), StoreError> {
        let (Some(_), None) = (here(), self.life(id)) else { return Ok(()) };
        self.note("start", &[id]);
        let Some((context, config, environment)) = self.boot(id) else { return Err(StoreError::Closed) };
        let opened = spawn_in(&context, RaftStore::open_in(config, environment)).await;
        match opened.unwrap_or(Err(StoreError::Closed)) {
            Ok(store) => {
                let listener = Listener { door: store.door(), life: context.clone() };
                self.network.attach(id, listener);
                if let Some(machine) = self.machines.lock().get_mut(&id) {
                    machine.life = Some(Life { context, store });
                }
                Ok(())
            }
            Err(error) => {
                context.kill();
                Err(error)
            }
        }
    }

    /// A new life of a machine, what its member is configured with, and what it sees of the world.
    fn boot(&self, id: u64) -> Option<(Arc<Context>, StoreConfig, Environment)> {
        let context = Context::new(here()?, self.chance.lock().number());
        let (disk, config, name) = {
            let mut machines = self.machines.lock();
            // Who a member with an empty disk asks is kept as it is now.
            let members: Vec<MemberAddress> = machines.values().filter_map(Machine::address).cloned().collect();
            let machine = machines.get_mut(&id)?;
            machine.life = None;
            let name = machine.address().map(|own| own.name.clone()).unwrap_or_default();
            machine.config.members = members;
            (machine.disk.clone(), machine.config.clone(), name)
        };
        let access = Access { disk, life: context.clone() };
        let tree = Arc::new(SimTree { access, root: format!("/m{id}") });
        let environment = Environment {
            runner: Runner::Simulated(context.clone()),
            transport: Arc::new(SimTransport::new(self.network.clone(), id, name)),
            engines: Arc::new(SimEngines { tree: tree.clone(), life: context.clone() }),
            tree,
            segment_bytes: SEGMENT,
        };
        Some((context, config, environment))
    }

    /// Makes a cluster of its own out of a machine that is off: plans a recovery and carries it out.
    ///
    /// # Errors
    /// As of [`Recovery`]; [`StoreError::Closed`] when the power goes meanwhile.
    pub async fn recover(&self, id: u64) -> Result<RecoverPlan, StoreError> {
        self.note("recover", &[id]);
        let Some((context, config, environment)) = self.boot(id) else { return Err(StoreError::Closed) };
        let recovered =
            spawn_in(&context, async move { Recovery::plan_in(&config, environment, None).await?.carry_out().await });
        let recovered = recovered.await.unwrap_or(Err(StoreError::Closed));
        context.kill();
        recovered
    }

    /// Ends a member in the middle of whatever it does.
    pub fn crash(&self, id: u64, crash: Crash) {
        self.note("crash", &[id, u64::from(crash == Crash::Power)]);
        self.network.detach(id);
        let ended = match self.machines.lock().get_mut(&id) {
            Some(machine) => (machine.life.take(), machine.disk.clone()),
            None => return,
        };
        if let (Some(life), disk) = ended
            // One that is dead already went down by itself, and its disk with it.
            && !life.context.dead()
        {
            life.context.kill();
            disk.lock().crash(crash);
        }
    }

    /// Ends a member as an operator does; leadership is handed over.
    pub async fn shut_down(&self, id: u64) {
        self.note("shut down", &[id]);
        let Some(life) = self.life(id) else { return };
        life.context.thaw();
        let store = life.store.clone();
        drop(spawn_in(&life.context, async move { store.shutdown().await }).await);
        // Perhaps somebody else ended it meanwhile, and it lives again.
        if self.life(id).is_some_and(|now| Arc::ptr_eq(&now.context, &life.context)) {
            self.crash(id, Crash::Process);
        }
    }

    /// Empties the disk of a machine, which goes off.
    pub fn wipe(&self, id: u64) {
        self.crash(id, Crash::Process);
        self.note("wipe", &[id]);
        if let Some(machine) = self.machines.lock().get(&id) {
            machine.disk.lock().wipe();
        }
    }

    /// How many operations that are no reads the disk of a machine has carried out.
    pub fn operations(&self, id: u64) -> u64 {
        self.machines.lock().get(&id).map_or(0, |machine| machine.disk.lock().operations)
    }

    /// The power of a machine goes at the operation of its disk of this number; this is what is lost then.
    pub fn cut_at(&self, id: u64, operation: u64, loss: Loss) {
        self.set_disk(id, DiskFaults { cut_at: Some(operation), loss, ..DiskFaults::default() });
    }

    /// Turns a bit around in a file of a directory; false if that holds nothing.
    pub fn flip(&self, id: u64, directory: &str) -> bool {
        self.note("flip", &[id]);
        self.machines.lock().get(&id).is_some_and(|machine| machine.disk.lock().flip(directory))
    }

    /// Stops a member's processor.
    pub fn freeze(&self, id: u64) {
        self.note("freeze", &[id]);
        if let Some(life) = self.life(id) {
            life.context.freeze();
        }
    }

    /// Stops a member's processor and its clock.
    pub fn suspend(&self, id: u64) {
        self.note("suspend", &[id]);
        if let Some(life) = self.life(id) {
            life.context.suspend();
        }
    }

    /// Lets it go on.
    pub fn thaw(&self, id: u64) {
        self.note("thaw", &[id]);
        if let Some(life) = self.life(id) {
            life.context.thaw();
        }
    }

    /// Changes a member's clock.
    pub fn set_clock(&self, id: u64, clock: Clock) {
        self.note("clock", &[id, clock.millionths]);
        if let Some(life) = self.life(id) {
            life.context.set_clock(clock.forward, clock.millionths);
        }
    }

    /// Changes what a disk does wrong.
    pub fn set_disk(&self, id: u64, faults: DiskFaults) {
        self.note("disk", &[id, faults.errors, faults.cuts]);
        if let Some(machine) = self.machines.lock().get(&id) {
            machine.disk.lock().faults = faults;
        }
    }

    /// Cuts the way from one to another, in this direction only.
    pub fn cut(&self, from: u64, to: u64) {
        self.note("cut", &[from, to]);
        self.network.links.lock().cut.insert((from, to));
    }

    /// Mends all ways.
    pub fn mend(&self) {
        self.note("mend", &[]);
        self.network.links.lock().cut.clear();
    }

    /// Changes the weather.
    pub fn set_weather(&self, weather: Weather) {
        self.note("weather", &[weather.most, weather.loss]);
        self.network.links.lock().weather = weather;
    }

    /// A member that runs, for clients.
    pub fn client(&self, id: u64) -> Option<Client> {
        let Life { context, store } = self.life(id)?;
        Some(Client { member: id, context, store })
    }

    /// Puts something into the digest.
    pub fn note(&self, what: &str, numbers: &[u64]) {
        self.network.trace.lock().note(what, numbers);
    }

    /// A digest of all messages and faults so far, with their times.
    pub fn digest(&self) -> u64 {
        self.network.trace.lock().digest()
    }

    /// The newest messages (from, to, lost or broken, milliseconds) and faults, as text.
    pub fn last(&self) -> Vec<String> {
        self.network.trace.lock().last()
    }

    /// How many messages and faults there were.
    pub fn events(&self) -> u64 {
        self.network.trace.lock().events
    }

    fn life(&self, id: u64) -> Option<Life> {
        let machines = self.machines.lock();
        machines.get(&id).and_then(|machine| machine.life.as_ref()).filter(|life| !life.context.dead()).cloned()
    }
}

/// Where the machine of a member would be: who is asked is found by its id.
fn address(id: u64) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(id).unwrap_or(u16::MAX)))
}

/// A client of one life of a member. What it asks is carried out by that member: it stops when the member does.
#[derive(Clone)]
pub struct Client {
    member: u64,
    context: Arc<Context>,
    store: Arc<RaftStore>,
}

impl Client {
    /// The member.
    pub fn member(&self) -> u64 {
        self.member
    }

    async fn ask<T, F, R>(&self, ask: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Arc<RaftStore>) -> R,
        R: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let asked = spawn_in(&self.context, ask(self.store.clone()));
        let lost = || StoreError::Unknown { waited: Duration::ZERO, reason: "the member crashed".into() };
        asked.await.unwrap_or_else(|_| Err(lost()))
    }

    /// See [`Store::propose`].
    ///
    /// # Errors
    /// As there; [`StoreError::Unknown`] when the member crashes.
    pub async fn propose(&self, txn: Txn) -> Result<Outcome, StoreError> {
        self.ask(|store| async move { store.propose(txn).await }).await
    }

    /// See [`Store::read`].
    ///
    /// # Errors
    /// As there.
    pub async fn read(&self) -> Result<View, StoreError> {
        self.ask(|store| async move { store.read().await }).await
    }

    /// See [`Store::at_least`].
    ///
    /// # Errors
    /// As there.
    pub async fn at_least(&self, revision: u64, wait: Duration) -> Result<View, StoreError> {
        self.ask(move |store| async move { store.at_least(revision, wait).await }).await
    }

    /// See [`Store::view`].
    pub fn view(&self) -> View {
        self.store.view()
    }

    /// See [`Store::leadership`].
    pub fn leadership(&self) -> Leadership {
        *self.store.leadership().borrow()
    }

    /// See [`Store::health`].
    pub fn health(&self) -> Health {
        self.store.health().borrow().clone()
    }

    /// See [`Store::status`].
    pub fn status(&self) -> StoreStatus {
        self.store.status()
    }

    /// See [`RaftStore::change_members`].
    ///
    /// # Errors
    /// As there; [`ChangeError::Lost`] when the member crashes.
    pub async fn change_members(&self, change: Change) -> Result<Changed, ChangeError> {
        let store = self.store.clone();
        let asked = spawn_in(&self.context, async move { store.change_members(change).await });
        asked.await.unwrap_or_else(|_| Err(ChangeError::Lost("the member crashed".into())))
    }

    /// The committed entries of its log from an index on: index, term, and a digest of the content.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn log(&self, from: u64) -> Result<Vec<(u64, u64, u64)>, StoreError> {
        self.ask(move |store| async move { entries::committed(&store, from).await }).await
    }

    /// See [`Store::leadership`].
    pub fn leaderships(&self) -> watch::Receiver<Leadership> {
        self.store.leadership()
    }

    /// The member has crashed.
    pub fn gone(&self) -> bool {
        self.context.dead()
    }

    /// Why it serves no more, if so.
    pub fn ended(&self) -> Option<StoreError> {
        self.store.ended().borrow().clone()
    }
}
