// A stream's headers and bodies, which are Envoy's: nothing is copied that need not be.
#pragma once
#include "envoy.h"
#include "text.h"

// A header's value; {0, 0} where there is none. It stays where it is until that header is written.
struct text header(void *envoy, int map, struct text name);
void set_header(void *envoy, int map, struct text name, struct text value);
void remove_header(void *envoy, int map, struct text name);
// Each of the named that is there. `names` ends with {0, 0}.
void remove_headers(void *envoy, int map, const struct text *names);

enum { FEW_PIECES = 16, MANY_BYTES = 256 * 1024 };

// A body as it lies in Envoy's memory: what has been kept of it, then what has just come.
struct body {
  void *envoy;
  int received, buffered;  // where Envoy has these
  u32 length, count, kept; // bytes; pieces; pieces of `buffered`
  struct envoy_bytes *piece, few[FEW_PIECES];
};

// How long a request's body is by now. Unlike opening it, this costs the same for any number of pieces: a client that
// sends small ones would have us walk over all of them with each.
size_t request_body_length(void *envoy);

// Where memory is used up the body is empty. `close` what has been opened.
void open_request_body(struct body *, void *envoy);
void open_response_body(struct body *, void *envoy);
void close_body(struct body *);

// `length` bytes in a row, at most MANY_BYTES and what there is. Where they do not lie so they are put so, in memory
// that the next call takes again.
struct text bytes_of(const struct body *, u32 start, u32 length);
// The same, in memory of ours.
struct text copy_of(const struct body *, u32 start, u32 length);

// Both leave the pieces that have been opened where they no longer are: the body is to be opened anew.
void drop_first(const struct body *, u32 count);
void append(const struct body *, struct text);
