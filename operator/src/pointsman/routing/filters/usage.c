#include "usage.h"

enum { USAGE_BYTES = 4096 };

// The words of OpenAI's two APIs, and Anthropic's.
static const struct text KINDS[COUNTS][2] = {
    {TEXT("\"prompt_tokens\""), TEXT("\"input_tokens\"")},
    {TEXT("\"completion_tokens\""), TEXT("\"output_tokens\"")},
    {TEXT("\"cached_tokens\""), TEXT("\"cache_read_input_tokens\"")},
};

static u32 skip_space(struct text text, u32 at) {
  while (at < text.length && (text.at[at] == ' ' || text.at[at] == '\n' || text.at[at] == '\r' || text.at[at] == '\t'))
    at++;
  return at;
}

// Where the value of a member begins whose name ends at `at`; 0 where there is no colon.
static u32 value_after(struct text text, u32 at) {
  at = skip_space(text, at);
  if (at >= text.length || text.at[at] != ':') return 0;
  return skip_space(text, at + 1);
}

// One that is longer than any that tells of usage is none: a target could have us look for its end without end.
static struct text object_at(struct text text, u32 at) {
  u32 depth = 0;
  if (at == 0 || at >= text.length || text.at[at] != '{') return (struct text){0, 0};
  if (text.length - at > USAGE_BYTES) text.length = at + USAGE_BYTES;
  for (u32 i = at; i < text.length; i++) {
    if (text.at[i] == '{') depth++;
    if (text.at[i] == '}' && --depth == 0) return (struct text){text.at + at, i + 1 - at};
  }
  return (struct text){0, 0};
}

static struct text usage_named_at(struct text text, u32 at) {
  return object_at(text, value_after(text, at + 7));
}

struct text next_usage(struct text text, u32 from) {
  for (int at = (int)from; (at = find(text, TEXT("\"usage\""), (u32)at)) >= 0; at += 7) {
    struct text usage = usage_named_at(text, (u32)at);
    if (usage.length) return usage;
  }
  return (struct text){0, 0};
}

struct text last_usage(struct text text) {
  for (u32 at = text.length; at-- > 0;) {
    if (text.at[at] != '"' || !begins(after(text, at), TEXT("\"usage\""))) continue;
    struct text usage = usage_named_at(text, at);
    if (usage.length) return usage;
  }
  return (struct text){0, 0};
}

static int number_of(struct text usage, struct text word, u32 *number) {
  int found = find(usage, word, 0);
  if (found < 0) return 0;
  u32 at = value_after(usage, (u32)found + word.length), value = 0, first = at;
  for (; at != 0 && at < usage.length && usage.at[at] >= '0' && usage.at[at] <= '9'; at++) {
    value = value * 10 + (usage.at[at] - '0');
  }
  if (at == first) return 0;
  *number = value;
  return 1;
}

void read_counts(struct text usage, struct counts *counts) {
  for (u32 i = 0; i < COUNTS; i++) {
    if (number_of(usage, KINDS[i][0], &counts->tokens[i]) ||
        number_of(usage, KINDS[i][1], &counts->tokens[i])) {
      counts->is_known[i] = 1;
    }
  }
}

int is_without_choices(struct text event) {
  int at = find(event, TEXT("\"choices\""), 0);
  if (at < 0) return 0;
  u32 value = value_after(event, (u32)at + 9);
  if (value == 0 || value >= event.length || event.at[value] != '[') return 0;
  value = skip_space(event, value + 1);
  return value < event.length && event.at[value] == ']';
}
