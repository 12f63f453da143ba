// Envoy's side of its interface for dynamic modules, for filter_host.py: each function asks the one that Python has put
// into the table. Structs become their members, which every ctypes can hand over.
#include <stdbool.h>
#include <stddef.h>

struct bytes {
  const void *at;
  size_t length;
};

struct header {
  struct bytes name, value;
};

struct table {
  bool (*get_header)(size_t, int, const void *, size_t, struct bytes *);
  size_t (*count_headers)(size_t, int);
  void (*get_headers)(size_t, int, struct header *);
  void (*set_header)(size_t, int, const void *, size_t, const void *, size_t);
  size_t (*length)(size_t, int);
  size_t (*count_pieces)(size_t, int);
  void (*get_pieces)(size_t, int, struct bytes *);
  void (*append)(size_t, int, const void *, size_t);
  void (*drain)(size_t, int, size_t);
  bool (*is_all_buffered)(size_t, int);
  void (*set_state)(size_t, const void *, size_t, const void *, size_t);
  bool (*get_state)(size_t, const void *, size_t, struct bytes *);
  void (*clear_route)(size_t);
  void (*set_limit)(size_t, size_t);
  void (*reply)(size_t, int);
} table;

#define CALLBACK(name) envoy_dynamic_module_callback_http_##name

bool CALLBACK(get_header)(size_t stream, int map, struct bytes name, struct bytes *value, size_t index, size_t *count) {
  (void)index, (void)count;
  return table.get_header(stream, map, name.at, name.length, value);
}
size_t CALLBACK(get_headers_size)(size_t stream, int map) { return table.count_headers(stream, map); }
bool CALLBACK(get_headers)(size_t stream, int map, struct header *headers) {
  table.get_headers(stream, map, headers);
  return true;
}
bool CALLBACK(set_header)(size_t stream, int map, struct bytes name, struct bytes value) {
  table.set_header(stream, map, name.at, name.length, value.at, value.length);
  return true;
}
size_t CALLBACK(get_body_size)(size_t stream, int body) { return table.length(stream, body); }
size_t CALLBACK(get_body_chunks_size)(size_t stream, int body) { return table.count_pieces(stream, body); }
bool CALLBACK(get_body_chunks)(size_t stream, int body, struct bytes *pieces) {
  table.get_pieces(stream, body, pieces);
  return true;
}
bool CALLBACK(append_body)(size_t stream, int body, struct bytes bytes) {
  table.append(stream, body, bytes.at, bytes.length);
  return true;
}
bool CALLBACK(drain_body)(size_t stream, int body, size_t count) {
  table.drain(stream, body, count);
  return true;
}
bool CALLBACK(received_buffered_request_body)(size_t stream) { return table.is_all_buffered(stream, 1); }
bool CALLBACK(received_buffered_response_body)(size_t stream) { return table.is_all_buffered(stream, 3); }
bool CALLBACK(set_filter_state_bytes)(size_t stream, struct bytes name, struct bytes value) {
  table.set_state(stream, name.at, name.length, value.at, value.length);
  return true;
}
bool CALLBACK(get_filter_state_bytes)(size_t stream, struct bytes name, struct bytes *value) {
  return table.get_state(stream, name.at, name.length, value);
}
void CALLBACK(clear_route_cache)(size_t stream) { table.clear_route(stream); }
void CALLBACK(set_buffer_limit)(size_t stream, unsigned long long limit) { table.set_limit(stream, limit); }
void CALLBACK(send_response)(
    size_t stream, unsigned status, struct header *headers, size_t count, struct bytes body, struct bytes details) {
  (void)headers, (void)count, (void)body, (void)details;
  table.reply(stream, (int)status);
}
