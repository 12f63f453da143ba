// Streams by their number. Memory grows with the most streams that were ever under way at once, and is used again.
#include "streams.h"

enum { BUCKETS = 4096, PAGE_BYTES = 65536, MOST_PAGES = 1024 };

static struct stream *buckets[BUCKETS];
static struct stream *free_streams;
static struct tail *free_tails;

// More memory, in whole pages: 0 where there is none.
static u8 *grown(u32 pages) {
  if (__builtin_wasm_memory_size(0) + pages > MOST_PAGES) return 0;
  unsigned long before = __builtin_wasm_memory_grow(0, pages);
  return before == (unsigned long)-1 ? 0 : (u8 *)(before * PAGE_BYTES);
}

static struct stream *new_stream(void) {
  if (!free_streams) {
    struct stream *more = (struct stream *)grown(1);
    if (!more) return 0;
    for (u32 i = 0; i < PAGE_BYTES / sizeof(struct stream); i++) {
      more[i].next = free_streams;
      free_streams = &more[i];
    }
  }
  struct stream *taken = free_streams;
  free_streams = taken->next;
  return taken;
}

struct tail *tail_of(struct stream *stream) {
  if (stream->tail) return stream->tail;
  if (!free_tails) {
    struct tail *more = (struct tail *)grown(1);
    if (!more) return 0;
    for (u32 i = 0; i < PAGE_BYTES / sizeof(struct tail); i++) {
      more[i].next = free_tails;
      free_tails = &more[i];
    }
  }
  stream->tail = free_tails;
  free_tails = stream->tail->next;
  stream->tail->length = 0;
  return stream->tail;
}

struct stream *stream_of(u32 number) {
  struct stream **bucket = &buckets[number % BUCKETS];
  for (struct stream *known = *bucket; known; known = known->next) {
    if (known->number == number) return known;
  }
  struct stream *made = new_stream();
  if (!made) return 0;
  *made = (struct stream){.next = *bucket, .number = number};
  *bucket = made;
  return made;
}

EXPORT(proxy_on_delete) void on_delete(u32 number) {
  for (struct stream **at = &buckets[number % BUCKETS]; *at; at = &(*at)->next) {
    struct stream *gone = *at;
    if (gone->number != number) continue;
    *at = gone->next;
    if (gone->tail) {
      gone->tail->next = free_tails;
      free_tails = gone->tail;
    }
    gone->next = free_streams;
    free_streams = gone;
    return;
  }
}
