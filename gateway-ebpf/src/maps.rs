//! The maps that all programs of an instance share, and the constant that tells bindings apart.

use core::ptr;

use aya_ebpf::Global;
use aya_ebpf::bindings::bpf_map_type::BPF_MAP_TYPE_SK_STORAGE;
use aya_ebpf::bindings::{BPF_F_CLONE, BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE, bpf_sock};
use aya_ebpf::btf_maps::{HashMap, LruHashMap, PerCpuHashMap, RingBuf, SkStorage};
use aya_ebpf::cty::c_void;
use aya_ebpf::helpers::generated::{bpf_map_update_elem, bpf_sk_storage_get};
use aya_ebpf::macros::btf_map;
use weir_abi::count::Counters;
use weir_abi::{ASKERS, AskerKey, BINDINGS, CLOSE_BYTES, Closed, DENIAL_BYTES, Denial};
use weir_abi::{FLOWS as FLOW_COUNT, FlowKey, FlowMeta, Listener, NAMESPACES, Owner, Resolvers};

/// Set when the object is loaded, frozen afterwards. Zero is no binding.
#[unsafe(no_mangle)]
static BINDING: Global<u64> = Global::new(0);

/// The id of the slice's cgroup, for its own programs. Zero is no slice.
#[unsafe(no_mangle)]
static SLICE: Global<u64> = Global::new(0);

/// State of each binding; no entry means no connection.
#[btf_map]
pub static BIND: HashMap<u64, u32, BINDINGS> = HashMap::new();

/// The cgroups with all their programs attached, and whose they are; no entry means no socket.
#[btf_map]
pub static LEAVES: HashMap<u64, u64, BINDINGS> = HashMap::new();

/// Per CPU, never an LRU. Entries are made by the gateway, so they need no room of their own before.
#[btf_map]
pub static COUNTERS: PerCpuHashMap<u64, Counters, BINDINGS, { BPF_F_NO_PREALLOC as usize }> =
    PerCpuHashMap::new();

/// The listeners, by network namespace cookie.
#[btf_map]
pub static LISTEN: HashMap<u64, Listener, NAMESPACES> = HashMap::new();

/// On a client's socket and on the accepted one.
#[btf_map]
pub static META: SkStorage<FlowMeta> = SkStorage::new();

/// Marks the gateway's own listeners and what they accept, so that nobody can squat on a port that it
/// lost.
#[btf_map]
static OURS: ClonedStorage<u64> = ClonedStorage::new();

/// Handshakes in flight. Not an LRU: no flow may lose its caller to another one's pressure.
#[btf_map]
pub static FLOWS: HashMap<FlowKey, FlowMeta, FLOW_COUNT> = HashMap::new();

/// Who sent a DNS query. Entries have no end that a program could see, so the oldest make room; a
/// query that lost its asker is refused by the resolver.
#[btf_map]
pub static DNSQ: LruHashMap<AskerKey, FlowMeta, ASKERS> = LruHashMap::new();

/// How many queries were sent from where, by whatever socket.
#[btf_map]
pub static ASKED: LruHashMap<AskerKey, u64, ASKERS> = LruHashMap::new();

/// How many of these are done with, counted by the gateway.
#[btf_map]
pub static ANSWERED: LruHashMap<AskerKey, u64, ASKERS> = LruHashMap::new();

/// The resolvers that a socket asks.
#[btf_map]
pub static SLOTS: SkStorage<Resolvers> = SkStorage::new();

/// On every socket of a bound cgroup.
#[btf_map]
static OWNER: ClonedStorage<Owner> = ClonedStorage::new();

/// Storage that a socket accepted by a listener inherits, which the library has no type for. The
/// fields are never read: the loader takes their types as the map's definition.
#[repr(C)]
struct ClonedStorage<T> {
    r#type: *const [i32; BPF_MAP_TYPE_SK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; (BPF_F_NO_PREALLOC | BPF_F_CLONE) as usize],
}

// SAFETY: there is nothing in it but null pointers that nobody follows.
unsafe impl<T> Sync for ClonedStorage<T> {}

impl<T> ClonedStorage<T> {
    const fn new() -> Self {
        Self {
            r#type: ptr::null(),
            key: ptr::null(),
            value: ptr::null(),
            max_entries: ptr::null(),
            map_flags: ptr::null(),
        }
    }
}

#[btf_map]
pub static DENIALS: RingBuf<Denial, DENIAL_BYTES> = RingBuf::new();

#[btf_map]
pub static CLOSES: RingBuf<Closed, CLOSE_BYTES> = RingBuf::new();

#[inline(always)]
pub fn binding() -> u64 {
    BINDING.load()
}

#[inline(always)]
pub fn slice() -> u64 {
    SLICE.load()
}

/// The flow that the socket carries, null where there is none.
#[inline(always)]
pub fn meta(socket: *mut bpf_sock) -> *mut FlowMeta {
    // SAFETY: the helper checks map and socket; a null value means that nothing is created.
    unsafe { bpf_sk_storage_get(map(&META), socket.cast(), ptr::null_mut(), 0) }.cast()
}

/// The same, created where it is absent: a copy of `initial`, zeroes where that is null.
#[inline(always)]
pub fn meta_or_new(socket: *mut bpf_sock, initial: *const FlowMeta) -> *mut FlowMeta {
    let create = u64::from(BPF_SK_STORAGE_GET_F_CREATE);
    // SAFETY: as above; `initial` is null, a value of a map or one of the stack.
    unsafe { bpf_sk_storage_get(map(&META), socket.cast(), initial.cast_mut().cast(), create) }
        .cast()
}

/// The resolvers that the socket asks, null where it has asked none.
#[inline(always)]
pub fn resolvers(socket: *mut bpf_sock) -> *mut Resolvers {
    // SAFETY: as above.
    unsafe { bpf_sk_storage_get(map(&SLOTS), socket.cast(), ptr::null_mut(), 0) }.cast()
}

/// The same, created empty where it is absent.
#[inline(always)]
pub fn resolvers_or_new(socket: *mut bpf_sock) -> *mut Resolvers {
    let create = u64::from(BPF_SK_STORAGE_GET_F_CREATE);
    // SAFETY: as above.
    unsafe { bpf_sk_storage_get(map(&SLOTS), socket.cast(), ptr::null_mut(), create) }.cast()
}

/// To whom the socket belongs, null if to nobody who is bound.
#[inline(always)]
pub fn owner(socket: *mut bpf_sock) -> *mut Owner {
    // SAFETY: as above.
    unsafe { bpf_sk_storage_get(map(&OWNER), socket.cast(), ptr::null_mut(), 0) }.cast()
}

/// Whether the socket belongs to this binding.
#[inline(always)]
pub fn owned_by_us(socket: *mut bpf_sock) -> bool {
    let owner = owner(socket);
    // SAFETY: read after the check for null.
    !owner.is_null() && unsafe { (*owner).binding } == binding()
}

/// Marks a new socket as somebody's.
#[inline(always)]
pub fn own(socket: *mut bpf_sock, owner: &Owner) -> bool {
    let create = u64::from(BPF_SK_STORAGE_GET_F_CREATE);
    let initial = ptr::from_ref(owner).cast_mut().cast();
    // SAFETY: as above; the value is as large as the map's.
    !unsafe { bpf_sk_storage_get(map(&OWNER), socket.cast(), initial, create) }.is_null()
}

/// Whether it is one of the gateway's listeners, or accepted by one.
#[inline(always)]
pub fn is_ours(socket: *mut bpf_sock) -> bool {
    // SAFETY: as above.
    !unsafe { bpf_sk_storage_get(map(&OURS), socket.cast(), ptr::null_mut(), 0) }.is_null()
}

/// Inserts or replaces; `value` may point into another map, so nothing is copied to the stack.
#[inline(always)]
pub fn update<M, K, V>(target: &'static M, key: &K, value: *const V) -> bool {
    let key = ptr::from_ref(key).cast_mut().cast();
    // SAFETY: key and value have the map's types; the verifier checks their sizes.
    unsafe { bpf_map_update_elem(map(target), key, value.cast_mut().cast(), 0) == 0 }
}

#[inline(always)]
fn map<M>(map: &'static M) -> *mut c_void {
    ptr::from_ref(map).cast_mut().cast()
}
