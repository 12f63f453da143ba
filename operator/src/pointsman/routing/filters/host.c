#include "host.h"

static struct envoy_bytes given(struct text text) { return (struct envoy_bytes){text.at, text.length}; }

struct text header(void *envoy, int map, struct text name) {
  struct envoy_bytes value = {0, 0};
  if (!CALLBACK(http_get_header)(envoy, map, given(name), &value, 0, 0) || !value.at) return (struct text){0, 0};
  return (struct text){value.at, (u32)value.length};
}

void set_header(void *envoy, int map, struct text name, struct text value) {
  // A header without a value would be removed.
  if (!value.at) value = TEXT("");
  CALLBACK(http_set_header)(envoy, map, given(name), given(value));
}

void remove_header(void *envoy, int map, struct text name) {
  CALLBACK(http_set_header)(envoy, map, given(name), (struct envoy_bytes){0, 0});
}

void remove_headers(void *envoy, int map, const struct text *names) {
  enum { MOST = 256 };
  struct envoy_header there[MOST];
  size_t count = CALLBACK(http_get_headers_size)(envoy, map);
  int is_known = count <= MOST && CALLBACK(http_get_headers)(envoy, map, there);
  u64 found = is_known ? 0 : ~0ull;
  for (size_t i = 0; is_known && i < count; i++) {
    for (u32 n = 0; names[n].at; n++) {
      if (there[i].name_length != names[n].length) continue;
      if (memcmp(there[i].name, names[n].at, names[n].length) == 0) found |= 1ull << n;
    }
  }
  for (u32 n = 0; names[n].at; n++) {
    if (found >> n & 1) remove_header(envoy, map, names[n]);
  }
}

static void open_body(struct body *body, void *envoy, int received, int buffered, bool is_all_buffered) {
  *body = (struct body){.envoy = envoy, .received = received, .buffered = buffered, .piece = body->few};
  size_t kept = CALLBACK(http_get_body_chunks_size)(envoy, buffered);
  size_t come = is_all_buffered ? 0 : CALLBACK(http_get_body_chunks_size)(envoy, received);
  if (kept + come > FEW_PIECES) body->piece = malloc((kept + come) * sizeof *body->piece);
  if (!body->piece) return;
  if (kept && CALLBACK(http_get_body_chunks)(envoy, buffered, body->piece)) body->kept = (u32)kept;
  body->count = body->kept;
  if (come && CALLBACK(http_get_body_chunks)(envoy, received, body->piece + body->kept)) body->count += (u32)come;
  for (u32 i = 0; i < body->count; i++) body->length += (u32)body->piece[i].length;
}

size_t request_body_length(void *envoy) {
  size_t kept = CALLBACK(http_get_body_size)(envoy, BUFFERED_REQUEST);
  if (CALLBACK(http_received_buffered_request_body)(envoy)) return kept;
  return kept + CALLBACK(http_get_body_size)(envoy, RECEIVED_REQUEST);
}

void open_request_body(struct body *body, void *envoy) {
  bool is_all_buffered = CALLBACK(http_received_buffered_request_body)(envoy);
  open_body(body, envoy, RECEIVED_REQUEST, BUFFERED_REQUEST, is_all_buffered);
}

void open_response_body(struct body *body, void *envoy) {
  bool is_all_buffered = CALLBACK(http_received_buffered_response_body)(envoy);
  open_body(body, envoy, RECEIVED_RESPONSE, BUFFERED_RESPONSE, is_all_buffered);
}

void close_body(struct body *body) {
  if (body->piece != body->few) free(body->piece);
}

struct text copy_of(const struct body *body, u32 start, u32 length) {
  static _Thread_local u8 copy[MANY_BYTES];
  u8 *to = copy;
  if (length > MANY_BYTES) length = MANY_BYTES;
  for (u32 i = 0; i < body->count && length; i++) {
    u32 size = (u32)body->piece[i].length;
    if (start >= size) {
      start -= size;
      continue;
    }
    u32 taken = size - start < length ? size - start : length;
    to = put(to, (struct text){(const u8 *)body->piece[i].at + start, taken});
    length -= taken;
    start = 0;
  }
  return (struct text){copy, (u32)(to - copy)};
}

struct text bytes_of(const struct body *body, u32 start, u32 length) {
  u32 first = start;
  for (u32 i = 0; i < body->count; i++) {
    u32 size = (u32)body->piece[i].length;
    if (first < size) {
      if (size - first < length && i + 1 < body->count) break;
      u32 taken = size - first < length ? size - first : length;
      return (struct text){(const u8 *)body->piece[i].at + first, taken < MANY_BYTES ? taken : MANY_BYTES};
    }
    first -= size;
  }
  return copy_of(body, start, length);
}

void drop_first(const struct body *body, u32 count) {
  u32 kept = 0;
  for (u32 i = 0; i < body->kept; i++) kept += (u32)body->piece[i].length;
  if (kept) CALLBACK(http_drain_body)(body->envoy, body->buffered, count < kept ? count : kept);
  if (count > kept) CALLBACK(http_drain_body)(body->envoy, body->received, count - kept);
}

void append(const struct body *body, struct text text) {
  if (text.length == 0) return;
  int is_received = body->count > body->kept;
  CALLBACK(http_append_body)(body->envoy, is_received ? body->received : body->buffered, given(text));
}
