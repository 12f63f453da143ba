// Envoy's hooks, and which of the two filters they are for.
#include "filters.h"
#include "host.h"

struct config {
  int is_attempt;
  struct request_config request;
  struct attempt_config *attempt;
};

struct filter {
  int is_attempt;
  union {
    struct request request;
    struct attempt attempt;
  };
};

EXPORT const char *HOOK(program_init)(void) { return "v0.2.0"; }

static struct text text_of(struct envoy_bytes bytes) { return (struct text){bytes.at, (u32)bytes.length}; }

EXPORT void HOOK(http_filter_config_destroy)(struct config *config) {
  free(config->attempt);
  free(config);
}

EXPORT const void *HOOK(http_filter_config_new)(void *envoy, struct envoy_bytes name, struct envoy_bytes words) {
  (void)envoy;
  struct config *config = calloc(1, sizeof *config);
  if (!config) return 0;
  config->is_attempt = same(text_of(name), TEXT("attempt"));
  if (config->is_attempt) config->attempt = attempt_config(text_of(words));
  if (config->is_attempt ? config->attempt != 0 : request_config(text_of(words), &config->request)) return config;
  HOOK(http_filter_config_destroy)(config);
  return 0;
}

EXPORT void *HOOK(http_filter_new)(const struct config *config, void *envoy) {
  struct filter *filter = calloc(1, sizeof *filter);
  if (!filter) return 0;
  filter->is_attempt = config->is_attempt;
  if (config->is_attempt) {
    filter->attempt.envoy = envoy;
    filter->attempt.target = config->attempt;
  } else {
    filter->request.envoy = envoy;
    filter->request.config = &config->request;
    filter->request.told = told_of_request();
  }
  return filter;
}

EXPORT int HOOK(http_filter_request_headers)(void *envoy, struct filter *filter, bool is_all) {
  (void)envoy;
  return filter->is_attempt ? attempt_headers(&filter->attempt, is_all) : request_headers(&filter->request, is_all);
}

EXPORT int HOOK(http_filter_request_body)(void *envoy, struct filter *filter, bool is_all) {
  (void)envoy;
  return filter->is_attempt ? attempt_body(&filter->attempt, is_all) : request_body(&filter->request, is_all);
}

// HTTP/2 may end a request with trailers instead of a body's last piece.
EXPORT int HOOK(http_filter_request_trailers)(void *envoy, struct filter *filter) {
  (void)envoy;
  return filter->is_attempt ? attempt_trailers(&filter->attempt) : request_trailers(&filter->request);
}

EXPORT int HOOK(http_filter_response_headers)(void *envoy, struct filter *filter, bool is_all) {
  (void)envoy;
  return filter->is_attempt ? answer_headers(&filter->attempt, is_all) : CONTINUE;
}

EXPORT int HOOK(http_filter_response_body)(void *envoy, struct filter *filter, bool is_all) {
  (void)envoy;
  return filter->is_attempt ? answer_body(&filter->attempt, is_all) : CONTINUE;
}

EXPORT int HOOK(http_filter_response_trailers)(void *envoy, struct filter *filter) {
  (void)envoy, (void)filter;
  return CONTINUE;
}

// Before what the request was is written to the metrics.
EXPORT void HOOK(http_filter_stream_complete)(void *envoy, struct filter *filter) {
  (void)envoy;
  if (!filter->is_attempt) request_ended(&filter->request);
}

EXPORT void HOOK(http_filter_destroy)(struct filter *filter) {
  if (filter->is_attempt) {
    attempt_gone(&filter->attempt);
  } else {
    forget(filter->request.told);
  }
  free(filter);
}

// Envoy looks for these; what they are for is nothing that we do.
#define NEVER_CALLED(name) \
  EXPORT void HOOK(name)(void) {}
NEVER_CALLED(http_filter_http_callout_done)
NEVER_CALLED(http_filter_http_stream_headers)
NEVER_CALLED(http_filter_http_stream_data)
NEVER_CALLED(http_filter_http_stream_trailers)
NEVER_CALLED(http_filter_http_stream_complete)
NEVER_CALLED(http_filter_http_stream_reset)
NEVER_CALLED(http_filter_scheduled)
// These are called, with the stream in them.
NEVER_CALLED(http_filter_downstream_above_write_buffer_high_watermark)
NEVER_CALLED(http_filter_downstream_below_write_buffer_low_watermark)
