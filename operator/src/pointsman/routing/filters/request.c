// Once a request, when its body is whole: which scope answers it.
//
// A scope is a public model name, or one of our own (they begin with "!") that answers with an error or the list.
#include "json.h"
#include "paths.h"

static struct found found;

static int is_json(struct text type) {
  if (type.length == 0) return 1;
  if (!begins_any_case(type, TEXT("application/json"))) return 0;
  type = after(type, 16);
  while (type.length && (*type.at == ' ' || *type.at == '\t')) type = after(type, 1);
  return type.length == 0 || *type.at == ';';
}

static int is_alphanumeric(u8 c) {
  return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

// The name becomes a header: anything but these characters must not get there.
static int is_name(const struct string *name) {
  if (name->length == 0 || name->length > MODEL_BYTES || !is_alphanumeric(name->bytes[0])) return 0;
  for (u32 i = 1; i < name->length; i++) {
    u8 c = name->bytes[i];
    if (!is_alphanumeric(c) && c != '.' && c != '_' && c != ':' && c != '/' && c != '-') return 0;
  }
  return 1;
}

static struct text scope_of(struct text path, u32 body_bytes) {
  struct text method = header(REQUEST_HEADERS, NAME(":method"));
  if (endpoint(path) == NOT_JSON) {
    if (!same(path, TEXT("/v1/models")) && !begins(path, TEXT("/v1/models/"))) return TEXT("!path");
    return same(method, TEXT("GET")) || same(method, TEXT("HEAD")) ? TEXT("!models") : TEXT("!method");
  }
  if (!same(method, TEXT("POST"))) return TEXT("!method");
  if (!is_json(header(REQUEST_HEADERS, NAME("content-type")))) return TEXT("!content-type");
  if (!read_request(body_bytes, &found)) return TEXT("!malformed");
  if (!found.has_model || !is_name(&found.model)) return TEXT("!model");
  return (struct text){found.model.bytes, found.model.length};
}

// Clients escape the slash of a name such as team-a/chat.
static struct text with_slashes(struct text path, u8 *to) {
  u8 *end = to;
  for (u32 i = 0; i < path.length; i++) {
    if (begins_any_case(after(path, i), TEXT("%2f"))) {
      *end++ = '/';
      i += 2;
    } else {
      *end++ = path.at[i];
    }
  }
  return (struct text){to, (u32)(end - to)};
}

static struct text header_safe(const struct string *kept, u8 *to) {
  static const char hex[] = "0123456789ABCDEF";
  u32 length = kept->length < KEY_BYTES ? kept->length : KEY_BYTES;
  u8 *end = to;
  for (u32 i = 0; i < length; i++) {
    u8 c = kept->bytes[i];
    if (is_alphanumeric(c) || c == '.' || c == '_' || c == '-') {
      *end++ = c;
    } else {
      *end++ = '%';
      *end++ = hex[c >> 4];
      *end++ = hex[c & 15];
    }
  }
  return (struct text){to, (u32)(end - to)};
}

static void decide(u32 body_bytes) {
  static u8 written[64 * 1024];
  u8 digits[10];
  forget();
  struct text scope = scope_of(without_query(header(REQUEST_HEADERS, NAME(":path"))), body_bytes);
  set_header(REQUEST_HEADERS, NAME("x-pm-model"), scope);
  // Again, as reading the body may have taken all of the ring.
  struct text full_path = header(REQUEST_HEADERS, NAME(":path")), path = without_query(full_path);
  if (same(scope, TEXT("!models")) && path.length <= sizeof(written)) {
    set_header(REQUEST_HEADERS, NAME("x-pm-path"), with_slashes(path, written));
  }
  if (scope.at[0] == '!') return;
  set_header(REQUEST_HEADERS, NAME("x-pm-bytes"), decimal(body_bytes, digits));
  if (found.stream) {
    set_header(REQUEST_HEADERS, NAME("x-pm-stream"), TEXT("true"));
    proxy_set_property(NAME("pm.stream"), NAME("true"));
  }
  if (found.has_cache_key) {
    set_header(REQUEST_HEADERS, NAME("x-pm-affinity"), header_safe(&found.cache_key, written));
  }
  proxy_set_property(KEPT_PATH, full_path.at, full_path.length);
}

EXPORT(proxy_on_request_headers) int on_request_headers(u32 stream, u32 count, int is_all) {
  (void)stream, (void)count;
  if (!is_all) return STOP;
  decide(0);
  return CONTINUE;
}

EXPORT(proxy_on_request_body) int on_request_body(u32 stream, u32 length, int is_all) {
  (void)stream;
  if (!is_all) return STOP;
  decide(length);
  return CONTINUE;
}
