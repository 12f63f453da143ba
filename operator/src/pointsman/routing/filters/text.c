#include "text.h"

#include "envoy.h"

int same(struct text a, struct text b) {
  return a.length == b.length && begins(a, b);
}

int begins(struct text text, struct text prefix) {
  if (text.length < prefix.length || prefix.length == 0) return prefix.length == 0;
  return memcmp(text.at, prefix.at, prefix.length) == 0;
}

int begins_any_case(struct text text, struct text lower_prefix) {
  if (text.length < lower_prefix.length) return 0;
  for (u32 i = 0; i < lower_prefix.length; i++) {
    u8 c = text.at[i];
    if (c >= 'A' && c <= 'Z') c |= 32;
    if (c != lower_prefix.at[i]) return 0;
  }
  return 1;
}

struct text after(struct text text, u32 count) {
  return (struct text){text.at + count, text.length - count};
}

int find(struct text text, struct text wanted, u32 from) {
  if (wanted.length > text.length) return -1;
  const u8 *at = text.at + from, *stop = text.at + (text.length - wanted.length) + 1;
  while (at < stop && (at = memchr(at, wanted.at[0], (size_t)(stop - at)))) {
    if (memcmp(at, wanted.at, wanted.length) == 0) return (int)(at - text.at);
    at++;
  }
  return -1;
}

u8 *put(u8 *to, struct text text) {
  if (text.length) __builtin_memcpy(to, text.at, text.length);
  return to + text.length;
}

struct text decimal(u32 number, u8 digits[10]) {
  u32 at = 10;
  do {
    digits[--at] = (u8)('0' + number % 10);
    number /= 10;
  } while (number);
  return (struct text){digits + at, 10 - at};
}
