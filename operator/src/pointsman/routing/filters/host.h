// What the filters use of the proxy-wasm 0.2.1 interface, and of a C library: there is none.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name))) extern
#define EXPORT(name) __attribute__((export_name(#name)))

enum { REQUEST_BODY = 0, RESPONSE_BODY = 1, PLUGIN_CONFIGURATION = 7 };
enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2 };
enum { CONTINUE = 0, STOP = 1 };  // of headers: wait for the body; of a body: keep it and wait for more

// Each returns 0 where it worked. What a getter hands over lies in the ring of memory.c.
IMPORT(proxy_get_header_map_value) int proxy_get_header_map_value(u32 map, const char *, u32, u8 **, u32 *);
IMPORT(proxy_replace_header_map_value)
int proxy_replace_header_map_value(u32 map, const char *, u32, const void *, u32);
IMPORT(proxy_remove_header_map_value) int proxy_remove_header_map_value(u32 map, const char *, u32);
IMPORT(proxy_get_buffer_bytes) int proxy_get_buffer_bytes(u32 buffer, u32 start, u32 length, u8 **, u32 *);
IMPORT(proxy_get_buffer_status) int proxy_get_buffer_status(u32 buffer, u32 *length, u32 *flags);
IMPORT(proxy_set_buffer_bytes) int proxy_set_buffer_bytes(u32 buffer, u32 start, u32 length, const void *, u32);
IMPORT(proxy_get_property) int proxy_get_property(const char *, u32, u8 **, u32 *);
IMPORT(proxy_set_property) int proxy_set_property(const char *, u32, const void *, u32);

// Some bytes, of the host's or of ours.
struct text {
  const u8 *at;
  u32 length;
};

#define NAME(literal) (literal), sizeof(literal) - 1
#define TEXT(literal) ((struct text){(const u8 *)(literal), sizeof(literal) - 1})

// A header's value; {0, 0} where there is none.
static inline struct text header(u32 map, const char *name, u32 length) {
  u8 *at;
  u32 size;
  if (proxy_get_header_map_value(map, name, length, &at, &size) != 0) return (struct text){0, 0};
  return (struct text){at, size};
}

static inline void set_header(u32 map, const char *name, u32 length, struct text value) {
  proxy_replace_header_map_value(map, name, length, value.at, value.length);
}

// Of a request that ends with trailers: what has been kept of its body.
static inline u32 body_length(void) {
  u32 length = 0, flags;
  return proxy_get_buffer_status(REQUEST_BODY, &length, &flags) == 0 ? length : 0;
}

void forget(void);  // everything that the host has handed over so far

int same(struct text, struct text);
int begins(struct text, struct text prefix);
int begins_any_case(struct text, struct text lower_prefix);
struct text after(struct text, u32 count);  // without its first bytes
int find(struct text, struct text wanted, u32 from);  // where it begins, or -1
u8 *put(u8 *to, struct text);                         // the byte after it
struct text decimal(u32 number, u8 digits[10]);
