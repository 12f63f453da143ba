// What the filter of a request and those of its attempts tell each other. Attempts share one set of headers, which each
// of them changes; this none of them can take for its own.
#pragma once
#include "text.h"
#include "usage.h"

struct told {
  u32 holders;  // filters; all of one stream, so all on one thread
  u8 is_stream;
  struct text path, client;  // as the client wrote it; as its key names it. {0, 0} where there is none
  struct counts counts;
};

struct told *told_of_request(void);  // 0 where memory is used up
// Has those of the request's attempts find it.
void tell(struct told *, void *envoy);
struct told *told_to_attempt(void *envoy);  // 0 for a mirror's copy, which has no request of its own
void forget(struct told *);
// For the metrics, once the request has ended.
void publish(const struct told *, void *envoy);

struct text kept(struct text);  // a copy that the next function takes back; {0, 0} where memory is used up
