-- Once an attempt, in the upstream chain of one target. All attempts of a request share one set of headers, so
-- each attempt writes everything anew and leaves nothing of the one before: above all no credential.
--
-- filter context of a target:
--   id       names this context's content, so that it is read once
--   model    name that the target knows the model by
--   host     value of :authority
--   prefix   what stands in the path in place of "/v1"
--   usage    whether the target takes stream_options.include_usage

local find, byte, sub = string.find, string.byte, string.sub
local QUOTE, OPEN_BRACE, OPEN_BRACKET = 34, 123, 91

-- Index of the quote that ends the string which begins at `start`.
local function string_end(text, start)
  local i = start + 1
  while true do
    local at = find(text, '["\\]', i)
    if at == nil then return nil end
    if byte(text, at) == QUOTE then return at end
    i = at + 2
  end
end

local function plain(key)
  if not find(key, "\\", 1, true) then return key end
  return (key:gsub("\\u00(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Where the values of top-level members begin and end: { model = {{first, last}, …}, … }. Strings are skipped
-- whole, so a "model" inside a prompt is never met.
local function members(text, wanted)
  local found, depth, i = {}, 0, 1
  local open_key, opened_at
  while true do
    local at = find(text, '["{}%[%]]', i)
    if at == nil then return found end
    local c = byte(text, at)
    if c == QUOTE then
      local last = string_end(text, at)
      if last == nil then return found end
      if depth == 1 then
        local _, colon = find(text, "^%s*:%s*", last + 1)
        if colon then
          local key = plain(sub(text, at + 1, last - 1))
          if wanted[key] then
            found[key] = found[key] or {}
            local first = colon + 1
            local lead = byte(text, first)
            if lead == QUOTE then
              local value_end = string_end(text, first)
              if value_end == nil then return found end
              table.insert(found[key], { first, value_end })
              last = value_end
            elseif lead == OPEN_BRACE or lead == OPEN_BRACKET then
              open_key, opened_at = key, first
            else
              local _, value_end = find(text, "^[^,}%s]+", first)
              table.insert(found[key], { first, value_end or first })
              last = value_end or first
            end
          end
        end
      end
      i = last + 1
    else
      if c == OPEN_BRACE or c == OPEN_BRACKET then
        depth = depth + 1
      else
        depth = depth - 1
        if depth == 1 and open_key ~= nil then
          table.insert(found[open_key], { opened_at, at })
          open_key = nil
        end
      end
      i = at + 1
    end
  end
end

-- Replace spans, given in any order; spans do not overlap.
local function spliced(text, edits)
  table.sort(edits, function(a, b) return a[1] < b[1] end)
  local parts, i = {}, 1
  for _, edit in ipairs(edits) do
    parts[#parts + 1] = sub(text, i, edit[1] - 1)
    parts[#parts + 1] = edit[3]
    i = edit[2] + 1
  end
  parts[#parts + 1] = sub(text, i)
  return table.concat(parts)
end

local OPTION = { include_usage = true }

-- A stream_options value that asks for usage and keeps what else it says.
local function with_usage(options)
  if find(options, "^{%s*}$") or byte(options, 1) ~= OPEN_BRACE then return '{"include_usage":true}' end
  local edits = {}
  for _, span in ipairs(members(options, OPTION)["include_usage"] or {}) do
    edits[#edits + 1] = { span[1], span[2], "true" }
  end
  if #edits == 0 then return '{"include_usage":true,' .. sub(options, 2) end
  return spliced(options, edits)
end

local WANTED = { model = true, stream_options = true }
local USAGE = '"stream_options":{"include_usage":true},'

-- Where the value of "model" stands, if nothing makes that doubtful: the word with its quotes occurs once, and no
-- key can hide behind an escape. It spares walking through a prompt of a megabyte.
local function only_model(text)
  local first, last = find(text, '"model"', 1, true)
  if first == nil or find(text, '"model"', last, true) or find(text, "\\u00", 1, true) then return nil end
  local _, quote = find(text, '^%s*:%s*"', last + 1)
  if quote == nil then return nil end
  return quote, string_end(text, quote)
end

local function rewritten(text, model, add_usage)
  local first, last = only_model(text)
  if first and last and not (add_usage and find(text, '"stream_options"', 1, true)) then
    if model then text = sub(text, 1, first) .. model .. sub(text, last) end
    if add_usage then
      local brace = find(text, "{", 1, true)
      text = sub(text, 1, brace) .. USAGE .. sub(text, brace + 1)
    end
    return text
  end
  local found, edits = members(text, WANTED), {}
  for _, span in ipairs(model and found["model"] or {}) do
    edits[#edits + 1] = { span[1], span[2], '"' .. model .. '"' }
  end
  if add_usage then
    local spans = found["stream_options"]
    if spans == nil then
      local brace = find(text, "{", 1, true)
      edits[#edits + 1] = { brace + 1, brace, USAGE }
    else
      for _, span in ipairs(spans) do
        edits[#edits + 1] = { span[1], span[2], with_usage(sub(text, span[1], span[2])) }
      end
    end
  end
  return spliced(text, edits)
end

-- Contexts by id; a worker's scripts share it. An edited target leaves a few hundred bytes behind.
local contexts = {}

local function context_of(handle)
  local given = handle:filterContext()
  local id = given:get("id")
  local known = contexts[id]
  if known == nil then
    known = {
      model = given:get("model"), host = given:get("host"), prefix = given:get("prefix"), usage = given:get("usage"),
    }
    contexts[id] = known
  end
  return known
end

function envoy_on_request(handle)
  local headers, context = handle:headers(), context_of(handle)
  headers:remove("authorization")
  headers:remove("api-key")
  headers:remove("x-api-key")
  headers:replace(":authority", context.host)
  -- A mirror's copy comes without metadata: all that is known of it is in its headers, which no attempt has changed.
  local found = handle:streamInfo():dynamicMetadata():get("pm.request")
  local request = found and found["kept"] or { path = headers:get(":path"), bound = true }
  -- Not removed by the route: a replica is chosen by it after that.
  if request["bound"] then headers:remove("x-pm-affinity") end
  local path = request["path"]
  if context.prefix ~= "/v1" then path = context.prefix .. sub(path, 4) end
  headers:replace(":path", path)
  local add_usage = context.usage and request["strip"] == true
  local model = context.model ~= request["model"] and context.model or nil
  if not model and not add_usage and request["length"] == headers:get("content-length") then return end
  local body = handle:body()
  if body == nil then return end
  local text = body:getBytes(0, body:length())
  if model or add_usage then
    text = rewritten(text, model, add_usage)
    body:setBytes(text)
  end
  -- Objects do not outlive the wait for the body.
  handle:headers():replace("content-length", tostring(#text))
end

-- How engines and providers word the two refusals of a prompt that another target may take.
-- OpenAI, vLLM, llama.cpp, Anthropic, TEI; then OpenAI, Azure.
local CONTEXT_OVERFLOW = {
  "context_length_exceeded", "maximum context length", "exceed_context_size", "prompt is too long",
  "longer than the maximum model length", "must have less than",
}
local REFUSAL = { "content_filter", "content_policy", "ResponsibleAIPolicyViolation" }
local READ = { ["400"] = true, ["413"] = true, ["422"] = true }

local function mentions(text, phrases)
  for _, phrase in ipairs(phrases) do
    if find(text, phrase, 1, true) then return true end
  end
  return false
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if not READ[headers:get(":status")] then return end
  local body = handle:body()
  if body == nil then return end
  local text = body:getBytes(0, math.min(body:length(), 16384))
  if mentions(text, CONTEXT_OVERFLOW) then
    handle:headers():replace("x-pm-retry", "contextOverflow")
  elseif mentions(text, REFUSAL) then
    handle:headers():replace("x-pm-retry", "refusal")
  end
end
