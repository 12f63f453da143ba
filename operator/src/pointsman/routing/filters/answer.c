// The answer to an attempt: held until it shows what it is worth, and read for what it says of tokens.
//
// Engines send headers before they have a token, and Envoy's per-try timeout and retries end at the headers. So
// headers are held here until the first bytes of the body have come: an engine that sends headers and then hangs,
// dies or streams an error is a failed attempt like any other. An answer in one piece is held until it is whole (up
// to 256 KiB), as half of it is of no use to anyone. Events are passed on whole.
#include "filters.h"
#include "host.h"

enum { HELD_BYTES = MANY_BYTES, OPENING_BYTES = 512, REFUSAL_BYTES = 16 * 1024 };
enum { TAIL_BYTES = 8192 };  // usage is the end of an answer, or close to it (llama.cpp's timings follow)

struct tail {
  u32 length;
  u8 bytes[TAIL_BYTES];
};

// What a target says of itself, of our account with it, and to browsers that think they speak with its host.
static const struct text NOT_PASSED_ON[] = {
    TEXT("server"), TEXT("via"), TEXT("x-powered-by"), TEXT("x-envoy-upstream-service-time"),
    TEXT("openai-organization"), TEXT("openai-project"), TEXT("set-cookie"), TEXT("alt-svc"),
    TEXT("strict-transport-security"), TEXT("access-control-allow-credentials"), TEXT("access-control-allow-headers"),
    TEXT("access-control-allow-methods"), TEXT("access-control-allow-origin"), TEXT("access-control-expose-headers"),
    {0, 0}};

// How engines and providers word the two refusals of a prompt that another target may take.
// OpenAI, vLLM of a prompt and of an answer that is too long by itself, llama.cpp, Anthropic, TEI; then OpenAI, Azure.
static const char *const CONTEXT_OVERFLOW[] = {
    "context_length_exceeded", "maximum context length", "cannot be greater than max_model_len",
    "exceed_context_size",     "prompt is too long",
    "longer than the maximum model length", "must have less than", 0};
static const char *const REFUSAL[] = {"content_filter", "content_policy", "ResponsibleAIPolicyViolation", 0};

static int mentions(struct text text, const char *const *phrases) {
  for (; *phrases; phrases++) {
    struct text phrase = {(const u8 *)*phrases, 0};
    while ((*phrases)[phrase.length]) phrase.length++;
    if (find(text, phrase, 0) >= 0) return 1;
  }
  return 0;
}

enum verdict { CONTENT, ERROR, TOO_EARLY };

static enum verdict begins_so_far(struct text text, struct text word) {
  if (text.length >= word.length) return begins(text, word) ? ERROR : CONTENT;
  return begins(word, text) ? TOO_EARLY : CONTENT;
}

static struct text without_spaces(struct text text) {
  while (text.length && *text.at == ' ') text = after(text, 1);
  return text;
}

// Of how an answer begins: data: {"error"   data:{"error"   event: error   {"error"
// Comment lines of the event stream (":" …) and blank lines before it are skipped, they are no token.
static enum verdict verdict_of(struct text text) {
  for (;;) {
    if (text.length == 0) return TOO_EARLY;
    if (*text.at == ':') {
      while (text.length && *text.at != '\n') text = after(text, 1);
    } else if (*text.at == '\n' || *text.at == '\r' || *text.at == ' ') {
      text = after(text, 1);
    } else {
      break;
    }
  }
  enum verdict event = begins_so_far(text, TEXT("event:"));
  if (event == TOO_EARLY) return TOO_EARLY;
  if (event == ERROR) return begins_so_far(without_spaces(after(text, 6)), TEXT("error"));
  enum verdict data = begins_so_far(text, TEXT("data:"));
  if (data == TOO_EARLY) return TOO_EARLY;
  if (data == ERROR) text = without_spaces(after(text, 5));
  return begins_so_far(text, TEXT("{\"error\""));
}

// Whether the headers may go now.
static int open(struct attempt *attempt, const struct body *body, int is_all) {
  u32 length = body->length;
  if (length == 0) return is_all;
  if (!attempt->is_events && !is_all && length < HELD_BYTES) return 0;
  enum verdict verdict = verdict_of(bytes_of(body, 0, OPENING_BYTES < length ? OPENING_BYTES : length));
  if (verdict == TOO_EARLY && !is_all && length < OPENING_BYTES) return 0;
  // An error status keeps its code, the route judges it by that.
  if (verdict == ERROR && attempt->is_success) {
    set_header(attempt->envoy, RESPONSE_HEADERS, TEXT(":status"), TEXT("503"));
    attempt->counts = 0;
  }
  if (attempt->may_be_refusal) {
    struct text text = bytes_of(body, 0, REFUSAL_BYTES < length ? REFUSAL_BYTES : length);
    if (mentions(text, CONTEXT_OVERFLOW)) {
      set_header(attempt->envoy, RESPONSE_HEADERS, TEXT("x-pm-retry"), TEXT("contextOverflow"));
    } else if (mentions(text, REFUSAL)) {
      set_header(attempt->envoy, RESPONSE_HEADERS, TEXT("x-pm-retry"), TEXT("refusal"));
    }
  }
  return 1;
}

// Keep the last bytes of an answer that passes by in pieces.
static void keep_tail(struct attempt *attempt, struct text bytes) {
  if (!attempt->tail) attempt->tail = calloc(1, sizeof *attempt->tail);
  struct tail *tail = attempt->tail;
  if (!tail) return;
  u32 kept = TAIL_BYTES - bytes.length;
  if (tail->length > kept) {
    u32 gone = tail->length - kept;
    for (u32 i = 0; i < kept; i++) tail->bytes[i] = tail->bytes[i + gone];
    tail->length = kept;
  }
  put(tail->bytes + tail->length, bytes);
  tail->length += bytes.length;
}

static void tell_counts(struct attempt *attempt, const struct counts *counts) {
  if (!attempt->told) return;
  for (u32 i = 0; i < COUNTS; i++) {
    if (!counts->is_known[i]) continue;
    attempt->told->counts.tokens[i] = counts->tokens[i];
    attempt->told->counts.is_known[i] = 1;
  }
}

static void count_at_the_end(struct attempt *attempt, const struct body *body, int is_all) {
  u32 count = body->length < TAIL_BYTES ? body->length : TAIL_BYTES;
  struct text bytes = bytes_of(body, body->length - count, count);
  if (!is_all || attempt->tail) {
    keep_tail(attempt, bytes);
    if (!attempt->tail) return;
    bytes = (struct text){attempt->tail->bytes, attempt->tail->length};
  }
  struct text usage = is_all ? last_usage(bytes) : (struct text){0, 0};
  if (usage.length == 0) return;
  struct counts counts = {0};
  read_counts(usage, &counts);
  tell_counts(attempt, &counts);
}

// Whether an event ends before the byte at `end`: with a line end and an empty line.
static int is_event_end(const u8 *first, const u8 *end) {
  if (end - first < 2 || end[-1] != '\n') return 0;
  return end[-2] == '\n' || (end[-2] == '\r' && end - first > 2 && end[-3] == '\n');
}

// The whole event that `usage` stands in.
static struct text event_around(struct text bytes, struct text usage) {
  const u8 *first = usage.at, *end = usage.at + usage.length, *stop = bytes.at + bytes.length;
  while (first != bytes.at && !is_event_end(bytes.at, first)) first--;
  while (end != stop && !is_event_end(usage.at, end)) end++;
  return (struct text){first, (u32)(end - first)};
}

// Counts what these events say of tokens and returns how long they are once what nobody asked for is cut out: what
// is left is closed up in place. Each event is looked at once, whatever a target makes of it.
static u32 read_events(struct text bytes, int strip, struct counts *counts) {
  const u8 *stop = bytes.at + bytes.length, *rest = bytes.at;
  u8 *kept = (u8 *)bytes.at;
  struct text ahead = bytes;
  for (struct text usage; (usage = next_usage(ahead, 0)).length;) {
    struct text event = event_around(ahead, usage);
    for (; usage.length; usage = next_usage(event, (u32)(usage.at + usage.length - event.at))) {
      read_counts(usage, counts);
    }
    if (strip && is_without_choices(event)) {
      while (rest != event.at) *kept++ = *rest++;
      rest = event.at + event.length;
    }
    ahead = after(ahead, (u32)(event.at + event.length - ahead.at));
  }
  if (kept == rest) return bytes.length;
  while (rest != stop) *kept++ = *rest++;
  return (u32)(kept - bytes.at);
}

// Without the beginning of an event at its end, if there is anything before it.
static struct text whole_events(struct text bytes) {
  const u8 *end = bytes.at + bytes.length;
  while (end != bytes.at && !is_event_end(bytes.at, end)) end--;
  return end == bytes.at ? bytes : (struct text){bytes.at, (u32)(end - bytes.at)};
}

// Events that have come whole; STOP where the last one has not. Behind a client that reads slowly Envoy reads up to
// 1 MiB of a target at once: such a piece is read in windows. What is cut out of one is taken out of the body from its
// beginning, so all that comes before and after goes to its end again.
static int events(struct attempt *attempt, struct body *body, int is_all) {
  struct counts counts = {0};
  u32 length = body->length;
  int turns = 0, is_large = length > HELD_BYTES;
  for (u32 at = 0; at < length;) {
    u32 left = length - at, start = turns ? 0 : at;
    u32 wanted = left < HELD_BYTES ? left : HELD_BYTES;
    struct text bytes = attempt->strip ? copy_of(body, start, wanted) : bytes_of(body, start, wanted);
    if (bytes.length == 0) break;
    if (bytes.length < left) bytes = whole_events(bytes);
    else if (!is_large && !is_all && !is_event_end(bytes.at, bytes.at + bytes.length)) return STOP;
    u32 kept = read_events(bytes, attempt->strip, &counts);
    if (attempt->strip && (is_large || kept != bytes.length)) {
      turns = 1;
      drop_first(body, bytes.length);
      append(body, (struct text){bytes.at, kept});
      close_body(body);
      open_response_body(body, attempt->envoy);
    }
    at += bytes.length;
  }
  tell_counts(attempt, &counts);
  return CONTINUE;
}

int answer_headers(struct attempt *attempt, int is_all) {
  void *envoy = attempt->envoy;
  // A verdict is ours to give, and each of its words is a series of metrics. "noCapacity" is the tombstone's,
  // "held" is said where requests are held; it lets none go, that takes a word which no target knows.
  struct text said = header(envoy, RESPONSE_HEADERS, TEXT("x-pm-retry"));
  if (same(said, TEXT("noCapacity"))) {
    set_header(envoy, RESPONSE_HEADERS, TEXT("x-pm-retry"), TEXT("noCapacity"));  // and nothing beside it
  } else if (same(said, TEXT("held"))) {
    set_header(envoy, RESPONSE_HEADERS, TEXT("x-pm-retry"), TEXT("held"));
  } else if (said.at) {
    remove_header(envoy, RESPONSE_HEADERS, TEXT("x-pm-retry"));
  }
  remove_headers(envoy, RESPONSE_HEADERS, NOT_PASSED_ON);
  if (is_all) return CONTINUE;
  struct text status = header(envoy, RESPONSE_HEADERS, TEXT(":status"));
  struct text type = header(envoy, RESPONSE_HEADERS, TEXT("content-type"));
  attempt->is_success = status.length == 3 && status.at[0] == '2';
  attempt->is_events = begins(type, TEXT("text/event-stream"));
  attempt->counts = attempt->is_success && (attempt->is_events || begins(type, TEXT("application/json")));
  attempt->may_be_refusal =
      same(status, TEXT("400")) || same(status, TEXT("413")) || same(status, TEXT("422"));
  if (attempt->strip && attempt->is_events) remove_header(envoy, RESPONSE_HEADERS, TEXT("content-length"));
  return STOP;
}

int answer_body(struct attempt *attempt, int is_all) {
  struct body body;
  open_response_body(&body, attempt->envoy);
  int is_open = attempt->is_open || open(attempt, &body, is_all), said = is_open ? CONTINUE : STOP;
  if (is_open && attempt->counts && attempt->is_events) said = events(attempt, &body, is_all);
  if (is_open && attempt->counts && !attempt->is_events) count_at_the_end(attempt, &body, is_all);
  if (said == CONTINUE) attempt->is_open = 1;
  close_body(&body);
  return said;
}

void attempt_gone(struct attempt *attempt) {
  free(attempt->tail);
  forget(attempt->told);
}
