import ctypes, mmap
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    if result < 0: raise OSError(ctypes.get_errno(), 'io_uring')
    return result
class Ring:
    """One submission at a time."""
    def __init__(self):
        params = (ctypes.c_uint32 * 30)()
        self.fd = call(425, 8, ctypes.addressof(params))
        entries, self.sq, self.cq = params[0], params[10:20], params[20:30]
        self.rings = mmap.mmap(self.fd, 8192, offset=0)
        self.cqes = mmap.mmap(self.fd, 8192, offset=0x8000000)
        self.sqes = mmap.mmap(self.fd, entries * 64, offset=0x10000000)
    def word(self, area, at): return struct.unpack_from('I', area, at)[0]
    def submit(self, opcode, fd, address=0, length=0, offset=0, flags=0, op_flags=0):
        sqe = struct.pack('=BBHiQQII', opcode, flags, 0, fd, offset, address, length, op_flags)
        tail = self.word(self.rings, self.sq[1])
        slot = tail & self.word(self.rings, self.sq[2])
        self.sqes[slot * 64:slot * 64 + 64] = sqe.ljust(64, b'\0')
        struct.pack_into('I', self.rings, self.sq[6] + 4 * slot, slot)
        struct.pack_into('I', self.rings, self.sq[1], tail + 1)
        call(426, self.fd, 1, 1, 1, 0, 0)
        head = self.word(self.cqes, self.cq[0])
        at = self.cq[5] + 16 * (head & self.word(self.cqes, self.cq[2]))
        result = struct.unpack_from('i', self.cqes, at + 8)[0]
        struct.pack_into('I', self.cqes, self.cq[0], head + 1)
        return errno.errorcode.get(-result, str(result)) if result < 0 else result
def inet(host, port):
    return ctypes.create_string_buffer(struct.pack('=H', 2) + struct.pack('!H', port) + socket.inet_aton(host) + bytes(8), 16)
