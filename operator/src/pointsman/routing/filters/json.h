// A strict reader of JSON request bodies: is it valid, and what does it say that the gateway wants to know?
//
// It walks through the body where that lies, so a body of any size needs the same memory, and it never recurses.
#pragma once
#include "host.h"

enum { MODEL_BYTES = 128, KEY_BYTES = 256, MARKS = 32 };

// Places in the body that an attempt may have to write anew, in the order in which they stand there.
enum mark_kind {
  UNMARKED,
  OBJECT_BEGIN,          // after the first brace
  MODEL_VALUE,
  OPTIONS_VALUE,         // of "stream_options", where it is no object
  OPTIONS_BEGIN,         // after its brace, where "include_usage" is missing and something else follows
  OPTIONS_EMPTY,         // the same, and nothing follows
  INCLUDE_USAGE_VALUE,
};

struct mark {
  u32 first, last;  // [first, last)
  enum mark_kind kind;
};

// A string's first bytes, unescaped. `length` is the whole one's.
struct string {
  u32 length;
  u8 bytes[KEY_BYTES];
};

// Several top-level members may have the same name: the last one counts, and all of them are marked.
struct found {
  int has_model, stream, has_options, include_usage, has_cache_key;
  struct string model, cache_key;
  u32 models, marks;
  struct mark mark[MARKS];
};

// Returns 0 where the body is no valid JSON, nests deeper than 512, or has more than 32 places to mark.
int read_request(const struct body *, struct found *);
