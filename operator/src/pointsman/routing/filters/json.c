#include "json.h"

enum { WINDOW_BYTES = 64 * 1024, DEPTH = 512, END = -1 };
enum { OTHER, MODEL, STREAM, OPTIONS, INCLUDE_USAGE, CACHE_KEY };

// What is left of the body, a window at a time.
static const u8 *at, *stop;
static u32 stop_offset, body_size;

static int refill(void) {
  if (stop_offset >= body_size) return 0;
  u32 wanted = body_size - stop_offset, size;
  u8 *window;
  if (wanted > WINDOW_BYTES) wanted = WINDOW_BYTES;
  if (proxy_get_buffer_bytes(REQUEST_BODY, stop_offset, wanted, &window, &size) != 0 || size == 0) return 0;
  at = window;
  stop = window + size;
  stop_offset += size;
  return 1;
}

static inline u32 offset(void) { return stop_offset - (u32)(stop - at); }
static inline int peek(void) { return at != stop || refill() ? *at : END; }
static inline int take(void) { return at != stop || refill() ? *at++ : END; }

static int peek_after_space(void) {
  for (;;) {
    int c = peek();
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return c;
    at++;
  }
}

static int word(const char *rest) {
  for (; *rest; rest++) {
    if (take() != *rest) return 0;
  }
  return 1;
}

static int digits(void) {
  int count = 0;
  for (int c = peek(); c >= '0' && c <= '9'; c = peek()) at++, count++;
  return count;
}

static int number(void) {
  if (peek() == '-') at++;
  if (peek() == '0') at++;
  else if (!digits()) return 0;
  if (peek() == '.') {
    at++;
    if (!digits()) return 0;
  }
  if ((peek() | 32) == 'e') {
    at++;
    if (peek() == '+' || peek() == '-') at++;
    if (!digits()) return 0;
  }
  return 1;
}

static inline void keep(struct string *kept, u8 c) {
  if (kept->length < KEY_BYTES) kept->bytes[kept->length] = c;
  kept->length++;
}

static void keep_code_point(struct string *kept, u32 c) {
  if (c < 0x80) {
    keep(kept, (u8)c);
  } else if (c < 0x800) {
    keep(kept, (u8)(0xC0 | c >> 6));
    keep(kept, (u8)(0x80 | (c & 63)));
  } else if (c < 0x10000) {
    keep(kept, (u8)(0xE0 | c >> 12));
    keep(kept, (u8)(0x80 | (c >> 6 & 63)));
    keep(kept, (u8)(0x80 | (c & 63)));
  } else {
    keep(kept, (u8)(0xF0 | c >> 18));
    keep(kept, (u8)(0x80 | (c >> 12 & 63)));
    keep(kept, (u8)(0x80 | (c >> 6 & 63)));
    keep(kept, (u8)(0x80 | (c & 63)));
  }
}

static int four_hex(void) {
  u32 value = 0;
  for (int i = 0; i < 4; i++) {
    int c = take();
    if (c >= '0' && c <= '9') c -= '0';
    else if (c >= 'a' && c <= 'f') c -= 'a' - 10;
    else if (c >= 'A' && c <= 'F') c -= 'A' - 10;
    else return END;
    value = value << 4 | (u32)c;
  }
  return (int)value;
}

static int escape(struct string *kept) {
  int c = take();
  switch (c) {
    case '"': case '\\': case '/': break;
    case 'b': c = '\b'; break;
    case 'f': c = '\f'; break;
    case 'n': c = '\n'; break;
    case 'r': c = '\r'; break;
    case 't': c = '\t'; break;
    case 'u':
      c = four_hex();
      if (c == END || (c >= 0xDC00 && c < 0xE000)) return 0;
      if (c >= 0xD800 && c < 0xDC00) {
        if (take() != '\\' || take() != 'u') return 0;
        int low = four_hex();
        if (low < 0xDC00 || low >= 0xE000) return 0;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      }
      break;
    default: return 0;
  }
  if (kept) keep_code_point(kept, (u32)c);
  return 1;
}

// The rest of a character of several bytes, after its first one (Unicode's table 3-7).
static int utf8(int lead, struct string *kept) {
  int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (kept) keep(kept, (u8)lead);
  for (; more; more--, low = 0x80, high = 0xBF) {
    int c = take();
    if (c < low || c > high) return 0;
    if (kept) keep(kept, (u8)c);
  }
  return 1;
}

// Whether all of eight bytes are letters that need no look: no quote, backslash, control or byte above 127.
static inline int plain_eight(const u8 *bytes) {
  const u64 ones = 0x0101010101010101ull, tops = 0x8080808080808080ull;
  u64 v;
  __builtin_memcpy(&v, bytes, 8);
  u64 quote = v ^ ones * '"', slash = v ^ ones * '\\';
  return (((v - ones * 32) | (quote - ones) | (slash - ones) | v) & tops) == 0;
}

// A string, from after its first quote to after its last.
static int string(struct string *kept) {
  for (;;) {
    if (!kept) {
      while (stop - at >= 8 && plain_eight(at)) at += 8;
    }
    int c = take();
    if (c == '"') return 1;
    if (c < 32) return 0;
    if (c == '\\') {
      if (!escape(kept)) return 0;
    } else if (c >= 128) {
      if (!utf8(c, kept)) return 0;
    } else if (kept) {
      keep(kept, (u8)c);
    }
  }
}

static struct text text_of(const struct string *kept) {
  return (struct text){kept->bytes, kept->length > KEY_BYTES ? 0 : kept->length};
}

static int top_member(const struct string *key) {
  struct text name = text_of(key);
  if (same(name, TEXT("model"))) return MODEL;
  if (same(name, TEXT("stream"))) return STREAM;
  if (same(name, TEXT("stream_options"))) return OPTIONS;
  if (same(name, TEXT("prompt_cache_key"))) return CACHE_KEY;
  return OTHER;
}

// A value that is no object and no array. Of members that we want, the last one counts.
static int scalar(int c, int member, struct found *found) {
  int is_true = 0, valid;
  struct string *kept = member == MODEL ? &found->model : member == CACHE_KEY ? &found->cache_key : 0;
  if (c == '"') {
    at++;
    if (kept) kept->length = 0;
    valid = string(kept);
    if (member == MODEL) found->has_model = 1;
    if (member == CACHE_KEY) found->has_cache_key = 1;
    return valid;
  }
  if (c == 't') {
    valid = word("true");
    is_true = 1;
  } else if (c == 'f') {
    valid = word("false");
  } else if (c == 'n') {
    valid = word("null");
  } else {
    valid = number();
  }
  if (member == STREAM) found->stream = is_true;
  if (member == INCLUDE_USAGE) found->include_usage = is_true;
  return valid;
}

static int mark(struct found *found, enum mark_kind kind, u32 first) {
  if (found->marks == MARKS) return 0;
  found->mark[found->marks++] = (struct mark){first, first, kind};
  return 1;
}

// A wanted member's value begins with `c`: what an earlier one of its name said is void.
static int begin(int member, int c, struct found *found) {
  switch (member) {
    case MODEL:
      found->has_model = 0;
      found->models++;
      return mark(found, MODEL_VALUE, offset());
    case OPTIONS:
      found->has_options = 1;
      found->include_usage = 0;
      return c == '{' ? mark(found, OPTIONS_BEGIN, offset() + 1) : mark(found, OPTIONS_VALUE, offset());
    case INCLUDE_USAGE:
      found->include_usage = 0;
      // The mark before it is that of the options, or of an earlier member of this name.
      if (found->mark[found->marks - 1].kind == OPTIONS_BEGIN) found->mark[found->marks - 1].kind = UNMARKED;
      return mark(found, INCLUDE_USAGE_VALUE, offset());
    case STREAM:
      found->stream = 0;
      return 1;
    case CACHE_KEY:
      found->has_cache_key = 0;
      return 1;
    default:
      return 1;
  }
}

// A value has ended: directly in the whole, or in "stream_options".
static void end(int member, struct found *found) {
  struct mark *last = &found->mark[found->marks - 1];
  if (member == MODEL || member == INCLUDE_USAGE) last->last = offset();
  if (member == OPTIONS && last->kind == OPTIONS_VALUE) last->last = offset();
}

int read_request(u32 body_bytes, struct found *found) {
  static u8 is_array[DEPTH];
  static struct string key;
  u32 depth = 0;
  int member = OTHER;   // the wanted member whose value comes next
  int top = OTHER;      // the top-level member that we are in
  int inner = OTHER;    // the same in "stream_options"
  at = stop = 0;
  stop_offset = 0;
  body_size = body_bytes;
  found->has_model = found->stream = found->has_options = found->include_usage = found->has_cache_key = 0;
  found->models = found->marks = 0;
  for (;;) {
    int c = peek_after_space();
    if (!begin(member, c, found)) return 0;
    if (c == '{' || c == '[') {
      at++;
      if (depth == 0) mark(found, OBJECT_BEGIN, offset());
      if (depth == DEPTH) return 0;
      is_array[depth++] = c == '[';
      c = peek_after_space();
      if (c != (is_array[depth - 1] ? ']' : '}')) goto next;
      if (member == OPTIONS && !is_array[1]) found->mark[found->marks - 1].kind = OPTIONS_EMPTY;
      at++;
      depth--;
    } else if (c == END || !scalar(c, member, found)) {
      return 0;
    }
    // A value has ended, and with it perhaps what it stands in.
    for (;;) {
      if (depth == 1) {
        end(top, found);
        top = OTHER;
      } else if (depth == 2) {
        end(inner, found);
        inner = OTHER;
      }
      c = peek_after_space();
      if (depth == 0) return c == END;
      if (c == ',') {
        at++;
        c = peek_after_space();
        break;
      }
      if (take() != (is_array[depth - 1] ? ']' : '}')) return 0;
      depth--;
    }
  next:
    member = OTHER;
    if (is_array[depth - 1]) continue;
    if (c != '"') return 0;
    at++;
    // Only members of the whole and of "stream_options" are looked at.
    if (depth == 1) {
      key.length = 0;
      if (!string(&key)) return 0;
      top = member = top_member(&key);
    } else if (depth == 2 && top == OPTIONS && !is_array[1]) {
      key.length = 0;
      if (!string(&key)) return 0;
      if (same(text_of(&key), TEXT("include_usage"))) inner = member = INCLUDE_USAGE;
    } else if (!string(0)) {
      return 0;
    }
    if (peek_after_space() != ':') return 0;
    at++;
    peek_after_space();
  }
}
