// What is known of the streams that are under way.
#pragma once
#include "host.h"

enum { TAIL_BYTES = 8192 };  // usage is the end of an answer, or close to it (llama.cpp's timings follow)

struct tail {
  struct tail *next;
  u32 length;
  u8 bytes[TAIL_BYTES];
};

struct stream {
  struct stream *next;
  u32 number;
  u8 strip;           // the client did not ask for usage
  u8 is_open;         // its headers have gone
  u8 is_events;       // its answer is a stream of events
  u8 counts;          // its answer may tell how many tokens it took
  u8 may_be_refusal;  // its status is one that a refused prompt has
  u8 is_success;
  struct tail *tail;  // the last bytes of an answer too long to be held
};

struct stream *stream_of(u32 number);  // made when it is asked for first; 0 where memory is used up
struct tail *tail_of(struct stream *);
