#include "told.h"

#include "host.h"

#define PLACE TEXT("pm.told")

static void set_state(void *envoy, struct text name, struct text value) {
  struct envoy_bytes given_name = {name.at, name.length}, given = {value.at, value.length};
  CALLBACK(http_set_filter_state_bytes)(envoy, given_name, given);
}

struct text kept(struct text text) {
  u8 *copy = text.length ? malloc(text.length) : 0;
  if (!copy) return (struct text){0, 0};
  put(copy, text);
  return (struct text){copy, text.length};
}

struct told *told_of_request(void) {
  struct told *made = calloc(1, sizeof *made);
  if (made) made->holders = 1;
  return made;
}

void tell(struct told *told, void *envoy) {
  set_state(envoy, PLACE, (struct text){(const u8 *)&told, sizeof told});
}

struct told *told_to_attempt(void *envoy) {
  struct envoy_bytes name = {PLACE.at, PLACE.length}, value = {0, 0};
  struct told *told;
  if (!CALLBACK(http_get_filter_state_bytes)(envoy, name, &value) || value.length != sizeof told) return 0;
  __builtin_memcpy(&told, value.at, sizeof told);
  told->holders++;
  return told;
}

void forget(struct told *told) {
  if (!told || --told->holders) return;
  free((void *)told->path.at);
  free((void *)told->client.at);
  free(told);
}

void publish(const struct told *told, void *envoy) {
  static const struct text NAMES[COUNTS] = {
      TEXT("pm.prompt_tokens"), TEXT("pm.completion_tokens"), TEXT("pm.cached_tokens")};
  if (told->client.at) set_state(envoy, TEXT("pm.client"), told->client);
  if (told->is_stream) set_state(envoy, TEXT("pm.stream"), TEXT("true"));
  for (u32 i = 0; i < COUNTS; i++) {
    u8 digits[10];
    // A 0 where nothing is known: the logger complains about a number that is not there.
    set_state(envoy, NAMES[i], decimal(told->counts.tokens[i], digits));
  }
}
