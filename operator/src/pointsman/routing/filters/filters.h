// Our two filters, as Envoy's hooks call them: once for each thing that happens to a stream.
#pragma once
#include "told.h"

// What is the same for all streams, from the filter's configuration: words with blanks between them.
struct request_config {
  u64 most_body_bytes, most_held_bytes;
};

struct request {
  void *envoy;
  const struct request_config *config;
  struct told *told;
};

int request_config(struct text words, struct request_config *);  // 0 where the words are not such
int request_headers(struct request *, int is_all);
int request_body(struct request *, int is_all);
int request_trailers(struct request *);
void request_ended(struct request *);

// Of a target: whether it takes the option for usage ("usage" or "-"), its host, the prefix that stands in place of
// "/v1", and the name that it knows the model by.
struct attempt_config {
  int takes_usage;
  struct text host, prefix, model;
  u8 words[];
};

enum { WORDS_BYTES = 4096 };

struct attempt {
  void *envoy;
  const struct attempt_config *target;
  struct told *told;
  u8 strip;           // the client did not ask for usage
  u8 is_open;         // the answer's headers have gone
  u8 is_events;       // its answer is a stream of events
  u8 counts;          // its answer may tell how many tokens it took
  u8 may_be_refusal;  // its status is one that a refused prompt has
  u8 is_success;
  struct tail *tail;  // the last bytes of an answer too long to be held
};

struct attempt_config *attempt_config(struct text words);  // 0 where the words are not such; to be freed
int attempt_headers(struct attempt *, int is_all);
int attempt_body(struct attempt *, int is_all);
int attempt_trailers(struct attempt *);
int answer_headers(struct attempt *, int is_all);
int answer_body(struct attempt *, int is_all);
void attempt_gone(struct attempt *);
