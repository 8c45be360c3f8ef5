--[[
  Sends submissions with unique keys.

  Arguments after `--`: a prefix for this run's keys; jobs per request, 0 for the single route.
  At the end it prints one line of JSON.
]]
local threads = {}
local requests = 0

function setup(thread)
  thread:set("id", #threads + 1)
  table.insert(threads, thread)
end

local item = '{"type":"welcome-email","payload":{"email":"anoop@example.com","name":"Anoop",' ..
  '"message":"Congratulations! Your background job system is live."},"idempotencyKey":"%s"}'
local path, batch, prefix, keys, head

function init(args)
  prefix, batch, keys = args[1] .. id .. "-", tonumber(args[2]), 0
  good = batch > 0 and 200 or 202
  path = batch > 0 and "/jobs/batch" or "/jobs"
  refused = 0
  -- wrk.format would rebuild the head each time. Keys are padded, so the length never changes.
  local length = #body()
  head = "POST " .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
    "\r\nContent-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n"
end

function nextItem()
  keys = keys + 1
  return string.format(item, prefix .. string.format("%010d", keys))
end

function body()
  if batch == 0 then return nextItem() end
  local items = {}
  for index = 1, batch do items[index] = nextItem() end
  return '{"jobs":[' .. table.concat(items, ",") .. "]}"
end

function request()
  return head .. body()
end

function response(status)
  if status ~= good then refused = refused + 1 end
end

function done(summary, latency)
  local refusedByAll = 0
  for _, thread in ipairs(threads) do refusedByAll = refusedByAll + thread:get("refused") end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p90":%d,"p99":%d}\n',
    summary.requests, summary.duration, refusedByAll, errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
