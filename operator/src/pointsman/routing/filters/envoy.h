// What the filters use of Envoy's interface for dynamic modules, as Envoy 1.40 has it, and of a C library.
//
// Envoy calls the hooks below by name; each stream stays on one thread from its beginning to its end.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))
#define HOOK(name) envoy_dynamic_module_on_##name
#define CALLBACK(name) envoy_dynamic_module_callback_##name

struct envoy_bytes {
  const void *at;
  size_t length;
};

struct envoy_header {
  const void *name;
  size_t name_length;
  const void *value;
  size_t value_length;
};

enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2 };
enum { RECEIVED_REQUEST = 0, BUFFERED_REQUEST = 1, RECEIVED_RESPONSE = 2, BUFFERED_RESPONSE = 3 };
enum { CONTINUE = 0, STOP = 1 };  // of headers: wait for the body; of a body: keep it and wait for more
enum { STOP_AND_DROP = 3 };       // of a body, once there is an answer

bool CALLBACK(http_get_header)(void *, int, struct envoy_bytes name, struct envoy_bytes *, size_t, size_t *);
size_t CALLBACK(http_get_headers_size)(void *, int);
bool CALLBACK(http_get_headers)(void *, int, struct envoy_header *);
bool CALLBACK(http_set_header)(void *, int, struct envoy_bytes name, struct envoy_bytes value);
size_t CALLBACK(http_get_body_size)(void *, int);
size_t CALLBACK(http_get_body_chunks_size)(void *, int);
bool CALLBACK(http_get_body_chunks)(void *, int, struct envoy_bytes *);
bool CALLBACK(http_append_body)(void *, int, struct envoy_bytes);
bool CALLBACK(http_drain_body)(void *, int, size_t);
bool CALLBACK(http_received_buffered_request_body)(void *);
bool CALLBACK(http_received_buffered_response_body)(void *);
bool CALLBACK(http_set_filter_state_bytes)(void *, struct envoy_bytes name, struct envoy_bytes value);
bool CALLBACK(http_get_filter_state_bytes)(void *, struct envoy_bytes name, struct envoy_bytes *);
void CALLBACK(http_clear_route_cache)(void *);
void CALLBACK(http_set_buffer_limit)(void *, unsigned long long);
void CALLBACK(http_send_response)(
    void *, unsigned, struct envoy_header *, size_t, struct envoy_bytes body, struct envoy_bytes details);

void *malloc(size_t);
void *calloc(size_t, size_t);
void free(void *);
void *memchr(const void *, int, size_t);
int memcmp(const void *, const void *, size_t);
