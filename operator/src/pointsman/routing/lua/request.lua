-- Once a request, after the body has been read into metadata: which scope answers it.
-- A scope is a public model name, or one of our own (they begin with "!") that answers with an error or the list.

local JSON_POST = {
  ["/v1/chat/completions"] = "choices", ["/v1/completions"] = "choices", ["/v1/responses"] = "",
  ["/v1/messages"] = "", ["/v1/embeddings"] = "", ["/v1/rerank"] = "", ["/v1/score"] = "",
  ["/v1/classify"] = "", ["/v1/moderations"] = "",
}

-- No JSON in the body's metadata: either it was not read, for its content type, or it could not be read.
local function unread(headers)
  local content_type = headers:get("content-type")
  if content_type ~= nil and not content_type:lower():find("^application/json%s*;?") then return "!content-type" end
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
  -- What each attempt needs again, kept where no attempt can change it.
  info:set("pm.request", "kept", { path = full_path, length = length, model = scope, strip = strip })
  local key = found["prompt_cache_key"]
  if type(key) == "string" then headers:replace("x-pm-affinity", header_safe(key)) end
end

-- The event that carries usage and nothing else: "choices" is empty.
local function without_usage(text)
  if not text:find('"choices":%s*%[%s*%]') then return nil end
  local changed = false
  local kept = text:gsub("data: ?(%b{})\r?\n\r?\n", function(event)
    if event:find('"choices":%s*%[%s*%]') and event:find('"usage":%s*{') then
      changed = true
      return ""
    end
  end)
  return changed and kept or nil
end

function envoy_on_response(handle)
  local content_type = handle:headers():get("content-type")
  if content_type == nil or content_type:sub(1, 17) ~= "text/event-stream" then return end
  local request = handle:streamInfo():dynamicMetadata():get("pm.request")
  if request == nil or request["kept"]["strip"] ~= true then return end
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if length > 0 then
      local kept = without_usage(chunk:getBytes(0, length))
      if kept ~= nil then chunk:setBytes(kept) end
    end
  end
end
