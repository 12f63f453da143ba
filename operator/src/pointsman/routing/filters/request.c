// Once a request, when its body is whole: which scope answers it.
//
// A scope is a public model name, or one of our own (they begin with "!") that answers with an error or the list.
// What can be no name meets no scope, as a name that nobody has taken.
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

static int is_of_names(u8 c) {
  return is_alphanumeric(c) || c == '.' || c == '_' || c == ':' || c == '/' || c == '-';
}

// What a client says becomes a header: anything but the characters of names is written as %XX.
static u8 *put_safely(u8 *to, const struct string *said, u32 at_most) {
  static const char hex[] = "0123456789ABCDEF";
  for (u32 i = 0; i < said->length && i < at_most; i++) {
    u8 c = said->bytes[i];
    if (is_of_names(c)) {
      *to++ = c;
    } else {
      *to++ = '%';
      *to++ = hex[c >> 4];
      *to++ = hex[c & 15];
    }
  }
  return to;
}

// The name as its scope has it. What can be no name stays none: it keeps a wrong beginning, gets a % or three dots too
// many.
static struct text scope_named(const struct string *name) {
  static u8 written[3 * MODEL_BYTES + 3];
  u8 *end = put_safely(written, name, MODEL_BYTES);
  if (name->length > MODEL_BYTES) end = put(end, TEXT("..."));
  return (struct text){written, (u32)(end - written)};
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
  if (!found.has_model || found.model.length == 0) return TEXT("!model");
  return scope_named(&found.model);
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

// The name of a scheme may be in any case, with blanks after it (RFC 9110, 11.4); the filter of keys takes one way.
static void spell_bearer(void) {
  struct text said = header(REQUEST_HEADERS, NAME("authorization"));
  if (!begins_any_case(said, TEXT("bearer "))) return;
  struct text key = after(said, 7);
  while (key.length && *key.at == ' ') key = after(key, 1);
  if (key.at == said.at + 7 && begins(said, TEXT("Bearer"))) return;
  u8 *first = (u8 *)key.at - 7;
  put(first, TEXT("Bearer "));
  set_header(REQUEST_HEADERS, NAME("authorization"), (struct text){first, key.length + 7});
}

static void decide(u32 body_bytes) {
  static u8 written[64 * 1024];
  u8 digits[10];
  forget();
  spell_bearer();
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
    u8 *end = put_safely(written, &found.cache_key, KEY_BYTES);
    set_header(REQUEST_HEADERS, NAME("x-pm-affinity"), (struct text){written, (u32)(end - written)});
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

// HTTP/2 may end a request with trailers instead of a body's last piece.
EXPORT(proxy_on_request_trailers) int on_request_trailers(u32 stream, u32 count) {
  (void)stream, (void)count;
  decide(body_length());
  return CONTINUE;
}
