// Some bytes, of Envoy's or of ours.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

struct text {
  const u8 *at;
  u32 length;
};

#define TEXT(literal) ((struct text){(const u8 *)(literal), sizeof(literal) - 1})

int same(struct text, struct text);
int begins(struct text, struct text prefix);
int begins_any_case(struct text, struct text lower_prefix);
struct text after(struct text, u32 count);  // without its first bytes
int find(struct text, struct text wanted, u32 from);  // where it begins, or -1
u8 *put(u8 *to, struct text);                         // the byte after it
struct text decimal(u32 number, u8 digits[10]);
