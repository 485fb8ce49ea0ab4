//! The miniport driver: `DriverEntry`, the registration of its handlers, unload.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::callback::{Level, callback, into_driver};
use super::characteristics::{self, TableError};
use super::handle::{self, Handle, Kind};
use super::io_object::{self, DriverObject, Text};
use super::ownership::{Ownership, Resource};
use super::status::{self, Status};
use super::tables::{CallManagerHandlers, CoMiniportCharacteristics, MiniportCharacteristics, ObjectHeader};
use super::{Ndis, finding, note, raw};
use crate::machine::{IrqlRange, Step, enter};

/// `DriverEntry` and, in this simulator, its arguments by number.
pub type DriverEntry = unsafe extern "win64" fn(driver_object: usize, registry_path: usize) -> Status;

/// `DriverUnload`.
type DriverUnload = unsafe extern "win64" fn(driver_object: usize);

/// The unload routine that NDIS puts into the driver objects of miniports (page of `MiniportDriverUnload`). A driver that puts
/// its own there calls this one from it.
unsafe extern "win64" fn unload_by_ndis(object: usize) {
    let _call = enter("DriverUnload of NDIS", IrqlRange::PASSIVE);
    match Ndis::current().driver_of(object) {
        Some(driver) => driver.unload_miniport(),
        None => finding("CO-013", None, "NDIS is to unload a driver that is not loaded".to_owned()),
    }
}

/// A loaded driver.
pub struct Driver {
    name: String,
    /// Address of the `DRIVER_OBJECT`.
    object: usize,
    /// Driver object and registry path, until the driver is unloaded.
    given: RefCell<Option<(DriverObject, Text)>>,
    entering: Cell<bool>,
    setting_options: Cell<bool>,
    handle: Cell<Handle>,
    context: Cell<usize>,
    miniport: RefCell<Option<MiniportCharacteristics>>,
    co_miniport: RefCell<Option<CoMiniportCharacteristics>>,
    call_manager: RefCell<Option<CallManagerHandlers>>,
    /// What it has obtained by its own handle.
    pub(super) owned: Ownership,
}

impl Driver {
    /// Runs `entry`, the driver's `DriverEntry`, in the current kernel thread at `PASSIVE_LEVEL`.
    ///
    /// # Errors
    /// The status of `DriverEntry` if it fails.
    pub fn load(name: &str, entry: DriverEntry) -> Result<Rc<Self>, Status> {
        let path = format!(r"\Registry\Machine\System\CurrentControlSet\Services\{name}");
        let registry = Text::new(&path);
        let object = DriverObject::new(name, entry as *const () as usize);
        let path = registry.address();
        let driver = Rc::new(Self {
            name: name.to_owned(),
            object: object.address(),
            given: RefCell::new(Some((object, registry))),
            entering: Cell::new(true),
            setting_options: Cell::new(false),
            handle: Cell::new(std::ptr::null_mut()),
            context: Cell::new(0),
            miniport: RefCell::default(),
            co_miniport: RefCell::default(),
            call_manager: RefCell::default(),
            owned: Ownership::default(),
        });
        Ndis::current().add_driver(&driver);
        note(Step::new("NT", format!("DriverEntry of {name}")));
        let object = driver.object;
        let status = into_driver("DriverEntry", Level::Passive, || {
            // SAFETY: the loader or the test vouches that this is the driver's entry point.
            unsafe { entry(object, path) }
        });
        driver.entering.set(false);
        note(Step::new("NT", format!("DriverEntry returned {}", status::name(status))));
        if status == status::SUCCESS {
            return Ok(driver);
        }
        if driver.is_registered() {
            finding(
                "CO-012",
                Some(driver.name()),
                "DriverEntry failed and left the driver registered".to_owned(),
            );
        }
        driver.check_given_back("DriverEntry");
        Ndis::current().remove_driver(&driver);
        Err(status)
    }

    /// Unloads the driver by the unload routine of its driver object: that of NDIS, which calls `MiniportDriverUnload`, unless
    /// the driver has put another there. `PASSIVE_LEVEL`, no adapter left.
    pub fn unload(self: &Rc<Self>) {
        match io_object::unload_routine(self.object) {
            0 if self.is_registered() => {
                let text = "DriverUnload of the driver object is NULL: it cannot be unloaded".to_owned();
                finding("CO-013", Some(self.name()), text);
            }
            0 => {}
            routine if routine == unload_by_ndis as *const () as usize => self.unload_miniport(),
            routine => into_driver("DriverUnload", Level::Passive, || {
                // SAFETY: the driver gave this as its unload routine.
                let unload = unsafe { std::mem::transmute::<usize, DriverUnload>(routine) };
                // SAFETY: as above; the driver object lives until it has returned.
                unsafe { unload(self.object) }
            }),
        }
        if self.is_registered() {
            finding("CO-013", Some(self.name()), "unloaded and still registered".to_owned());
            handle::close::<Self>(Kind::Driver, self.handle.get());
        }
        self.check_given_back("MiniportDriverUnload");
        Ndis::current().remove_driver(self);
        // Watches that have not fired yet still know the driver; what it was given goes now.
        self.given.take();
        note(Step::new("NT", format!("{} unloaded", self.name)));
    }

    /// What NDIS's unload routine does.
    fn unload_miniport(&self) {
        let miniport = *self.miniport.borrow();
        if let Some(miniport) = miniport {
            callback!("MiniportDriverUnload", Level::Passive, miniport.unload, self.object);
        }
    }

    /// Whether it is registered with NDIS.
    pub fn is_registered(&self) -> bool {
        self.miniport.borrow().is_some()
    }

    /// The NDIS version it declared, as major and minor.
    pub fn ndis_version(&self) -> (u8, u8) {
        let table = self.miniport();
        (table.major_ndis_version, table.minor_ndis_version)
    }

    /// Its own version, as major and minor, that it named in its registration.
    pub fn version(&self) -> (u8, u8) {
        let table = self.miniport();
        (table.major_driver_version, table.minor_driver_version)
    }

    /// The address of its `DRIVER_OBJECT`.
    pub(super) fn object(&self) -> usize {
        self.object
    }

    pub(super) fn context(&self) -> usize {
        self.context.get()
    }

    pub(super) fn miniport(&self) -> MiniportCharacteristics {
        self.miniport.borrow().unwrap_or_default()
    }

    pub(super) fn co_miniport(&self) -> CoMiniportCharacteristics {
        self.co_miniport.borrow().unwrap_or_default()
    }

    pub(super) fn call_manager(&self) -> CallManagerHandlers {
        self.call_manager.borrow().unwrap_or_default()
    }

    pub(super) fn name(&self) -> String {
        format!("driver {}", self.name)
    }

    pub(super) fn find(handle: Handle) -> Option<Rc<Self>> {
        handle::find(handle, Kind::Driver, "CO-013")
    }

    /// Runs `MiniportSetOptions` and checks that both tables were registered there.
    fn set_options(self: &Rc<Self>) -> Status {
        let miniport = self.miniport();
        if miniport.set_options.is_none() {
            finding("CO-004", Some(self.name()), "no MiniportSetOptions".to_owned());
            return status::SUCCESS;
        }
        self.setting_options.set(true);
        let status = callback!(
            "MiniportSetOptions",
            Level::Passive,
            miniport.set_options,
            self.handle.get(),
            self.context.get(),
        );
        self.setting_options.set(false);
        if status == status::SUCCESS && self.co_miniport.borrow().is_none() {
            let text = "MiniportSetOptions registered no NDIS_MINIPORT_CO_CHARACTERISTICS".to_owned();
            finding("CO-005", Some(self.name()), text);
        }
        if status == status::SUCCESS && self.call_manager.borrow().is_none() {
            let text = "MiniportSetOptions registered no NDIS_CO_CALL_MANAGER_OPTIONAL_HANDLERS".to_owned();
            finding("CO-008", Some(self.name()), text);
        }
        status
    }

    /// Whatever the driver has obtained by its own handle it gives back before it is unloaded.
    fn check_given_back(&self, end: &str) {
        for (resource, _, what) in self.owned.take() {
            finding(resource.rule_at_halt(), Some(self.name()), format!("{end} left {what}"));
        }
    }

    fn forget(&self) {
        handle::close::<Self>(Kind::Driver, self.handle.get());
        self.miniport.take();
        self.co_miniport.take();
        self.call_manager.take();
    }
}

/// Reports what is wrong with a table; true if NDIS refuses it.
fn report(driver: &Driver, errors: Vec<TableError>) -> bool {
    let fatal = errors.iter().any(|error| error.fatal);
    for error in errors {
        finding(error.rule, Some(driver.name()), error.text);
    }
    fatal
}

pub(super) unsafe extern "win64" fn register(
    object: usize,
    _registry_path: usize,
    context: usize,
    table: usize,
    out: *mut Handle,
) -> Status {
    let call = enter("NdisMRegisterMiniportDriver", IrqlRange::PASSIVE);
    let Some(driver) = Ndis::current().driver_of(object) else {
        finding("CO-001", None, "the driver object is not the one given to DriverEntry".to_owned());
        return status::FAILURE;
    };
    if !driver.entering.get() || driver.is_registered() {
        finding("CO-001", Some(driver.name()), "registered twice or outside of DriverEntry".to_owned());
        return status::FAILURE;
    }
    let (characteristics, errors) = characteristics::miniport(table);
    let version = (characteristics.major_ndis_version, characteristics.minor_ndis_version);
    let windows = call.machine().config().windows;
    if !windows.takes_ndis(version) {
        let text = format!("NDIS {}.{} declared on {}", version.0, version.1, windows.name);
        finding("CO-315", Some(driver.name()), text);
        return status::BAD_VERSION;
    }
    if report(&driver, errors) {
        return status::BAD_CHARACTERISTICS;
    }
    if call.machine().should_fail("NdisMRegisterMiniportDriver") {
        return status::RESOURCES;
    }
    driver.context.set(context);
    driver.handle.set(handle::open(Kind::Driver, Rc::clone(&driver)));
    driver.miniport.replace(Some(characteristics));
    io_object::set_unload_routine(object, unload_by_ndis as *const () as usize);
    note(Step::new("driver", format!("registers as NDIS {}.{} miniport", version.0, version.1)));
    let status = driver.set_options();
    if status != status::SUCCESS {
        driver.forget();
        io_object::set_unload_routine(object, 0);
        return status;
    }
    raw::write(out, driver.handle.get());
    status::SUCCESS
}

pub(super) unsafe extern "win64" fn deregister(handle: Handle) {
    let _call = enter("NdisMDeregisterMiniportDriver", IrqlRange::PASSIVE);
    let Some(driver) = Driver::find(handle) else { return };
    if Ndis::current().has_adapters(&driver) {
        finding("NDIS.7C.0x0A", Some(driver.name()), "deregistered while adapters exist".to_owned());
    }
    if driver.owned.count(Resource::Configuration) != 0 {
        // A handle of the driver's key is good until this call (page of NdisOpenConfigurationEx).
        let text = "deregistered with an open configuration".to_owned();
        finding("SDV.NdisOpenConfigurationEx", Some(driver.name()), text);
    }
    driver.forget();
    note(Step::new("driver", "deregisters"));
}

pub(super) unsafe extern "win64" fn set_optional_handlers(handle: Handle, table: usize) -> Status {
    let call = enter("NdisSetOptionalHandlers", IrqlRange::PASSIVE);
    let Some(driver) = Driver::find(handle) else { return status::FAILURE };
    if !driver.setting_options.get() {
        let text = "NdisSetOptionalHandlers outside of MiniportSetOptions".to_owned();
        finding("CO-011", Some(driver.name()), text);
        return status::FAILURE;
    }
    if call.machine().should_fail("NdisSetOptionalHandlers") {
        return status::RESOURCES;
    }
    let header: ObjectHeader = raw::read(table as *const ObjectHeader);
    match header.kind {
        characteristics::CO_MINIPORT => {
            let (it, errors) = characteristics::co_miniport(table);
            if report(&driver, errors) {
                return status::BAD_CHARACTERISTICS;
            }
            driver.co_miniport.replace(Some(it));
        }
        characteristics::CALL_MANAGER => {
            let co_oid_request = driver.co_miniport.borrow().and_then(|it| it.co_oid_request);
            let (it, errors) = characteristics::call_manager(table, co_oid_request.map(|it| it as usize));
            if report(&driver, errors) {
                return status::BAD_CHARACTERISTICS;
            }
            driver.call_manager.replace(Some(it));
        }
        other => {
            finding("CO-315", Some(driver.name()), format!("optional handlers of type {other:#x}"));
            return status::NOT_SUPPORTED;
        }
    }
    status::SUCCESS
}
