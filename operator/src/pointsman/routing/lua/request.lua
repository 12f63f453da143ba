-- Once a request. On its way in, after the body has been read into metadata: which scope answers it.
-- A scope is a public model name, or one of our own (they begin with "!") that answers with an error or the list.
-- On its way out: the tokens of an answer in one piece are counted, a stream loses the usage nobody asked for.

local JSON_POST = {
  ["/v1/chat/completions"] = "choices", ["/v1/completions"] = "choices", ["/v1/responses"] = "",
  ["/v1/messages"] = "", ["/v1/embeddings"] = "", ["/v1/rerank"] = "", ["/v1/score"] = "",
  ["/v1/classify"] = "", ["/v1/moderations"] = "",
}

-- No JSON in the body's metadata: either it was not read, for its content type, or it could not be read.
local function unread(headers)
  local content_type = headers:get("content-type")
  if content_type ~= nil and not (content_type:lower() .. ";"):find("^application/json%s*;") then
    return "!content-type"
  end
  return "!malformed"
end

local function scope_of(path, method, headers, found)
  if JSON_POST[path] == nil then
    if path ~= "/v1/models" and path:sub(1, 11) ~= "/v1/models/" then return "!path" end
    if method == "GET" or method == "HEAD" then return "!models" end
    return "!method"
  end
  if method ~= "POST" then return "!method" end
  if found == nil or found["malformed"] ~= nil then return unread(headers) end
  local model = found["model"]
  -- The name becomes a header: anything but these characters must not get there.
  if type(model) ~= "string" or #model > 128 or not model:find("^%w[%w._:/-]*$") then return "!model" end
  return model
end

local function header_safe(text)
  return (text:sub(1, 256):gsub("[^%w._-]", function(c) return string.format("%%%02X", c:byte()) end))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local full_path = headers:get(":path")
  local query = full_path:find("?", 1, true)
  local path = query and full_path:sub(1, query - 1) or full_path
  local info = handle:streamInfo():dynamicMetadata()
  local found = info:get("pm")
  local scope = scope_of(path, headers:get(":method"), headers, found)
  headers:replace("x-pm-model", scope)
  if scope == "!models" then
    -- Clients escape the slash of a name such as team-a/chat.
    headers:replace("x-pm-path", (path:gsub("%%2[Ff]", "/")))
    return
  end
  if found == nil then return end
  local length = headers:get("content-length")
  if length == nil then
    local body = handle:body()
    length = body and tostring(body:length()) or "0"
    headers = handle:headers() -- objects do not outlive the wait for the body
    info = handle:streamInfo():dynamicMetadata()
  end
  headers:replace("x-pm-bytes", length)
  -- Usage is asked for on the client's behalf, and what the client did not ask for is taken out again.
  local strip = false
  if found["stream"] == true then
    headers:replace("x-pm-stream", "true")
    strip = JSON_POST[path] == "choices" and found["include_usage"] ~= true
  end
  local key = found["prompt_cache_key"]
  local bound = type(key) == "string"
  if bound then headers:replace("x-pm-affinity", header_safe(key)) end
  -- What each attempt needs again, kept where no attempt can change it.
  info:set("pm.request", "kept", { path = full_path, length = length, model = scope, strip = strip, bound = bound })
end

-- Without the event that carries usage and nothing else: "choices" is empty. An event is one line; with a line
-- before it (`whole`: whether there is none before the text), that would be left and become the next event's.
local function without_usage(text, whole)
  if not text:find('"choices":%s*%[%s*%]') then return nil end
  local changed = false
  local kept = text:gsub("()data: ?({[^\r\n]*})\r?\n\r?\n", function(at, event)
    local begins = at == 1 and whole or text:sub(math.max(1, at - 3), at - 1):find("\n\r?\n$")
    if begins and event:find('"choices":%s*%[%s*%]') and event:find('"usage":%s*{') then
      changed = true
      return ""
    end
  end)
  return changed and kept or nil
end

local function strip_usage(handle)
  local whole = true
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if length > 0 then
      local text = chunk:getBytes(0, length)
      local kept = without_usage(text, whole)
      if kept ~= nil then chunk:setBytes(kept) end
      whole = text:sub(-3):find("\n\r?\n$") ~= nil
    end
  end
end

-- Token counts in the words of OpenAI's two APIs (and Anthropic's): name in metrics, words.
local COUNTS = {
  { "prompt_tokens", '"prompt_tokens"', '"input_tokens"' },
  { "completion_tokens", '"completion_tokens"', '"output_tokens"' },
  { "cached_tokens", '"cached_tokens"', '"cache_read_input_tokens"' },
}
local TAIL_BYTES = 8192 -- usage is the end of an answer, or close to it (llama.cpp's timings follow)
local HELD_BYTES = 262144 -- the gate has held this much already, and one wait costs less than one a chunk

-- The end of an answer in one piece, however long it is.
local function tail_of(handle, length)
  if length ~= nil and tonumber(length) <= HELD_BYTES then
    local body = handle:body()
    local held = body and body:length() or 0
    local start = math.max(0, held - TAIL_BYTES)
    return held > 0 and body:getBytes(start, held - start) or ""
  end
  local tail = ""
  for chunk in handle:bodyChunks() do
    local start = math.max(0, chunk:length() - TAIL_BYTES)
    tail = (tail .. chunk:getBytes(start, chunk:length() - start)):sub(-TAIL_BYTES)
  end
  return tail
end

-- The last usage object of a text; quotes inside an answer's strings are escaped, so no answer can look like one.
local function usage_in(text)
  local at, from = nil, 1
  repeat
    local first, last = text:find('"usage"', from, true)
    if first ~= nil then at, from = last, last end
  until first == nil
  return at and text:match("^%s*:%s*(%b{})", at + 1)
end

local function count_tokens(handle, length)
  local usage = usage_in(tail_of(handle, length))
  if usage == nil then return end
  local info = handle:streamInfo():dynamicMetadata()
  for _, count in ipairs(COUNTS) do
    local _, at = usage:find(count[2], 1, true)
    if at == nil then _, at = usage:find(count[3], 1, true) end
    local number = at and usage:match("^%s*:%s*(%d+)", at + 1)
    if number ~= nil then info:set("pm", count[1], tonumber(number)) end
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local content_type = headers:get("content-type")
  if content_type == nil or headers:get(":status"):sub(1, 1) ~= "2" then return end
  if content_type:sub(1, 16) == "application/json" then return count_tokens(handle, headers:get("content-length")) end
  if content_type:sub(1, 17) ~= "text/event-stream" then return end
  local request = handle:streamInfo():dynamicMetadata():get("pm.request")
  if request ~= nil and request["kept"]["strip"] == true then strip_usage(handle) end
end
