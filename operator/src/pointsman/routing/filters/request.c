// Once a request, when its body is whole: which scope answers it.
//
// A scope is a public model name, or one of our own (they begin with "!") that answers with an error or the list.
// What can be no name meets no scope, as a name that nobody has taken.
#include "filters.h"
#include "json.h"
#include "paths.h"

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

enum { SCOPE_BYTES = 3 * MODEL_BYTES + 3 };

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
static struct text scope_named(const struct string *name, u8 written[SCOPE_BYTES]) {
  u8 *end = put_safely(written, name, MODEL_BYTES);
  if (name->length > MODEL_BYTES) end = put(end, TEXT("..."));
  return (struct text){written, (u32)(end - written)};
}

static struct text scope_of(
    void *envoy, struct text path, const struct body *body, struct found *found, u8 written[SCOPE_BYTES]) {
  struct text method = header(envoy, REQUEST_HEADERS, TEXT(":method"));
  if (endpoint(path) == NOT_JSON) {
    if (!same(path, TEXT("/v1/models")) && !begins(path, TEXT("/v1/models/"))) return TEXT("!path");
    return same(method, TEXT("GET")) || same(method, TEXT("HEAD")) ? TEXT("!models") : TEXT("!method");
  }
  if (!same(method, TEXT("POST"))) return TEXT("!method");
  if (!is_json(header(envoy, REQUEST_HEADERS, TEXT("content-type")))) return TEXT("!content-type");
  if (!read_request(body, found)) return TEXT("!malformed");
  if (!found->has_model || found->model.length == 0) return TEXT("!model");
  return scope_named(&found->model, written);
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
static void spell_bearer(void *envoy) {
  struct text said = header(envoy, REQUEST_HEADERS, TEXT("authorization"));
  if (!begins_any_case(said, TEXT("bearer "))) return;
  struct text key = after(said, 7);
  while (key.length && *key.at == ' ') key = after(key, 1);
  if (key.at == said.at + 7 && begins(said, TEXT("Bearer"))) return;
  u8 *written = malloc(key.length + 7);
  if (!written) return;
  u8 *end = put(put(written, TEXT("Bearer ")), key);
  set_header(envoy, REQUEST_HEADERS, TEXT("authorization"), (struct text){written, (u32)(end - written)});
  free(written);
}

static void name_path(void *envoy, struct text path) {
  u8 *written = malloc(path.length);
  if (!written) return;
  set_header(envoy, REQUEST_HEADERS, TEXT("x-pm-path"), with_slashes(path, written));
  free(written);
}

static void decide(struct request *request) {
  void *envoy = request->envoy;
  struct body body;
  struct found found = {0};
  u8 name[SCOPE_BYTES], key[3 * KEY_BYTES], digits[10];
  spell_bearer(envoy);
  struct text full_path = header(envoy, REQUEST_HEADERS, TEXT(":path")), path = without_query(full_path);
  open_request_body(&body, envoy);
  struct text scope = scope_of(envoy, path, &body, &found, name);
  close_body(&body);
  set_header(envoy, REQUEST_HEADERS, TEXT("x-pm-model"), scope);
  if (same(scope, TEXT("!models"))) name_path(envoy, path);
  if (scope.at[0] != '!') {
    set_header(envoy, REQUEST_HEADERS, TEXT("x-pm-bytes"), decimal(body.length, digits));
    if (found.stream) set_header(envoy, REQUEST_HEADERS, TEXT("x-pm-stream"), TEXT("true"));
    if (found.has_cache_key) {
      u8 *end = put_safely(key, &found.cache_key, KEY_BYTES);
      set_header(envoy, REQUEST_HEADERS, TEXT("x-pm-affinity"), (struct text){key, (u32)(end - key)});
    }
  }
  CALLBACK(http_clear_route_cache)(envoy);
  if (!request->told) return;
  request->told->path = kept(full_path);
  request->told->is_stream = scope.at[0] != '!' && found.stream;
  tell(request->told, envoy);
}

static u64 number(struct text *words) {
  u64 value = 0;
  while (words->length && *words->at == ' ') *words = after(*words, 1);
  while (words->length && *words->at >= '0' && *words->at <= '9') {
    value = value * 10 + (*words->at - '0');
    *words = after(*words, 1);
  }
  return value;
}

int request_config(struct text words, struct request_config *config) {
  config->most_body_bytes = number(&words);
  config->most_held_bytes = number(&words);
  return config->most_body_bytes && config->most_held_bytes >= config->most_body_bytes && words.length == 0;
}

static int too_large(struct request *request, int and_then) {
  struct envoy_bytes nothing = {0, 0}, why = {"request_too_large", sizeof("request_too_large") - 1};
  CALLBACK(http_send_response)(request->envoy, 413, 0, 0, nothing, why);
  return and_then;
}

int request_headers(struct request *request, int is_all) {
  struct text length = header(request->envoy, REQUEST_HEADERS, TEXT("content-length"));
  if (length.length && number(&length) > request->config->most_body_bytes) return too_large(request, STOP);
  if (!is_all) {
    CALLBACK(http_set_buffer_limit)(request->envoy, request->config->most_held_bytes);
    return STOP;
  }
  decide(request);
  return CONTINUE;
}

int request_body(struct request *request, int is_all) {
  if (request_body_length(request->envoy) > request->config->most_body_bytes) return too_large(request, STOP_AND_DROP);
  if (!is_all) return STOP;
  decide(request);
  return CONTINUE;
}

int request_trailers(struct request *request) {
  decide(request);
  return CONTINUE;
}

void request_ended(struct request *request) {
  struct told *told = request->told;
  if (!told) return;
  // Where there was no attempt, which takes it out.
  if (!told->client.at) told->client = kept(header(request->envoy, REQUEST_HEADERS, TEXT("x-pm-client")));
  publish(told, request->envoy);
}
