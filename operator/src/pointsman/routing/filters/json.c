#include "json.h"

enum { DEPTH = 512, END = -1 };
enum { OTHER, MODEL, STREAM, OPTIONS, INCLUDE_USAGE, CACHE_KEY };

// What is left of a piece of the body, and which piece that is.
struct reader {
  const u8 *at, *stop;
  u32 stop_offset, piece;
  const struct body *body;
};

static int refill(struct reader *in) {
  while (in->piece < in->body->count) {
    struct envoy_bytes next = in->body->piece[in->piece++];
    if (next.length == 0) continue;
    in->at = next.at;
    in->stop = in->at + next.length;
    in->stop_offset += (u32)next.length;
    return 1;
  }
  return 0;
}

static inline u32 offset(const struct reader *in) { return in->stop_offset - (u32)(in->stop - in->at); }
static inline int peek(struct reader *in) { return in->at != in->stop || refill(in) ? *in->at : END; }
static inline int take(struct reader *in) { return in->at != in->stop || refill(in) ? *in->at++ : END; }

static int peek_after_space(struct reader *in) {
  for (;;) {
    int c = peek(in);
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return c;
    in->at++;
  }
}

static int word(struct reader *in, const char *rest) {
  for (; *rest; rest++) {
    if (take(in) != *rest) return 0;
  }
  return 1;
}

static int digits(struct reader *in) {
  int count = 0;
  for (int c = peek(in); c >= '0' && c <= '9'; c = peek(in)) in->at++, count++;
  return count;
}

static int number(struct reader *in) {
  if (peek(in) == '-') in->at++;
  if (peek(in) == '0') in->at++;
  else if (!digits(in)) return 0;
  if (peek(in) == '.') {
    in->at++;
    if (!digits(in)) return 0;
  }
  if ((peek(in) | 32) == 'e') {
    in->at++;
    if (peek(in) == '+' || peek(in) == '-') in->at++;
    if (!digits(in)) return 0;
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

static int four_hex(struct reader *in) {
  u32 value = 0;
  for (int i = 0; i < 4; i++) {
    int c = take(in);
    if (c >= '0' && c <= '9') c -= '0';
    else if (c >= 'a' && c <= 'f') c -= 'a' - 10;
    else if (c >= 'A' && c <= 'F') c -= 'A' - 10;
    else return END;
    value = value << 4 | (u32)c;
  }
  return (int)value;
}

static int escape(struct reader *in, struct string *kept) {
  int c = take(in);
  switch (c) {
    case '"': case '\\': case '/': break;
    case 'b': c = '\b'; break;
    case 'f': c = '\f'; break;
    case 'n': c = '\n'; break;
    case 'r': c = '\r'; break;
    case 't': c = '\t'; break;
    case 'u':
      c = four_hex(in);
      if (c == END || (c >= 0xDC00 && c < 0xE000)) return 0;
      if (c >= 0xD800 && c < 0xDC00) {
        if (take(in) != '\\' || take(in) != 'u') return 0;
        int low = four_hex(in);
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
static int utf8(struct reader *in, int lead, struct string *kept) {
  int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  if (kept) keep(kept, (u8)lead);
  for (; more; more--, low = 0x80, high = 0xBF) {
    int c = take(in);
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
static int string(struct reader *in, struct string *kept) {
  for (;;) {
    if (!kept) {
      while (in->stop - in->at >= 8 && plain_eight(in->at)) in->at += 8;
    }
    int c = take(in);
    if (c == '"') return 1;
    if (c < 32) return 0;
    if (c == '\\') {
      if (!escape(in, kept)) return 0;
    } else if (c >= 128) {
      if (!utf8(in, c, kept)) return 0;
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
static int scalar(struct reader *in, int c, int member, struct found *found) {
  int is_true = 0, valid;
  struct string *kept = member == MODEL ? &found->model : member == CACHE_KEY ? &found->cache_key : 0;
  if (c == '"') {
    in->at++;
    if (kept) kept->length = 0;
    valid = string(in, kept);
    if (member == MODEL) found->has_model = 1;
    if (member == CACHE_KEY) found->has_cache_key = 1;
    return valid;
  }
  if (c == 't') {
    valid = word(in, "true");
    is_true = 1;
  } else if (c == 'f') {
    valid = word(in, "false");
  } else if (c == 'n') {
    valid = word(in, "null");
  } else {
    valid = number(in);
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
static int begin(struct reader *in, int member, int c, struct found *found) {
  switch (member) {
    case MODEL:
      found->has_model = 0;
      found->models++;
      return mark(found, MODEL_VALUE, offset(in));
    case OPTIONS:
      found->has_options = 1;
      found->include_usage = 0;
      return c == '{' ? mark(found, OPTIONS_BEGIN, offset(in) + 1) : mark(found, OPTIONS_VALUE, offset(in));
    case INCLUDE_USAGE:
      found->include_usage = 0;
      // The mark before it is that of the options, or of an earlier member of this name.
      if (found->mark[found->marks - 1].kind == OPTIONS_BEGIN) found->mark[found->marks - 1].kind = UNMARKED;
      return mark(found, INCLUDE_USAGE_VALUE, offset(in));
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
static void end(struct reader *in, int member, struct found *found) {
  struct mark *last = &found->mark[found->marks - 1];
  if (member == MODEL || member == INCLUDE_USAGE) last->last = offset(in);
  if (member == OPTIONS && last->kind == OPTIONS_VALUE) last->last = offset(in);
}

int read_request(const struct body *body, struct found *found) {
  u8 is_array[DEPTH];
  struct string key;
  struct reader reader = {.body = body}, *in = &reader;
  u32 depth = 0;
  int member = OTHER;   // the wanted member whose value comes next
  int top = OTHER;      // the top-level member that we are in
  int inner = OTHER;    // the same in "stream_options"
  found->has_model = found->stream = found->has_options = found->include_usage = found->has_cache_key = 0;
  found->models = found->marks = 0;
  for (;;) {
    int c = peek_after_space(in);
    if (!begin(in, member, c, found)) return 0;
    if (c == '{' || c == '[') {
      in->at++;
      if (depth == 0) mark(found, OBJECT_BEGIN, offset(in));
      if (depth == DEPTH) return 0;
      is_array[depth++] = c == '[';
      c = peek_after_space(in);
      if (c != (is_array[depth - 1] ? ']' : '}')) goto next;
      if (member == OPTIONS && !is_array[1]) found->mark[found->marks - 1].kind = OPTIONS_EMPTY;
      in->at++;
      depth--;
    } else if (c == END || !scalar(in, c, member, found)) {
      return 0;
    }
    // A value has ended, and with it perhaps what it stands in.
    for (;;) {
      if (depth == 1) {
        end(in, top, found);
        top = OTHER;
      } else if (depth == 2) {
        end(in, inner, found);
        inner = OTHER;
      }
      c = peek_after_space(in);
      if (depth == 0) return c == END;
      if (c == ',') {
        in->at++;
        c = peek_after_space(in);
        break;
      }
      if (take(in) != (is_array[depth - 1] ? ']' : '}')) return 0;
      depth--;
    }
  next:
    member = OTHER;
    if (is_array[depth - 1]) continue;
    if (c != '"') return 0;
    in->at++;
    // Only members of the whole and of "stream_options" are looked at.
    if (depth == 1) {
      key.length = 0;
      if (!string(in, &key)) return 0;
      top = member = top_member(&key);
    } else if (depth == 2 && top == OPTIONS && !is_array[1]) {
      key.length = 0;
      if (!string(in, &key)) return 0;
      if (same(text_of(&key), TEXT("include_usage"))) inner = member = INCLUDE_USAGE;
    } else if (!string(in, 0)) {
      return 0;
    }
    if (peek_after_space(in) != ':') return 0;
    in->at++;
    peek_after_space(in);
  }
}
