--[[
  Reads in one step whether a queue has something to do now.
]]
local call = command({
  keys = {
    -- Delayed jobs.
    "delayed",
  },
  arguments = { "prefix" },
  returns = [[{ jobs that wait, run or are due, a number that grows with each job and each end of one }]],
  whenFull = "writes nothing",
})
local encodings = require("../core/bullmq/encodings")
local laneSets = require("../features/lanes/lanes")
local clock = require("../platform/redis/now")

local prefix = call.prefix

local function waitsForItsTime(id)
  return redis.call("ZSCORE", call.delayed, id) or redis.call("HGET", prefix .. id, "heldAs")
end

-- Held jobs that run as soon as others of their lane have, none of which waits for its time, as jobs do that a rate holds. For tests: it
-- reads all of them.
local function heldToRun()
  local count = 0
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", prefix .. "waiting-children", "-inf", "(0")) do
    local lane = laneSets.laneOf(prefix, id)
    local first = lane and redis.call("ZRANGE", prefix .. "lane:" .. lane, 0, 0)[1]
    if first and first ~= id and not waitsForItsTime(first) then count = count + 1 end
  end
  return count
end

local due = redis.call("ZCOUNT", call.delayed, "-inf", (clock.nowMs() + 1) * encodings.DUE_SCALE)
local waiting = redis.call("LLEN", prefix .. "wait") + redis.call("ZCARD", prefix .. "prioritized") + heldToRun()
local ended = redis.call("ZCARD", prefix .. "completed") + redis.call("ZCARD", prefix .. "failed")
local submitted = tonumber(redis.call("GET", prefix .. "id") or 0)
return { due + waiting + redis.call("LLEN", prefix .. "active"), submitted + ended }
