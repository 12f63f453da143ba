// Where the host puts what it hands over: a ring, which begins anew with each call of the host's. Nothing is kept
// from one call to the next, so the memory of a filter does not grow with what passes through it.
#include "host.h"

enum { RING_BYTES = 640 * 1024 };  // twice what may be asked for at once: 256 KiB, and some headers

static _Alignas(16) u8 ring[RING_BYTES];
static u32 next;

void forget(void) { next = 0; }

EXPORT(malloc) void *ring_take(u32 count) {
  if (count > RING_BYTES / 2) return 0;
  if (next + count > RING_BYTES) next = 0;
  void *taken = ring + next;
  next = (next + count + 15) & ~15u;
  return taken;
}

EXPORT(proxy_abi_version_0_2_1) void abi(void) {}
EXPORT(proxy_on_vm_start) int on_vm_start(u32 root, u32 size) {
  (void)root, (void)size;
  return 1;
}
