// Once an attempt, in the upstream chain of one target: the request as that target takes it.
//
// All attempts of a request share one set of headers, so each removes every credential and writes everything anew.
#include "filters.h"
#include "json.h"
#include "paths.h"

enum { WINDOW_BYTES = 64 * 1024, WRITTEN_BYTES = WINDOW_BYTES + MARKS * WORDS_BYTES };

#define USAGE "{\"include_usage\":true}"

// Credentials, of the client's or of the attempt before; what is told between our filters; what a replica has been
// chosen by already. Cookies, where a client is and its own account with a provider are not the target's business,
// and a compressed answer could not be read for usage and errors.
static const struct text NOT_FORWARDED[] = {
    TEXT("authorization"), TEXT("api-key"), TEXT("x-api-key"), TEXT("x-pm-affinity"), TEXT("x-pm-client"),
    TEXT("x-pm-model"), TEXT("x-pm-stream"), TEXT("x-pm-bytes"), TEXT("x-pm-open"),
    TEXT("cookie"), TEXT("proxy-authorization"), TEXT("openai-organization"), TEXT("openai-project"),
    TEXT("accept-encoding"), TEXT("x-envoy-external-address"), TEXT("x-forwarded-for"), TEXT("x-real-ip"),
    TEXT("forwarded"), {0, 0}};

static struct text word(struct text *rest) {
  struct text first = {rest->at, 0};
  while (first.length < rest->length && rest->at[first.length] != ' ') first.length++;
  *rest = after(*rest, first.length < rest->length ? first.length + 1 : first.length);
  return first;
}

struct attempt_config *attempt_config(struct text words) {
  if (words.length == 0 || words.length > WORDS_BYTES) return 0;
  struct attempt_config *made = calloc(1, sizeof *made + words.length);
  if (!made) return 0;
  put(made->words, words);
  struct text rest = {made->words, words.length};
  made->takes_usage = same(word(&rest), TEXT("usage"));
  made->host = word(&rest);
  made->prefix = word(&rest);
  made->model = rest;
  return made;
}

static void set_path(void *envoy, struct text path, struct text prefix) {
  if (path.length < 3) return;
  u8 *written = malloc(prefix.length + path.length);
  if (!written) return;
  u8 *end = put(put(written, prefix), after(path, 3));
  set_header(envoy, REQUEST_HEADERS, TEXT(":path"), (struct text){written, (u32)(end - written)});
  free(written);
}

static u8 *put_in_place_of(enum mark_kind kind, u8 *to, struct text model) {
  switch (kind) {
    case MODEL_VALUE: return put(put(put(to, TEXT("\"")), model), TEXT("\""));
    case OPTIONS_VALUE: return put(to, TEXT(USAGE));
    case OPTIONS_BEGIN: return put(to, TEXT("\"include_usage\":true,"));
    case OPTIONS_EMPTY: return put(to, TEXT("\"include_usage\":true"));
    case INCLUDE_USAGE_VALUE: return put(to, TEXT("true"));
    case OBJECT_BEGIN: return put(to, TEXT("\"stream_options\":" USAGE ","));
    case UNMARKED: break;
  }
  return to;
}

// Writes `bytes` of the body, which begin at `offset` in it, with everything that is marked in them written anew.
// A mark may reach over the end: `*mark` and `*skip_to` go on with the next bytes.
static struct text rewrite(
    const struct found *found, struct text bytes, u32 offset, u32 *mark, u32 *skip_to, struct text model) {
  static _Thread_local u8 written[WRITTEN_BYTES];
  u8 *to = written;
  u32 stop = offset + bytes.length, at = offset > *skip_to ? offset : *skip_to;
  for (; *mark < found->marks && found->mark[*mark].first <= stop; ++*mark) {
    const struct mark *next = &found->mark[*mark];
    if (next->first == stop && next->last > stop) break;
    to = put(to, (struct text){bytes.at + (at - offset), next->first - at});
    to = put_in_place_of(next->kind, to, model);
    at = next->last;
  }
  if (at < stop) to = put(to, (struct text){bytes.at + (at - offset), stop - at});
  *skip_to = at > stop ? at : stop;
  return (struct text){written, (u32)(to - written)};
}

// Returns the body's new length. Envoy can take bytes from the beginning of a body and put bytes to its end: so all
// of it is, a window at a time.
static u32 rewrite_body(const struct found *found, void *envoy, u32 length, struct text model) {
  u32 mark = 0, skip_to = 0, new_length = 0;
  for (u32 offset = 0; offset < length;) {
    struct body body;
    open_request_body(&body, envoy);
    u32 left = length - offset;
    struct text bytes = bytes_of(&body, 0, left < WINDOW_BYTES ? left : WINDOW_BYTES);
    if (bytes.length) {
      struct text anew = rewrite(found, bytes, offset, &mark, &skip_to, model);
      drop_first(&body, bytes.length);
      append(&body, anew);
      new_length += anew.length;
    }
    offset += bytes.length;
    close_body(&body);
    if (bytes.length == 0) break;
  }
  return new_length;
}

// Whether anything is left to write once the marks that are not wanted are gone.
static int keep_marks(struct found *found, int set_model, int add_usage) {
  u32 kept = 0;
  for (u32 i = 0; i < found->marks; i++) {
    struct mark mark = found->mark[i];
    int wanted = add_usage;
    if (mark.kind == MODEL_VALUE) wanted = set_model;
    if (mark.kind == OBJECT_BEGIN) wanted = add_usage && !found->has_options;
    if (wanted && mark.kind != UNMARKED) found->mark[kept++] = mark;
  }
  found->marks = kept;
  return kept != 0;
}

// A mirror's copy comes without what the request's filter has told: its path is the one in its headers, which no
// attempt has changed.
static struct text client_path(const struct attempt *attempt) {
  if (attempt->told && attempt->told->path.at) return attempt->told->path;
  return header(attempt->envoy, REQUEST_HEADERS, TEXT(":path"));
}

static void decide(struct attempt *attempt) {
  void *envoy = attempt->envoy;
  const struct attempt_config *target = attempt->target;
  struct found found;
  struct body body;
  u8 digits[10];
  struct told *told = attempt->told = told_to_attempt(envoy);
  if (told && !told->client.at) told->client = kept(header(envoy, REQUEST_HEADERS, TEXT("x-pm-client")));
  remove_headers(envoy, REQUEST_HEADERS, NOT_FORWARDED);
  struct text path = client_path(attempt);
  int takes_options = endpoint(without_query(path)) == JSON_WITH_STREAM_OPTIONS;
  set_header(envoy, REQUEST_HEADERS, TEXT(":authority"), target->host);
  set_path(envoy, path, target->prefix);
  open_request_body(&body, envoy);
  u32 length = body.length;
  int is_read = length != 0 && target->model.length != 0 && read_request(&body, &found);
  close_body(&body);
  if (is_read) {
    // Usage is asked for on the client's behalf, and what the client did not ask for is taken out again.
    struct text said = {found.model.bytes, found.model.length <= KEY_BYTES ? found.model.length : 0};
    int set_model = found.models != 1 || !same(target->model, said);
    attempt->strip = takes_options && found.stream && !found.include_usage;
    if (keep_marks(&found, set_model, attempt->strip && target->takes_usage)) {
      length = rewrite_body(&found, envoy, length, target->model);
    }
  }
  set_header(envoy, REQUEST_HEADERS, TEXT("content-length"), decimal(length, digits));
}

int attempt_headers(struct attempt *attempt, int is_all) {
  if (!is_all) return STOP;
  decide(attempt);
  return CONTINUE;
}

int attempt_body(struct attempt *attempt, int is_all) {
  if (!is_all) return STOP;
  decide(attempt);
  return CONTINUE;
}

int attempt_trailers(struct attempt *attempt) {
  decide(attempt);
  return CONTINUE;
}
