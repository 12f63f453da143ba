// The paths of the API that take a JSON body.
#pragma once
#include "host.h"

enum { NOT_JSON = 0, JSON = 1, JSON_WITH_STREAM_OPTIONS = 2 };

static inline struct text without_query(struct text path) {
  for (u32 i = 0; i < path.length; i++) {
    if (path.at[i] == '?') return (struct text){path.at, i};
  }
  return path;
}

// What stands at a path, given without its query.
static inline int endpoint(struct text path) {
  if (!begins(path, TEXT("/v1/"))) return NOT_JSON;
  struct text name = after(path, 4);
  if (same(name, TEXT("chat/completions")) || same(name, TEXT("completions"))) return JSON_WITH_STREAM_OPTIONS;
  return same(name, TEXT("responses")) || same(name, TEXT("messages")) || same(name, TEXT("embeddings")) ||
         same(name, TEXT("rerank")) || same(name, TEXT("score")) || same(name, TEXT("classify")) ||
         same(name, TEXT("moderations"));
}
