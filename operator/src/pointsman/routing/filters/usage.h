// Token counts, as answers tell them.
#pragma once
#include "text.h"

enum { COUNTS = 3 };

struct counts {
  u32 tokens[COUNTS];
  u8 is_known[COUNTS];
};

// The usage object that begins at or after `from`; {0, 0} where there is none. Quotes inside an answer's strings
// are escaped, so no answer can look like one.
struct text next_usage(struct text, u32 from);
struct text last_usage(struct text);
void read_counts(struct text usage, struct counts *);
int is_without_choices(struct text event);
