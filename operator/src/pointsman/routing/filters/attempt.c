// Once an attempt, in the upstream chain of one target: the request as that target takes it.
//
// All attempts of a request share one set of headers, so each writes everything anew. Before this filter Envoy itself
// has removed every credential, and has written into x-pm-target what this target wants: "usage" or "-", its host,
// the prefix that stands in place of "/v1", and the name that it knows the model by, with spaces between them.
#include "json.h"
#include "paths.h"
#include "streams.h"

enum { WINDOW_BYTES = 64 * 1024, NAME_BYTES = 4096, WRITTEN_BYTES = WINDOW_BYTES + MARKS * NAME_BYTES };

#define USAGE "{\"include_usage\":true}"

struct target {
  int takes_usage;
  struct text host, prefix, model;
};

static struct found found;
static u8 written[WRITTEN_BYTES];

static struct text word(struct text *rest) {
  struct text first = {rest->at, 0};
  while (first.length < rest->length && rest->at[first.length] != ' ') first.length++;
  *rest = after(*rest, first.length < rest->length ? first.length + 1 : first.length);
  return first;
}

static struct target target(void) {
  struct text rest = header(REQUEST_HEADERS, NAME("x-pm-target"));
  struct target target;
  target.takes_usage = same(word(&rest), TEXT("usage"));
  target.host = word(&rest);
  target.prefix = word(&rest);
  // The rest is used once the body has been read, which may take all of the ring.
  static u8 model[NAME_BYTES];
  if (rest.length > NAME_BYTES - 2) rest.length = 0;
  put(model, rest);
  target.model = (struct text){model, rest.length};
  return target;
}

// A mirror's copy comes without what the request's filter kept: its path is the one in its headers, which no
// attempt has changed.
static struct text client_path(void) {
  struct text path = {0, 0};
  u8 *at;
  if (proxy_get_property(KEPT_PATH, &at, &path.length) != 0) return header(REQUEST_HEADERS, NAME(":path"));
  path.at = at;
  return path;
}

static void set_path(struct text path, struct text prefix) {
  if (path.length < 3 || prefix.length + path.length > WRITTEN_BYTES) return;
  u8 *end = put(put(written, prefix), after(path, 3));
  set_header(REQUEST_HEADERS, NAME(":path"), (struct text){written, (u32)(end - written)});
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
static u32 rewrite(struct text bytes, u32 offset, u32 *mark, u32 *skip_to, struct text model) {
  u32 stop = offset + bytes.length, at = offset > *skip_to ? offset : *skip_to;
  u8 *to = written;
  for (; *mark < found.marks && found.mark[*mark].first <= stop; ++*mark) {
    struct mark *next = &found.mark[*mark];
    if (next->first == stop && next->last > stop) break;
    to = put(to, (struct text){bytes.at + (at - offset), next->first - at});
    to = put_in_place_of(next->kind, to, model);
    at = next->last;
  }
  if (at < stop) to = put(to, (struct text){bytes.at + (at - offset), stop - at});
  *skip_to = at > stop ? at : stop;
  return (u32)(to - written);
}

// Returns the body's new length. Envoy can put bytes at the beginning and at the end of a body. So where everything
// marked is near its beginning, that is replaced; else the whole body is taken from its beginning and put to its
// end, a window at a time.
static u32 rewrite_body(u32 length, struct text model) {
  u32 mark = 0, skip_to = 0, new_length = 0, last = found.mark[found.marks - 1].last;
  u32 stop = last <= WINDOW_BYTES ? last : length;
  for (u32 offset = 0; offset < stop;) {
    struct text bytes;
    u8 *at;
    u32 wanted = stop - offset < WINDOW_BYTES ? stop - offset : WINDOW_BYTES;
    if (proxy_get_buffer_bytes(REQUEST_BODY, 0, wanted, &at, &bytes.length) != 0 || bytes.length == 0) break;
    bytes.at = at;
    u32 count = rewrite(bytes, offset, &mark, &skip_to, model);
    if (stop == length) {
      proxy_set_buffer_bytes(REQUEST_BODY, 0, bytes.length, "", 0);
      proxy_set_buffer_bytes(REQUEST_BODY, ~0u, 0, written, count);
    } else {
      proxy_set_buffer_bytes(REQUEST_BODY, 0, bytes.length, written, count);
    }
    offset += bytes.length;
    new_length += count;
  }
  return new_length + (length - stop);
}

// Whether anything is left to write once the marks that are not wanted are gone.
static int keep_marks(int set_model, int add_usage) {
  u32 kept = 0;
  for (u32 i = 0; i < found.marks; i++) {
    struct mark mark = found.mark[i];
    int wanted = add_usage;
    if (mark.kind == MODEL_VALUE) wanted = set_model;
    if (mark.kind == OBJECT_BEGIN) wanted = add_usage && !found.has_options;
    if (wanted && mark.kind != UNMARKED) found.mark[kept++] = mark;
  }
  found.marks = kept;
  return kept != 0;
}

static void decide(u32 number, u32 length) {
  forget();
  struct target to = target();
  struct text path = client_path();
  u8 digits[10];
  int takes_options = endpoint(without_query(path)) == JSON_WITH_STREAM_OPTIONS;
  set_header(REQUEST_HEADERS, NAME(":authority"), to.host);
  set_path(path, to.prefix);
  proxy_remove_header_map_value(REQUEST_HEADERS, NAME("x-pm-target"));
  if (length != 0 && to.model.length != 0 && read_request(length, &found)) {
    // Usage is asked for on the client's behalf, and what the client did not ask for is taken out again.
    int strip = takes_options && found.stream && !found.include_usage;
    int set_model = found.models != 1 || !same(to.model, (struct text){found.model.bytes, found.model.length});
    if (strip) {
      struct stream *stream = stream_of(number);
      if (stream) stream->strip = 1;
    }
    if (keep_marks(set_model, strip && to.takes_usage)) length = rewrite_body(length, to.model);
  }
  set_header(REQUEST_HEADERS, NAME("content-length"), decimal(length, digits));
}

EXPORT(proxy_on_request_headers) int on_request_headers(u32 number, u32 count, int is_all) {
  (void)count;
  if (!is_all) return STOP;
  decide(number, 0);
  return CONTINUE;
}

EXPORT(proxy_on_request_body) int on_request_body(u32 number, u32 length, int is_all) {
  if (!is_all) return STOP;
  decide(number, length);
  return CONTINUE;
}

EXPORT(proxy_on_request_trailers) int on_request_trailers(u32 number, u32 count) {
  (void)count;
  decide(number, body_length());
  return CONTINUE;
}
